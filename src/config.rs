//! The configuration: `spec/spec.json` is its one source of truth.
//!
//! It is embedded, answered by `spec`, and every configuration is validated against it at run time. What JSON
//! Schema cannot say (a real order of dates, http only at home, a certificate that parses) is checked here, in
//! the same breath, so that the user sees everything that is wrong at once.

pub mod secret;
mod violations;

use std::net::IpAddr;
use std::sync::LazyLock;

use chrono::{DateTime, Utc};
use reqwest::Url;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::Value;

use crate::failure::{Failure, FailureKind};
use crate::timestamp;
use secret::Secret;

static SPEC: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../spec/spec.json"))
        .expect("the embedded specification is JSON, which a test proves")
});

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

fn default_of(field: &str) -> &'static Value {
    &connection_specification()["properties"][field]["default"]
}

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
    /// The API, without a slash at its end.
    pub base_url: Url,
    /// The most requests in a second.
    pub requests_per_second: u32,
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
        let mut value: Value = serde_json::from_str(text).map_err(|error| {
            // serde_json's text names line and column, never the content.
            let text =
                format!("The configuration is not JSON: {error}. Correct the file given with --config.");
            Failure::new(FailureKind::Config, text)
        })?;
        drop_unset(&mut value);
        let mut found = violations::violations(connection_specification(), &value);
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
        match &self.credentials {
            Credentials::AccessToken(token) => vec![token],
            Credentials::Client(client) => vec![&client.secret],
        }
    }

    /// Reads the fields, also of a configuration with violations, to find what else is wrong. None where a field that
    /// is needed cannot be read.
    fn typed(value: &Value, found: &mut Vec<String>) -> Option<Self> {
        let start_date = date(value["start_date"].as_str());
        let end_date = date(value["end_date"].as_str());
        if start_date.zip(end_date).is_some_and(|(start, end)| end <= start) {
            found.push("End date (end_date): must be later than the start date.".to_owned());
        }
        let base_url = value["base_url"].as_str().or(default_of("base_url").as_str());
        let base_url = url(base_url, BASE_URL, found);
        // What is asked for is put behind it.
        if base_url.as_ref().is_some_and(|url| url.path().ends_with("/orders")) {
            found.push(format!(
                "{BASE_URL}: must end at the version, such as …/api/admin/v2, without /orders."
            ));
        }
        let ca_certificates = certificates(value["ca_certificate"].as_str().unwrap_or_default(), found);
        let credentials = credentials(&value["credentials"], found);
        let rate = value["requests_per_second"].as_u64().or(default_of("requests_per_second").as_u64());
        Some(Self {
            credentials: credentials?,
            start_date: start_date?,
            end_date,
            store_ids: list(&value["store_ids"], Value::as_u64),
            statuses: list(&value["statuses"], |status| status.as_str().map(str::to_owned)),
            customer_roles: list(&value["customer_roles"], |role| role.as_str().map(str::to_owned)),
            changes: match value["changes"].as_str().or(default_of("changes").as_str())? {
                "window" => Changes::Window,
                "off" => Changes::Off,
                _ => Changes::Updated,
            },
            changes_days: value["changes_days"].as_i64().or(default_of("changes_days").as_i64())?,
            base_url: base_url?,
            requests_per_second: u32::try_from(rate?).ok()?,
            ca_certificates,
            unknown: unknown(value),
        })
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
    let options = declared["credentials"]["oneOf"].as_array().into_iter().flatten();
    let of_credentials: Vec<&Value> = options.map(|option| &option["properties"]).collect();
    let keys = |value: &Value| {
        value.as_object().into_iter().flat_map(|fields| fields.keys().cloned()).collect::<Vec<_>>()
    };
    let top = keys(value).into_iter().filter(|name| declared[name].is_null() && !name.starts_with("__"));
    let within = keys(&value["credentials"])
        .into_iter()
        .filter(|name| of_credentials.iter().all(|option| option[name].is_null()));
    top.chain(within.map(|name| format!("credentials.{name}"))).collect()
}

fn list<'v, T>(value: &'v Value, item: impl Fn(&'v Value) -> Option<T>) -> Vec<T> {
    value.as_array().into_iter().flatten().filter_map(item).collect()
}

/// Forms and API clients send unset optional fields as null or as an empty text: the same as not at all.
fn drop_unset(value: &mut Value) {
    let required = |name: &str| {
        matches!(name, "start_date" | "access_token" | "client_id" | "client_secret" | "auth_type")
    };
    if let Value::Object(fields) = value {
        fields.retain(|name, value| required(name) || !(value.is_null() || value.as_str() == Some("")));
        fields.values_mut().for_each(drop_unset);
    }
}

/// What is not a date is told by the specification's format already.
fn date(text: Option<&str>) -> Option<DateTime<Utc>> {
    text.and_then(timestamp::parse)
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
    let token_url = url(value["token_url"].as_str().or(default), "Token URL (credentials.token_url)", found);
    let (id, secret) = (text("client_id")?, Secret::new(text("client_secret")?));
    Some(Credentials::Client(Client { id, secret, token_url: token_url?, scope: text("scope") }))
}

/// A token travels in a header, which cannot hold line breaks; they come with copying.
fn sendable(token: &Secret, label: &str, found: &mut Vec<String>) {
    if token.expose().chars().any(|c| c.is_whitespace() || c.is_control() || !c.is_ascii()) {
        found.push(format!("{label}: must not hold spaces, line breaks or other signs that a token cannot have. Copy it again."));
    }
}

/// https, or http where the traffic stays at home: what is sent holds the token.
fn url(text: Option<&str>, label: &str, found: &mut Vec<String>) -> Option<Url> {
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
    if url.scheme() != "https" && !at_home(&url) {
        found.push(format!(
            "{label}: must start with https. Plain http is accepted only for loopback and private addresses."
        ));
        return None;
    }
    url.set_query(None);
    Some(url)
}

fn at_home(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    match host.trim_matches(['[', ']']).parse::<IpAddr>() {
        Ok(IpAddr::V4(ip)) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        Ok(IpAddr::V6(ip)) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
        Err(_) => host == "localhost" || host.ends_with(".localhost") || host == "host.docker.internal",
    }
}

fn certificates(pem: &str, found: &mut Vec<String>) -> Vec<CertificateDer<'static>> {
    if pem.is_empty() {
        return Vec::new();
    }
    let parsed: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    match parsed {
        Ok(certificates) if !certificates.is_empty() => certificates,
        _ => {
            found.push("CA certificate (ca_certificate): holds no certificate. Paste the PEM text whole, with its BEGIN CERTIFICATE and END CERTIFICATE lines.".to_owned());
            Vec::new()
        }
    }
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
}
