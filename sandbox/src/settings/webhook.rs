//! Where checkout events are pushed, and which troubles the calls meet.

use std::str::FromStr;
use std::time::Duration;

use hyper::Uri;

/// Where and how checkout events are pushed.
#[derive(Clone, Debug)]
pub struct Push {
    /// The webhook: `http://` and a host on loopback.
    pub url: Uri,
    /// The bearer token that is sent, if any. What AiFi sends is UNKNOWN.
    pub token: Option<String>,
    /// The share of events whose first call meets each trouble. The shares add up to 1 at most.
    pub troubles: Vec<(Trouble, f64)>,
    /// How often a call is repeated that was not answered 2xx. UNKNOWN; none is the harshest.
    pub retries: u32,
}

impl Push {
    /// Pushes to a webhook on loopback, once per event and without trouble.
    ///
    /// # Errors
    /// When the URL is not `http://`, or names a host that is not on loopback.
    pub fn to(url: &str) -> Result<Push, String> {
        let url: Uri = url.parse().map_err(|error| format!("`{url}` is not a URL: {error}"))?;
        let host = url.host().unwrap_or_default().trim_matches(['[', ']']);
        let loopback =
            host == "localhost" || host.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback());
        if url.scheme_str() != Some("http") || !loopback {
            return Err("the webhook must be an http:// URL with a host on loopback".to_owned());
        }
        Ok(Push { url, token: None, troubles: Vec::new(), retries: 0 })
    }

    /// The trouble that a number from 0 to 1 draws.
    pub(crate) fn trouble(&self, mut draw: f64) -> Option<Trouble> {
        for (trouble, share) in &self.troubles {
            if draw < *share {
                return Some(*trouble);
            }
            draw -= share;
        }
        None
    }
}

/// One way in which a call of the webhook is not as smooth as it could be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Trouble {
    /// The same call is made twice.
    Repeat,
    /// The same event is sent again with another `timeOfIssue`.
    Reissue,
    /// The call is made so much later, so that others overtake it.
    Late(Duration),
    /// The body takes so long.
    Slow(Duration),
    /// The connection is closed in the middle of the body.
    Cut,
    /// The connection is closed after the body, before the answer: whether it was kept is not known.
    Gone,
}

const EVERY: [Trouble; 6] = [
    Trouble::Repeat,
    Trouble::Reissue,
    Trouble::Late(Duration::from_millis(500)),
    Trouble::Slow(Duration::from_secs(1)),
    Trouble::Cut,
    Trouble::Gone,
];

impl Trouble {
    /// Every trouble once; [`Trouble::Late`] by half a second, [`Trouble::Slow`] by one.
    pub fn every() -> &'static [Trouble] {
        &EVERY
    }

    /// The stable name, as on the command line and in the report.
    pub fn name(self) -> &'static str {
        match self {
            Trouble::Repeat => "repeat",
            Trouble::Reissue => "reissue",
            Trouble::Late(_) => "late",
            Trouble::Slow(_) => "slow",
            Trouble::Cut => "cut",
            Trouble::Gone => "gone",
        }
    }
}

impl FromStr for Trouble {
    type Err = String;

    /// Reads a name; `late` and `slow` may carry milliseconds: `late:50`.
    fn from_str(text: &str) -> Result<Trouble, String> {
        let (name, millis) = text.split_once(':').unzip();
        let name = name.unwrap_or(text);
        let trouble = EVERY.into_iter().find(|trouble| trouble.name() == name).ok_or_else(|| {
            format!("no trouble `{name}`; there are {}", EVERY.map(Trouble::name).join(", "))
        })?;
        let Some(millis) = millis else { return Ok(trouble) };
        let time = millis.parse().map_err(|_| format!("`{millis}` is not a number of milliseconds"))?;
        match trouble {
            Trouble::Late(_) => Ok(Trouble::Late(Duration::from_millis(time))),
            Trouble::Slow(_) => Ok(Trouble::Slow(Duration::from_millis(time))),
            _ => Err(format!("`{name}` takes no time")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_read_back() {
        for trouble in Trouble::every() {
            assert_eq!(trouble.name().parse(), Ok(*trouble));
        }
        assert_eq!("late:50".parse(), Ok(Trouble::Late(Duration::from_millis(50))));
        for wrong in ["cut:50", "slow:x", "bend"] {
            assert!(wrong.parse::<Trouble>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_loopback_is_called() {
        for url in ["http://127.0.0.1:8080/checkout", "http://localhost/a/b", "http://[::1]:1/"] {
            assert!(Push::to(url).is_ok(), "{url}");
        }
        for url in ["http://192.0.2.1/", "https://127.0.0.1/", "http://example.com/", "/checkout", "http://"]
        {
            assert!(Push::to(url).is_err(), "{url}");
        }
    }

    #[test]
    fn shares_are_kept() {
        let troubles = vec![(Trouble::Cut, 0.2), (Trouble::Repeat, 0.1)];
        let push = Push { troubles, ..Push::to("http://localhost").unwrap() };
        let drawn = [0.0, 0.1, 0.21, 0.29, 0.31, 0.99].map(|draw| push.trouble(draw));
        let (cut, repeat) = (Some(Trouble::Cut), Some(Trouble::Repeat));
        assert_eq!(drawn, [cut, cut, repeat, repeat, None, None]);
    }
}
