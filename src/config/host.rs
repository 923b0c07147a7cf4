//! Which hosts may be asked, and which of them without encryption.

use std::net::{IpAddr, Ipv6Addr};

use reqwest::Url;

/// The address that a host is written as, if it is one. [`Url`] has made octets of all its spellings.
fn address(url: &Url) -> Option<IpAddr> {
    url.host_str()?.trim_matches(['[', ']']).parse().ok()
}

/// Whether traffic to it stays at home.
pub(super) fn is_at_home(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    match address(url).map(|ip| ip.to_canonical()) {
        Some(IpAddr::V4(ip)) => ip.is_loopback() || ip.is_private(),
        Some(IpAddr::V6(ip)) => ip.is_loopback() || ip.is_unique_local(),
        None => host == "localhost" || host.ends_with(".localhost") || host == "host.docker.internal",
    }
}

/// Whether traffic to it stays at home, where a name counts, too, that no public name server knows: one without a dot, as
/// between containers, and those of a cluster.
pub(super) fn is_inside(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let is_name = address(url).is_none() && !host.is_empty();
    let is_private =
        !host.contains('.') || [".svc", ".local", ".internal"].iter().any(|end| host.ends_with(end));
    is_at_home(url) || is_name && is_private
}

/// Whether it is written as an address that is never the API's.
pub(super) fn is_out_of_bounds(url: &Url) -> bool {
    address(url).is_some_and(is_never_asked)
}

/// Link-local addresses, behind which clouds keep the credentials of a machine, and those that are nobody's.
pub(crate) fn is_never_asked(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.is_link_local() || ip.is_unspecified() || ip.is_multicast() || ip.is_broadcast(),
        IpAddr::V6(ip) => {
            // Translators pass these on to the IPv4 address at their end.
            let [.., high, low] = ip.segments();
            let inner = Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, high, low);
            let translated = ip.segments().starts_with(&[0x64, 0xff9b, 0, 0, 0, 0]);
            let compatible = ip.segments().starts_with(&[0, 0, 0, 0, 0, 0]) && high != 0;
            ip.is_unicast_link_local()
                || ip.is_unspecified()
                || ip.is_multicast()
                || ((translated || compatible) && is_never_asked(inner.into()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn link_local_addresses_are_out_of_bounds_in_every_spelling() {
        for host in [
            "169.254.169.254",
            "2852039166",
            "0xA9FEA9FE",
            "0251.0376.0251.0376",
            "169.254.43518",
            "[fe80::1]",
            "[::ffff:169.254.169.254]",
            "[::ffff:a9fe:a9fe]",
            "[64:ff9b::a9fe:a9fe]",
            "[::a9fe:a9fe]",
            "0.0.0.0",
            "0",
            "[::]",
            "224.0.0.1",
            "[ff02::1]",
            "255.255.255.255",
        ] {
            let url = Url::parse(&format!("https://{host}/x")).unwrap();
            assert!(is_out_of_bounds(&url), "{host}");
            assert!(!is_at_home(&url), "{host}");
        }
        for host in ["127.0.0.1", "[::1]", "10.0.0.1", "[fd00::1]", "8.8.8.8", "api.aifi.com", "localhost"] {
            assert!(!is_out_of_bounds(&Url::parse(&format!("https://{host}/x")).unwrap()), "{host}");
        }
    }
}
