//! What went wrong below HTTP: to be asked again, or a failure with an instruction.

use anyhow::Error;

use super::refusal::{Asked, Trouble};
use crate::failure::{Failure, FailureKind};

/// A 2xx body that is no JSON.
pub(super) fn unreadable(body: &[u8], cause: Error) -> Trouble {
    let web_page = body.trim_ascii_start().first() == Some(&b'<');
    let what = if web_page { "a web page instead of data" } else { "an answer that is cut off or not JSON" };
    let advice =
        "A proxy or login page may stand between: check API base URL (base_url) and the proxy settings.";
    Trouble { cause: Some(cause), ..Trouble::new(FailureKind::Garbled, what, advice) }
}

/// Sorts an error below HTTP. The error is kept without its URL, whose query is nobody's business.
pub(super) fn sort(error: reqwest::Error, asked: Asked) -> Result<Trouble, Failure> {
    let (field, host) = match asked {
        Asked::TokenEndpoint => ("Token URL (credentials.token_url)", error.url()),
        _ => ("API base URL (base_url)", error.url()),
    };
    let port = host.and_then(|url| url.port()).map(|port| format!(":{port}")).unwrap_or_default();
    let host = host.and_then(|url| url.host_str()).unwrap_or("the server").to_owned() + &port;
    if let Some(tls) = certificate_error(&error) {
        let message = format!(
            "The certificate of {host} is not trusted ({tls}). If a proxy of your company inspects the traffic, paste its \
             authority into CA certificate (ca_certificate)."
        );
        return Err(Failure::new(FailureKind::Certificate, message).because(error.without_url()));
    }
    let (timeout, connect, decode) = (error.is_timeout(), error.is_connect(), error.is_decode());
    let cause = error.without_url();
    let trouble = if decode {
        let advice = "A proxy may garble the answers: check the proxy settings.";
        Trouble::new(FailureKind::Garbled, "an answer that is cut off or cannot be unpacked", advice)
    } else if timeout {
        let advice = format!(
            "{host} was asked, but did not answer in time. See whether AiFi has an incident, and check {field}."
        );
        Trouble::new(FailureKind::NoAnswer, "no answer in time", advice)
    } else {
        let what = if connect {
            format!("no connection to {host} ({})", root(&cause))
        } else {
            format!("the connection to {host} was cut")
        };
        Trouble::new(
            FailureKind::Unreachable,
            what,
            format!("Check {field}, the network and the proxy settings."),
        )
    };
    Ok(Trouble { cause: Some(cause.into()), ..trouble })
}

/// The innermost error: what the system said.
fn root(error: &(dyn std::error::Error + 'static)) -> String {
    error.source().map_or_else(|| error.to_string(), root)
}

/// The certificate error below a failed connection, if that is what it was: asking again would not help.
fn certificate_error(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    if let Some(rustls::Error::InvalidCertificate(reason)) = error.downcast_ref() {
        return Some(format!("{reason:?}").chars().take(120).collect());
    }
    // An I/O error passes itself over when it is asked for its source.
    let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    match inner {
        Some(inner) => certificate_error(inner),
        None => certificate_error(error.source()?),
    }
}
