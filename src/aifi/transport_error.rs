//! What went wrong below HTTP: to be asked again, or a failure with an instruction.

use std::io;
use std::net::SocketAddr;

use anyhow::Error;

use super::dns::NeverAsked;
use super::refusal::{Server, Trouble, proxy_asks_for_a_user};
use super::retry::Hope;
use crate::failure::{Failure, FailureKind, why_not_json};

/// A 2xx body that is not JSON.
pub(super) fn unreadable(body: &[u8], server: Server, cause: Error) -> Trouble {
    let web_page = body.trim_ascii_start().first() == Some(&b'<');
    let what = if web_page { "a web page instead of data" } else { "an answer that is cut off or not JSON" };
    let advice = format!(
        "A proxy or login page may stand between: check {} and the proxy settings.",
        server.url_field()
    );
    let cause = match cause.downcast_ref::<serde_json::Error>() {
        Some(error) => Error::msg(why_not_json(error)),
        None => cause,
    };
    Trouble { cause: Some(cause), ..Trouble::new(FailureKind::Garbled, what, advice) }
}

/// Sorts an error below HTTP. The error is kept without its URL, whose query is nobody's business.
pub(super) fn sort(error: reqwest::Error, server: Server) -> Result<Trouble, Failure> {
    let (field, url) = (server.url_field(), error.url());
    let port = url.and_then(|url| url.port()).map(|port| format!(":{port}")).unwrap_or_default();
    let host = url.and_then(|url| url.host_str()).unwrap_or("the server").to_owned() + &port;
    if let Some(failure) = tls_failure(&error, &host, field) {
        return Err(failure.because(error.without_url()));
    }
    if chain(&error).any(|error| error.is::<NeverAsked>()) {
        let text = format!(
            "{host} resolves only to addresses that are not asked (link-local, unspecified or multicast). Correct {field}, the proxy or this machine's DNS."
        );
        return Err(Failure::new(FailureKind::Config, text).because(error.without_url()));
    }
    let tunnel = tunnel_error(&error);
    if tunnel.as_deref() == Some("proxy authorization required") {
        return Err(proxy_asks_for_a_user("HTTPS_PROXY").because(error.without_url()));
    }
    let (timeout, connect, decode) = (error.is_timeout(), error.is_connect(), error.is_decode());
    let cause = error.without_url();
    let trouble = if decode {
        let advice = "A proxy may garble the answers: check the proxy settings.";
        Trouble::new(FailureKind::Garbled, "an answer that is cut off or cannot be unpacked", advice)
    } else if tunnel.is_some() {
        let what = if tunnel.as_deref() == Some("unsuccessful") {
            format!("the proxy refuses to connect to {host}")
        } else {
            let proxy = address(&cause).map(|address| format!(" {address}")).unwrap_or_default();
            format!("no connection through the proxy{proxy} ({})", root(&cause))
        };
        Trouble::new(FailureKind::Unreachable, what, format!("Check HTTPS_PROXY, the proxy and {field}."))
    } else if timeout {
        let advice = format!(
            "{host} was asked, but did not answer in time. See whether {}, and check {field}.",
            server.incident()
        );
        Trouble::new(FailureKind::NoAnswer, "no answer in time", advice)
    } else {
        let what = if connect {
            format!("no connection to {host} ({})", root(&cause))
        } else {
            let hint = if speaks_tls(&cause) { "; perhaps it speaks https only" } else { "" };
            format!("the connection to {host} was cut{hint}")
        };
        Trouble::new(
            FailureKind::Unreachable,
            what,
            format!("Check {field}, the network and the proxy settings."),
        )
    };
    let hope = if connect && nobody_is_there(&cause) { Hope::NobodyThere } else { Hope::Passes };
    Ok(Trouble { cause: Some(cause.into()), hope, ..trouble })
}

/// The innermost error: what the system said.
fn root(error: &(dyn std::error::Error + 'static)) -> String {
    error.source().map_or_else(|| error.to_string(), root)
}

/// An error and all that is below it, outermost first.
fn chain<'e>(
    error: &'e (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'e (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |error| {
        // An I/O error passes itself over when it is asked for its source.
        match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        }
    })
}

/// A failure of TLS that asking again would not mend, if that is what it was.
fn tls_failure(error: &(dyn std::error::Error + 'static), host: &str, field: &str) -> Option<Failure> {
    match chain(error).find_map(|error| error.downcast_ref::<rustls::Error>())? {
        rustls::Error::InvalidCertificate(reason) => {
            let reason: String = format!("{reason:?}").chars().take(120).collect();
            let message = if reason.contains("CaUsedAsEndEntity") {
                format!(
                    "The certificate of {host} is that of an authority, used for a server. Give the server a certificate \
                     of its own, and paste the authority that signed it into CA certificate (ca_certificate)."
                )
            } else {
                format!(
                    "The certificate of {host} is not trusted ({reason}). If a proxy of your company inspects the traffic, \
                     paste its authority into CA certificate (ca_certificate)."
                )
            };
            Some(Failure::new(FailureKind::Certificate, message))
        }
        rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType) => {
            let message =
                format!("The server at {host} does not speak https. Check port and scheme of {field}.");
            Some(Failure::new(FailureKind::NoTls, message))
        }
        _ => None,
    }
}

/// Whether nothing listens at the address, no way leads to it, or the name is not known.
fn nobody_is_there(error: &(dyn std::error::Error + 'static)) -> bool {
    use io::ErrorKind::{ConnectionRefused, HostUnreachable, NetworkUnreachable};
    chain(error).any(|error| {
        let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
        // That it was the name is in words only.
        matches!(kind, Some(ConnectionRefused | HostUnreachable | NetworkUnreachable))
            || error.to_string() == "dns error"
    })
}

/// What went wrong with the way through a proxy. The libraries below tell it in words only.
fn tunnel_error(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    chain(error).find_map(|error| error.to_string().strip_prefix("tunnel error: ").map(str::to_owned))
}

/// The address that was tried without success. It is in the debug form of the error alone.
fn address(error: &(dyn std::error::Error + 'static)) -> Option<SocketAddr> {
    let error = chain(error).find(|error| error.to_string() == "tcp connect error")?;
    format!("{error:?}").split(", ").find_map(|part| part.parse().ok())
}

/// Whether plain http was answered by something else than http: by TLS, most likely.
fn speaks_tls(error: &(dyn std::error::Error + 'static)) -> bool {
    chain(error).any(|error| error.to_string() == "invalid HTTP version parsed")
}
