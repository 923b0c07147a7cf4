//! The line to the API, for a diagnosis: what its name resolves to. The requests themselves use the client's own look-up.

use std::io;
use std::net::IpAddr;

/// The addresses of a host, each once.
pub async fn addresses(host: &str) -> io::Result<Vec<IpAddr>> {
    let mut found: Vec<IpAddr> =
        tokio::net::lookup_host((host, 443)).await?.map(|address| address.ip()).collect();
    found.sort_unstable();
    found.dedup();
    Ok(found)
}
