//! The configuration: `spec/spec.json` is its one source of truth.
//!
//! It is embedded, answered by `spec`, and every configuration is validated against it at run time. What JSON
//! Schema cannot say (a real order of dates, http only at home, a certificate that parses) is checked here, in
//! the same breath, so that the user sees everything that is wrong at once.

pub(crate) mod host;
pub(crate) mod inbox;
mod pem;
pub(crate) mod secret;
mod unique;
mod values;
mod violations;

use std::sync::LazyLock;

use chrono::{DateTime, Utc};
use reqwest::Url;
use rustls::pki_types::CertificateDer;
use serde_json::Value;

use crate::failure::{Failure, FailureKind};
use crate::record::personal::Personal;
use inbox::Inbox;
use secret::Secret;
use values::Values;

static SPEC: LazyLock<Value> = LazyLock::new(|| {
    let text = helped_by(include_str!("../spec/spec.json"), option_env!("AIFI_DOCS_URL"));
    serde_json::from_str(&text).expect("the embedded specification is JSON, which a test proves")
});

/// Where Airbyte would have the user page, which the form links to.
const DOCS: &str = "https://docs.airbyte.com/integrations/sources/aifi";

/// The specification with links to the user page of whoever builds, where they name one.
fn helped_by(text: &str, own: Option<&str>) -> String {
    own.filter(|own| !own.is_empty()).map_or_else(|| text.to_owned(), |own| text.replace(DOCS, own))
}

/// The connector specification, as `spec` answers it.
pub fn specification() -> &'static Value {
    &SPEC
}

/// The JSON schema of the configuration.
pub fn connection_specification() -> &'static Value {
    &SPEC["connectionSpecification"]
}

/// The address of the API, as the form has it.
const BASE_URL: &str = "API base URL (base_url)";

/// A valid configuration. Names and meaning are those of `spec/spec.json`.
#[derive(Debug)]
pub struct Config {
    /// How to sign in.
    pub credentials: Credentials,
    /// Orders drafted at or after it are read.
    pub start_date: DateTime<Utc>,
    /// Orders drafted before it are read.
    pub end_date: Option<DateTime<Utc>>,
    /// Only these stores; empty for all.
    pub store_ids: Vec<u64>,
    /// Only these statuses; empty for all.
    pub statuses: Vec<String>,
    /// Only these customers; empty for all.
    pub customer_roles: Vec<String>,
    /// How orders are followed that change after they were read.
    pub changes: Changes,
    /// How many days are read again where changes cannot be asked for.
    pub changes_days: i64,
    /// Whether what is no longer listed is marked as deleted in the destination.
    pub deletions: bool,
    /// What is done to personal data.
    pub personal: Personal,
    /// The salt of its hashes, for the output to keep to itself.
    salt: Option<Secret>,
    /// The API, without a slash at its end.
    pub base_url: Url,
    /// The most requests in a second.
    pub requests_per_second: u32,
    /// Where checkout events are read; none without an inbox.
    pub inbox: Option<Inbox>,
    /// Authorities that are trusted in addition.
    pub ca_certificates: Vec<CertificateDer<'static>>,
    /// Settings that this version does not know: mistyped, or of another version. They have no effect.
    pub unknown: Vec<String>,
}

/// How orders are followed that change after they were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changes {
    /// By update time, and once a day by reading the last days again.
    Updated,
    /// By reading the last days again in each sync.
    Window,
    /// Not at all.
    Off,
}

impl Changes {
    fn named(name: &str) -> Option<Self> {
        match name {
            "updated" => Some(Self::Updated),
            "window" => Some(Self::Window),
            "off" => Some(Self::Off),
            _ => None,
        }
    }
}

/// How to sign in.
#[derive(Clone, Debug)]
pub enum Credentials {
    /// A token that AiFi issued.
    AccessToken(Secret),
    /// An application that fetches tokens of its own.
    Client(Client),
}

/// An application of the AiFi Console.
#[derive(Clone, Debug)]
pub struct Client {
    /// Its name.
    pub id: String,
    /// Its secret.
    pub secret: Secret,
    /// Where tokens are fetched.
    pub token_url: Url,
    /// What to ask for, if anything.
    pub scope: Option<String>,
}

impl Config {
    /// Reads and validates a configuration.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        if text.trim().is_empty() {
            return Err(Failure::new(FailureKind::Config, "The configuration file is empty."));
        }
        let mut value = unique::parse(text).map_err(|error| {
            // serde_json's text names line and column, and of the content at most the name of a field.
            let what = if error.is_data() { "cannot be used" } else { "is not JSON" };
            let text = format!("The configuration {what}: {error}. Correct the file given with --config.");
            Failure::new(FailureKind::Config, text)
        })?;
        drop_unset(&mut value);
        let mut found = violations::violations(&value);
        let config = Self::typed(&value, &mut found);
        match (config, found.as_slice()) {
            (Some(config), []) => Ok(config),
            (None, []) => Err(Failure::new(
                FailureKind::Internal,
                "The configuration fits its specification, but cannot be read.",
            )),
            (_, [one]) => {
                Err(Failure::new(FailureKind::Config, format!("The configuration is not valid. {one}")))
            }
            (_, many) => {
                let list = many.join("\n- ");
                let text =
                    format!("The configuration is not valid. {} things are wrong:\n- {list}", many.len());
                Err(Failure::new(FailureKind::Config, text))
            }
        }
    }

    /// The values of the secret fields, for the output to keep to itself.
    pub fn secrets(&self) -> Vec<&Secret> {
        let sign_in = match &self.credentials {
            Credentials::AccessToken(token) => token,
            Credentials::Client(client) => &client.secret,
        };
        let of_inbox = self.inbox.as_ref().map(|inbox| &inbox.read_token);
        [sign_in].into_iter().chain(&self.salt).chain(of_inbox).collect()
    }

    /// Reads the fields, also of a configuration with violations, to find what else is wrong. None where a field that
    /// is needed cannot be read.
    fn typed(value: &Value, found: &mut Vec<String>) -> Option<Self> {
        let mut values = Values::new(value, connection_specification(), found);
        let start_date = values.date("start_date");
        let end_date = values.date("end_date");
        let store_ids = values.list("store_ids", values::whole);
        let statuses = values.list("statuses", values::text);
        let customer_roles = values.list("customer_roles", values::text);
        let changes = values.one("changes", |value| Changes::named(value.as_str()?));
        let changes_days = values.one("changes_days", |value| i64::try_from(values::whole(value)?).ok());
        let deletions = values.one("deletions", |value| match value.as_str()? {
            "off" => Some(false),
            "tombstones" => Some(true),
            _ => None,
        });
        let rate = values.one("requests_per_second", |value| u32::try_from(values::whole(value)?).ok());
        let base_url = values.one("base_url", values::text);
        let ca_certificate = values.one("ca_certificate", values::text);
        let consumer = values.one("inbox_consumer", values::text);
        if start_date.zip(end_date).is_some_and(|(start, end)| end <= start) {
            found.push("End date (end_date): must be later than the start date.".to_owned());
        }
        let base_url = url(base_url.as_deref(), BASE_URL, host::is_at_home, found);
        // What is asked for is put behind it.
        if base_url.as_ref().is_some_and(|url| url.path().ends_with("/orders")) {
            found.push(format!(
                "{BASE_URL}: must end at the version, such as …/api/admin/v2, without /orders."
            ));
        }
        let ca_certificates = certificates(&ca_certificate.unwrap_or_default(), found);
        let credentials = credentials(&value["credentials"], found);
        let salt = value["personal_data"]["salt"].as_str().map(|salt| Secret::new(salt.to_owned()));
        let personal = personal(&value["personal_data"]["mode"], salt.as_ref());
        let inbox = inbox::inbox(value, consumer.unwrap_or_default(), found);
        Some(Self {
            credentials: credentials?,
            start_date: start_date?,
            end_date,
            store_ids: store_ids?,
            statuses: statuses?,
            customer_roles: customer_roles?,
            changes: changes?,
            changes_days: changes_days?,
            deletions: deletions?,
            personal: personal?,
            salt,
            base_url: base_url?,
            requests_per_second: rate?,
            inbox,
            ca_certificates,
            unknown: unknown(value),
        })
    }

    /// Whether orders of this status are wanted.
    pub fn wants_status(&self, status: Option<&str>) -> bool {
        self.statuses.is_empty() || self.statuses.iter().any(|wanted| status == Some(wanted))
    }

    /// What to tell the user of settings without an effect.
    pub fn warning(&self) -> Option<String> {
        let names = self.unknown.join(", ");
        (!self.unknown.is_empty()).then(|| {
            format!("The configuration has settings that this version does not know, so they have no effect: {names}. See whether they are mistyped.")
        })
    }
}

/// Settings that the specification does not declare. They are accepted, since the platform may add some of its own.
fn unknown(value: &Value) -> Vec<String> {
    let declared = &connection_specification()["properties"];
    let keys = |value: &Value| {
        value.as_object().into_iter().flat_map(|fields| fields.keys().cloned()).collect::<Vec<_>>()
    };
    let top = keys(value).into_iter().filter(|name| declared[name].is_null() && !name.starts_with("__"));
    let within = ["credentials", "personal_data"].into_iter().flat_map(|group| {
        let options = declared[group]["oneOf"].as_array().into_iter().flatten();
        let of_options: Vec<&Value> = options.map(|option| &option["properties"]).collect();
        let unknown = keys(&value[group])
            .into_iter()
            .filter(move |name| of_options.iter().all(|option| option[name].is_null()));
        unknown.map(move |name| format!("{group}.{name}"))
    });
    top.chain(within).collect()
}

/// Forms and API clients send unset optional fields as null or as an empty text: the same as not at all.
fn drop_unset(value: &mut Value) {
    let required = |name: &str| {
        matches!(
            name,
            "start_date" | "access_token" | "client_id" | "client_secret" | "auth_type" | "salt" | "mode"
        )
    };
    if let Value::Object(fields) = value {
        fields.retain(|name, value| required(name) || !(value.is_null() || value.as_str() == Some("")));
        fields.values_mut().for_each(drop_unset);
    }
}

fn credentials(value: &Value, found: &mut Vec<String>) -> Option<Credentials> {
    let text = |name: &str| value[name].as_str().map(str::to_owned);
    if value["auth_type"] == "access_token" {
        let token = Secret::new(text("access_token")?);
        sendable(&token, "Access token (credentials.access_token)", found);
        return Some(Credentials::AccessToken(token));
    }
    let options = &connection_specification()["properties"]["credentials"]["oneOf"];
    let default = options[1]["properties"]["token_url"]["default"].as_str();
    let label = "Token URL (credentials.token_url)";
    let token_url = url(value["token_url"].as_str().or(default), label, host::is_at_home, found);
    let (id, secret) = (text("client_id")?, Secret::new(text("client_secret")?));
    for (text, label) in [
        (id.as_str(), "Client ID (credentials.client_id)"),
        (secret.expose(), "Client secret (credentials.client_secret)"),
    ] {
        if text.trim() != text || text.contains(['\n', '\r', '\u{feff}']) {
            found.push(format!("{label}: must not have spaces or line breaks around it. Copy it again."));
        }
    }
    Some(Credentials::Client(Client { id, secret, token_url: token_url?, scope: text("scope") }))
}

/// The setting `personal_data`, where it can be read; what is wrong with it is found by the specification.
fn personal(mode: &Value, salt: Option<&Secret>) -> Option<Personal> {
    match mode.as_str() {
        None | Some("keep") => Some(Personal::Keep),
        Some("hash") => Some(Personal::hash(salt?.expose())),
        Some("leave_out") => Some(Personal::LeaveOut),
        Some(_) => None,
    }
}

/// A token travels in a header, which cannot hold line breaks; they come with copying.
fn sendable(token: &Secret, label: &str, found: &mut Vec<String>) {
    let text = token.expose();
    let bare = text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    let quoted = |quote| bare.starts_with(quote) || bare.ends_with(quote);
    // A prefix is a word of its own, so no token is refused for its first letters.
    if bare.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("bearer ")) {
        found.push(format!("{label}: must be the token alone, without \"Bearer\" before it."));
    } else if quoted('"') || quoted('\'') {
        found.push(format!("{label}: must be the token alone, without quotation marks around it."));
    } else if bare != text {
        found.push(format!(
            "{label}: must not have spaces, line breaks or invisible characters around it. Copy it again."
        ));
    } else if text.chars().any(|c| c.is_whitespace() || c.is_control() || !c.is_ascii()) {
        found.push(format!("{label}: must not hold spaces, line breaks or other characters that are not allowed in a token. Copy it again."));
    }
}

/// https, or http where the traffic stays at home: what is sent holds the token.
fn url(
    text: Option<&str>,
    label: &str,
    is_at_home: impl Fn(&Url) -> bool,
    found: &mut Vec<String>,
) -> Option<Url> {
    // One sentence for one field: what the specification found is enough.
    if found.iter().any(|text| text.starts_with(label)) {
        return None;
    }
    let Ok(mut url) = Url::parse(text?.trim_end_matches('/')) else {
        found.push(format!("{label}: is not a web address."));
        return None;
    };
    if !url.username().is_empty() || url.password().is_some() {
        found.push(format!("{label}: must not hold a user name or password."));
        return None;
    }
    if host::is_out_of_bounds(&url) {
        found
            .push(format!("{label}: must not be a link-local, unspecified, broadcast or multicast address."));
        return None;
    }
    if url.scheme() != "https" && !is_at_home(&url) {
        found.push(format!(
            "{label}: must start with https. Plain http is accepted only for loopback and private addresses."
        ));
        return None;
    }
    url.set_query(None);
    Some(url)
}

fn certificates(text: &str, found: &mut Vec<String>) -> Vec<CertificateDer<'static>> {
    if text.is_empty() {
        return Vec::new();
    }
    pem::certificates(text).unwrap_or_else(|why| {
        found.push(format!("CA certificate (ca_certificate): {why}"));
        Vec::new()
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn config(change: impl Fn(&mut Value)) -> Result<Config, Failure> {
        let mut value = json!({"credentials": {"auth_type": "access_token", "access_token": "tok-12345678"}, "start_date": "2025-11-01T00:00:00Z"});
        change(&mut value);
        Config::parse(&value.to_string())
    }

    #[test]
    fn a_form_links_to_the_pages_of_who_builds() {
        let text = include_str!("../spec/spec.json");
        let own = helped_by(text, Some("https://forge.example/aifi.md"));
        assert!(own.contains("https://forge.example/aifi.md#changelog") && !own.contains(DOCS));
        assert!(serde_json::from_str::<Value>(&own).is_ok());
        assert_eq!((helped_by(text, None), helped_by(text, Some(""))), (text.to_owned(), text.to_owned()));
    }

    #[test]
    fn what_is_not_given_has_the_default_of_the_specification() {
        let config = config(|_| ()).unwrap();
        assert_eq!(config.base_url.as_str(), "https://api.aifi.com/api/admin/v2");
        assert_eq!(config.requests_per_second, 15);
        assert_eq!(config.end_date, None);
        assert_eq!(config.store_ids, [0; 0]);
    }

    #[test]
    fn unset_fields_may_come_as_null_or_empty() {
        let config = config(|value| {
            for field in ["end_date", "base_url", "ca_certificate"] {
                value[field] = json!("");
            }
            for field in ["store_ids", "statuses", "requests_per_second"] {
                value[field] = Value::Null;
            }
        });
        assert_eq!(config.unwrap().requests_per_second, 15);
    }

    #[test]
    fn plain_http_is_for_addresses_at_home() {
        for good in [
            "http://127.0.0.1:8080/api",
            "http://localhost:1",
            "http://10.1.2.3/x",
            "http://172.17.0.1:1",
            "http://192.168.0.9",
            "http://[::1]:3/x",
            "https://example.com/api/",
        ] {
            assert!(config(|value| value["base_url"] = json!(good)).is_ok(), "{good}");
        }
        for bad in [
            "http://example.com",
            "http://8.8.8.8/x",
            "http://172.32.0.1",
            "https://me:pw@example.com",
            "https://",
        ] {
            let failure = config(|value| value["base_url"] = json!(bad)).unwrap_err();
            assert!(failure.message.contains("API base URL (base_url)"), "{bad}: {}", failure.message);
        }
    }

    #[test]
    fn what_the_schema_cannot_say_is_told_all_at_once_too() {
        let failure = config(|value| {
            value["end_date"] = json!("2025-11-01T00:00:00Z");
            value["ca_certificate"] = json!("-----BEGIN");
            value["base_url"] = json!("http://example.com");
            value["credentials"]["access_token"] = json!("tok-1234\n5678");
        })
        .unwrap_err();
        assert_eq!(failure.kind, FailureKind::Config);
        for field in ["end_date", "ca_certificate", "base_url", "access_token"] {
            assert!(failure.message.contains(field), "{field}: {}", failure.message);
        }
        assert!(!failure.message.contains("tok-1234"), "{}", failure.message);
    }

    #[test]
    fn settings_without_an_effect_are_named() {
        assert_eq!(config(|_| ()).unwrap().warning(), None);
        let config = config(|value| {
            value["changes_day"] = json!(3);
            value["__injected"] = json!({});
            value["credentials"]["client_id"] = json!("of the other option");
            value["credentials"]["tokn"] = json!("x");
        });
        assert_eq!(config.unwrap().unknown, ["changes_day", "credentials.tokn"]);
    }

    #[test]
    fn nothing_of_the_configuration_shows_in_its_debug_form() {
        assert!(!format!("{:?}", config(|_| ()).unwrap()).contains("12345678"));
    }

    #[test]
    fn what_was_copied_with_a_token_is_named() {
        for (token, word) in [
            ("Bearer tok-12345678", "without \"Bearer\""),
            ("bearer tok-12345678\n", "without \"Bearer\""),
            ("\"tok-12345678\"", "quotation marks"),
            ("'tok-12345678'\n", "quotation marks"),
            (" tok-12345678", "around it"),
            ("\u{feff}tok-12345678", "around it"),
            ("tok-1234 5678", "must not hold spaces"),
        ] {
            let refused = config(|value| value["credentials"]["access_token"] = json!(token)).unwrap_err();
            assert!(refused.message.contains(word), "{token}: {}", refused.message);
            assert!(!refused.message.contains("tok-1"), "{token}: {}", refused.message);
        }
        for (id, secret) in [("id ", "secret"), ("id", "secret\n")] {
            let refused = config(|value| {
                value["credentials"] =
                    json!({"auth_type": "client_credentials", "client_id": id, "client_secret": secret});
            });
            assert!(refused.unwrap_err().message.contains("around it"), "{id:?}");
        }
    }

    #[test]
    fn link_local_addresses_are_refused_for_both_urls() {
        for address in
            ["https://169.254.169.254/x", "http://169.254.1.1/x", "https://[fe80::1]/x", "http://0/x"]
        {
            let refused = config(|value| {
                value["base_url"] = json!(address);
                value["credentials"] = json!({"auth_type": "client_credentials", "client_id": "i", "client_secret": "s", "token_url": address});
            });
            let message = refused.unwrap_err().message;
            for field in
                ["(base_url): must not be a link-local", "(credentials.token_url): must not be a link-local"]
            {
                assert!(message.contains(field), "{address}: {message}");
            }
        }
    }
}
