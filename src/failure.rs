//! One value per failure, for two readers.
//!
//! The *message* tells the user what is wrong and what to change. The *cause* is for us: the chain of errors
//! below it, with status, attempt and position. What the platform does with a failure depends on its
//! `failure_type` alone (a `config_error` is not retried), and that is decided in one table,
//! [`FailureKind::failure_type`].

use std::fmt;

/// How the platform is to treat a failure (`failure_type` of a TRACE ERROR message).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureType {
    /// The user has to change something; a new attempt would fail alike.
    Config,
    /// A new attempt may well succeed.
    Transient,
    /// Neither: the API does not behave as documented, or we made a mistake.
    System,
}

impl FailureType {
    /// The protocol's name for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Config => "config_error",
            Self::Transient => "transient_error",
            Self::System => "system_error",
        }
    }
}

/// What went wrong, by name. The names appear in `internal_message` and are stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// The command line is not one we know.
    Usage,
    /// The configuration violates the specification.
    Config,
    /// The configured catalog asks for what we do not have.
    Catalog,
    /// The state is not one of ours.
    State,
    /// The platform asks for a data channel other than stdout.
    DataChannel,
    /// 401 of the API, or a refusal of the token endpoint.
    Unauthorized,
    /// 403: the token is valid, but is not authorized to do this.
    Forbidden,
    /// 404: there is no such API at the base URL.
    NotFound,
    /// 400, 422 and the other 4xx: the API does not accept the request.
    Rejected,
    /// 3xx: the API is elsewhere.
    Redirected,
    /// The server's certificate is not trusted.
    Certificate,
    /// https was asked for, and the server does not speak it.
    NoTls,
    /// 407: the proxy asks for a user name and password.
    Proxy,
    /// No connection: name not found, refused, or cut.
    Unreachable,
    /// The server took the request and gave no whole response in time.
    NoAnswer,
    /// 503 or 429 for longer than we are willing to wait.
    RateLimited,
    /// 5xx for longer than we are willing to wait.
    ServerError,
    /// A body that is not JSON: cut off, or a page for people.
    Garbled,
    /// A body beyond the size we accept.
    TooLarge,
    /// JSON, but not the envelope of a list.
    NotAPage,
    /// A page that is not in the order asked for.
    Unsorted,
    /// An order that was not asked for.
    OutOfRange,
    /// The filter by update time is ignored or refused.
    UpdatedFilter,
    /// An order that must be in the response is not.
    MissingOrder,
    /// Events that must be in the response of the checkout inbox are not, or it is the response to another request.
    MissingEvent,
    /// The set of orders at one moment does not hold still.
    Restless,
    /// An order without `id`.
    NoId,
    /// An order without `draftCreatedAt`.
    NoCursor,
    /// We were asked to stop.
    Interrupted,
    /// Whoever read our output has gone.
    OutputClosed,
    /// Our output cannot be written.
    Output,
    /// A mistake of ours.
    Internal,
}

impl FailureKind {
    /// The one table of failure types.
    pub fn failure_type(self) -> FailureType {
        use FailureKind as K;
        match self {
            K::Usage | K::Config | K::Catalog | K::State | K::DataChannel => FailureType::Config,
            K::Unauthorized | K::Forbidden | K::NotFound | K::Rejected => FailureType::Config,
            // What is larger than any page comes from a server that is not the API: the address is wrong.
            K::Redirected | K::Certificate | K::NoTls | K::Proxy | K::TooLarge => FailureType::Config,
            K::Unreachable | K::NoAnswer | K::RateLimited | K::ServerError => FailureType::Transient,
            // A proxy's page or a cut response goes away; so does a set that changes while it is read.
            K::Garbled | K::MissingOrder | K::MissingEvent | K::Restless | K::Interrupted => {
                FailureType::Transient
            }
            K::NotAPage | K::Unsorted | K::OutOfRange | K::UpdatedFilter => FailureType::System,
            K::NoId | K::NoCursor => FailureType::System,
            K::OutputClosed | K::Output | K::Internal => FailureType::System,
        }
    }
}

impl FailureKind {
    /// Whether single rows of a response are meant, and not the response.
    pub fn is_of_single_rows(self) -> bool {
        matches!(self, Self::NoId | Self::NoCursor)
    }

    /// Whether the other streams would fail alike, so that there is no use in reading them in this sync. Those of another server
    /// may be read all the same, where [`Self::is_of_the_server`].
    pub fn ends_the_sync(self) -> bool {
        self.is_of_the_server() || matches!(self, Self::Interrupted | Self::OutputClosed | Self::Output)
    }

    /// Whether all streams of the same server would fail alike.
    pub fn is_of_the_server(self) -> bool {
        use FailureKind as K;
        let connection =
            matches!(self, K::Redirected | K::Certificate | K::NoTls | K::Proxy | K::Unreachable);
        connection || matches!(self, K::Unauthorized | K::RateLimited)
    }
}

/// A failure that leaves the program. Built where it is understood best, shown at the edge.
#[derive(Debug)]
pub struct Failure {
    /// What went wrong, by name.
    pub kind: FailureKind,
    /// For the user: what is wrong and what to change. No jargon, no secret, no URL query.
    pub message: String,
    /// For us: the chain of causes.
    pub cause: Option<anyhow::Error>,
    /// It contradicts what was answered before, so a new attempt may well succeed, whatever the kind.
    pub may_pass: bool,
}

impl Failure {
    /// A failure with its message for the user.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), cause: None, may_pass: false }
    }

    /// The same, with the cause below it.
    #[must_use]
    pub fn because(mut self, cause: impl Into<anyhow::Error>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// The same, with a fact for us: where it happened, at which attempt, after what time.
    #[must_use]
    pub fn at(mut self, fact: impl fmt::Display + fmt::Debug + Send + Sync + 'static) -> Self {
        self.cause = Some(match self.cause {
            Some(cause) => cause.context(fact),
            None => anyhow::Error::msg(fact),
        });
        self
    }

    /// How the platform is to treat it: as its kind, unless it may pass by itself.
    pub fn failure_type(&self) -> FailureType {
        if self.may_pass { FailureType::Transient } else { self.kind.failure_type() }
    }

    /// What we want to know: the kind's name and the causes, outermost first, in one line.
    pub fn internal(&self) -> String {
        match &self.cause {
            Some(cause) => format!("{:?}: {cause:#}", self.kind),
            None => format!("{:?}", self.kind),
        }
    }
}

/// Why a text is not the JSON that was expected: kinds and the position, never a value. The parser's own text quotes
/// what it found, which may be an order or a secret.
pub fn why_not_json(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let position = format!("at line {} column {}", error.line(), error.column());
    if error.classify() != serde_json::error::Category::Data {
        return text;
    }
    // The value comes first and may hold anything; what was expected are words of the program.
    if let Some(found) = text.strip_prefix("invalid type: ").or_else(|| text.strip_prefix("invalid value: "))
    {
        let expected = found.rsplit_once(", expected ").map_or("another value", |(_, expected)| expected);
        let expected = match expected.split(" at line ").next().unwrap_or_default() {
            "a sequence" => "a list",
            "a string" => "a text",
            "a map" => "an object",
            expected if expected.starts_with("struct ") => "an object",
            expected => expected,
        };
        let found = match found.split([' ', ',']).next().unwrap_or_default() {
            "string" | "character" => "a text",
            "map" => "an object",
            "sequence" => "a list",
            "null" | "unit" => "null",
            "boolean" => "true or false",
            "integer" | "floating" | "number" => "a number",
            _ => "another value",
        };
        return format!("{found} where {expected} is expected, {position}");
    }
    if ["missing field `", "an item of the list is not an object"].iter().any(|start| text.starts_with(start))
    {
        return text;
    }
    format!("the JSON has another form, {position}")
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_and_causes_stand_in_one_line_outermost_first() {
        let failure = Failure::new(FailureKind::Garbled, "The answer is not JSON.")
            .because(std::io::Error::other("unexpected end of file"))
            .at("attempt 3");
        assert_eq!(failure.internal(), "Garbled: attempt 3: unexpected end of file");
        assert_eq!(failure.to_string(), "The answer is not JSON.");
    }

    #[test]
    fn a_parser_error_names_kinds_and_the_position_and_never_a_value() {
        #[derive(Debug, serde::Deserialize)]
        struct Named {
            #[serde(rename = "name")]
            _name: String,
        }
        let list = |text: &str| why_not_json(&serde_json::from_str::<Vec<Named>>(text).unwrap_err());
        let secret = "jane.doe, expected nothing at line 1";
        assert_eq!(list(&format!("{secret:?}")), "a text where a list is expected, at line 1 column 38");
        assert_eq!(list("4711"), "a number where a list is expected, at line 1 column 4");
        assert_eq!(list("47.11"), "a number where a list is expected, at line 1 column 5");
        assert_eq!(list("true"), "true or false where a list is expected, at line 1 column 4");
        assert_eq!(list("null"), "null where a list is expected, at line 1 column 4");
        assert_eq!(list("{}"), "an object where a list is expected, at line 1 column 0");
        assert_eq!(list(&format!("[{secret:?}]")), "a text where an object is expected, at line 1 column 39");
        assert_eq!(list(r#"[{"name":["jane"]}]"#), "a list where a text is expected, at line 1 column 9");
        assert_eq!(list("[{}]"), "missing field `name` at line 1 column 3");
        assert_eq!(list("[{"), "EOF while parsing an object at line 1 column 2");
        let custom = <serde_json::Error as serde::de::Error>::custom("jane.doe");
        assert_eq!(why_not_json(&custom), "the JSON has another form, at line 0 column 0");
    }

    #[test]
    fn what_only_the_user_can_mend_is_not_retried() {
        for kind in [FailureKind::Unauthorized, FailureKind::Certificate, FailureKind::State] {
            assert_eq!(kind.failure_type().as_str(), "config_error");
        }
        for kind in [FailureKind::RateLimited, FailureKind::Unreachable, FailureKind::MissingOrder] {
            assert_eq!(kind.failure_type().as_str(), "transient_error");
        }
        assert_eq!(FailureKind::Unsorted.failure_type().as_str(), "system_error");
    }
}
