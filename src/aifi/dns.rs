//! The line to the API: what its name resolves to, and which of these addresses are asked.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::config::host::is_never_asked;

/// Looks up names for the HTTP client.
#[derive(Debug)]
pub(super) struct Resolver;

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let addresses: Addrs = Box::new(allowed(found)?.into_iter());
            Ok(addresses)
        })
    }
}

/// A name that resolves to addresses only that are never asked.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NeverAsked;

impl fmt::Display for NeverAsked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name resolves only to link-local, unspecified or multicast addresses")
    }
}

impl std::error::Error for NeverAsked {}

/// The addresses that may be asked. That there are none at all is for the client to say.
fn allowed(mut found: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, NeverAsked> {
    let none = found.is_empty();
    found.retain(|address| !is_never_asked(address.ip()));
    if found.is_empty() && !none { Err(NeverAsked) } else { Ok(found) }
}

/// The addresses of a host, each once.
pub(crate) async fn addresses(host: &str) -> io::Result<Vec<IpAddr>> {
    let mut found: Vec<IpAddr> =
        tokio::net::lookup_host((host, 443)).await?.map(|address| address.ip()).collect();
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_resolves_to_link_local_addresses_is_not_asked() {
        let of = |texts: &[&str]| {
            allowed(texts.iter().map(|text| SocketAddr::new(text.parse().unwrap(), 0)).collect())
        };
        assert_eq!(of(&["169.254.169.254", "fe80::1", "::ffff:169.254.0.1"]), Err(NeverAsked));
        let both = of(&["169.254.169.254", "10.0.0.1"]).unwrap();
        assert_eq!(both, ["10.0.0.1:0".parse().unwrap()]);
        assert_eq!(of(&[]), Ok(Vec::new()));
    }
}
