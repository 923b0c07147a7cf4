//! A request to the inbox. Pure.

/// Events of one response at most. The inbox allows 1,000, and ends a response at 8 MiB of bodies.
pub(crate) const MOST: u64 = 500;

/// A place in the log: a number, and the event that was seen there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    /// The number; 0 is before the first.
    pub seq: u64,
    /// The event; none at 0, and where both sides agreed on a number alone.
    pub event: Option<String>,
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Query {
    /// Events after this place.
    pub after: Place,
    /// So many at most.
    pub limit: u64,
    /// The name that the inbox keeps the place under. Given only where the place is that of a saved state: the inbox may delete
    /// what a named reader has passed, and a destination may still lose what a sync under way has written.
    pub consumer: Option<String>,
}

impl Query {
    /// The query string.
    pub(crate) fn encode(&self) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("after", &self.after.seq.to_string());
        if let Some(event) = &self.after.event {
            query.append_pair("seen", event);
        }
        query.append_pair("limit", &self.limit.to_string());
        if let Some(consumer) = &self.consumer {
            query.append_pair("consumer", consumer);
        }
        query.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_known_is_asked_with() {
        let begin = Query { after: Place::default(), limit: 500, consumer: Some("a b".to_owned()) };
        assert_eq!(begin.encode(), "after=0&limit=500&consumer=a+b");
        let after = Place { seq: 7, event: Some("e7".to_owned()) };
        assert_eq!(Query { after, limit: 1, consumer: None }.encode(), "after=7&seen=e7&limit=1");
    }
}
