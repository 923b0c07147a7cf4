//! The checkout inbox: where it is, and how to read it.

use reqwest::Url;
use serde_json::Value;

use super::secret::Secret;
use super::{host, sendable, url};

/// The address of the inbox, as the form has it.
pub(crate) const INBOX_URL: &str = "Inbox address (inbox_url)";
/// The token for it, as the form has it.
pub(crate) const INBOX_READ_TOKEN: &str = "Inbox read token (inbox_read_token)";

/// A checkout inbox. Names and meaning are those of `spec/spec.json`.
#[derive(Clone, Debug)]
pub struct Inbox {
    /// Its address, without a slash at its end.
    pub url: Url,
    /// One of its tokens for readers.
    pub read_token: Secret,
    /// The name under which it remembers how far we have read.
    pub consumer: String,
}

/// The inbox of a configuration. None where there is none, or something is wrong with it, which is in `found` then.
pub(super) fn inbox(value: &Value, consumer: String, found: &mut Vec<String>) -> Option<Inbox> {
    let (address, token) = (value["inbox_url"].as_str(), value["inbox_read_token"].as_str());
    let (one, other) = match (address, token) {
        (Some(_), None) => (INBOX_READ_TOKEN, "an inbox address"),
        (None, Some(_)) => (INBOX_URL, "an inbox read token"),
        _ => ("", ""),
    };
    if !one.is_empty() && !found.iter().any(|text| text.starts_with(one)) {
        found.push(format!("{one}: is required, since {other} is given."));
    }
    let read_token = Secret::new(token?.to_owned());
    sendable(&read_token, INBOX_READ_TOKEN, found);
    let url = url(Some(address?), INBOX_URL, host::is_inside, found)?;
    if url.path().ends_with("/events") {
        found.push(format!("{INBOX_URL}: must be the address alone, without /v1/events."));
        return None;
    }
    Some(Inbox { url, read_token, consumer })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::config::Config;

    fn config(fields: &serde_json::Value) -> Result<Config, String> {
        let mut value = json!({"credentials": {"auth_type": "access_token", "access_token": "tok-12345678"}, "start_date": "2025-11-01T00:00:00Z"});
        for (name, field) in fields.as_object().into_iter().flatten() {
            value[name] = field.clone();
        }
        Config::parse(&value.to_string()).map_err(|failure| failure.message)
    }

    #[test]
    fn an_inbox_is_an_address_and_a_token() {
        assert!(config(&json!({})).unwrap().inbox.is_none());
        let unset = json!({"inbox_url": "", "inbox_read_token": null, "inbox_consumer": ""});
        assert!(config(&unset).unwrap().inbox.is_none(), "as forms send what is not filled in");
        let given =
            config(&json!({"inbox_url": "https://inbox.example.com/", "inbox_read_token": "reader-1"}));
        let given = given.unwrap();
        assert_eq!(given.secrets().len(), 2);
        assert!(!format!("{given:?}").contains("reader-1"));
        let inbox = given.inbox.unwrap();
        assert_eq!(
            (inbox.url.as_str(), inbox.consumer.as_str()),
            ("https://inbox.example.com/", "source-aifi")
        );
    }

    #[test]
    fn what_is_wrong_with_it_is_told_by_its_field() {
        for (fields, words) in [
            (json!({"inbox_url": "https://a.b"}), "Inbox read token (inbox_read_token): is required"),
            (json!({"inbox_read_token": "reader-1"}), "Inbox address (inbox_url): is required"),
            (json!({"inbox_url": "ftp://a", "inbox_read_token": "reader-1"}), "(inbox_url): must look like"),
            (json!({"inbox_url": "http://a.b", "inbox_read_token": "reader-1"}), "must start with https"),
            (
                json!({"inbox_url": "https://a.b/v1/events", "inbox_read_token": "reader-1"}),
                "without /v1/events",
            ),
            (json!({"inbox_url": "http://169.254.1.1", "inbox_read_token": "reader-1"}), "link-local"),
            (
                json!({"inbox_url": "https://a.b", "inbox_read_token": "Bearer reader-1"}),
                "without \"Bearer\"",
            ),
            (json!({"inbox_consumer": "a b"}), "(inbox_consumer): must look like letters"),
        ] {
            let message = config(&fields).unwrap_err();
            assert!(message.contains(words), "{fields}: {message}");
            assert!(!message.contains("reader-1"), "{message}");
        }
    }

    #[test]
    fn plain_http_is_for_the_own_network() {
        for inside in [
            "http://aifi-inbox:8080",
            "http://inbox.aifi.svc.cluster.local",
            "http://a.svc",
            "http://10.0.0.4",
        ] {
            assert!(config(&json!({"inbox_url": inside, "inbox_read_token": "r"})).is_ok(), "{inside}");
        }
        for outside in ["http://8.8.8.8", "http://inbox.example.com", "http://[2001:db8::1]"] {
            assert!(config(&json!({"inbox_url": outside, "inbox_read_token": "r"})).is_err(), "{outside}");
        }
    }
}
