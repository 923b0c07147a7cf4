//! The least that a program can do with the same orders: ask for page after page by number, and print each order's
//! own JSON. No checks, no pace, no second try. What the connector costs beyond this is the price of its promises.

use std::io::{BufWriter, Write};
use std::sync::Arc;

use anyhow::Result;
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use serde::Deserialize;
use serde_json::value::RawValue;

/// An answer of the API; each order stays the text that it is.
#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    data: Vec<&'a RawValue>,
}

/// Prints the orders of so many pages.
pub(crate) fn run(base_url: &str, pages: usize) -> Result<()> {
    // Loopback needs no TLS, but the client wants to know whom it would trust: nobody.
    let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let client = reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy().build()?;
    let mut out = BufWriter::with_capacity(256 * 1024, std::io::stdout().lock());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        for page in 0..pages {
            let url = format!(
                "{base_url}/orders?orderBy=draftCreatedAt&direction=asc&pageSize=200&includeProducts=true&page={page}"
            );
            let request = client.get(url).bearer_auth(crate::runs::TOKEN);
            let body = request.send().await?.error_for_status()?.bytes().await?;
            let page: Page<'_> = serde_json::from_slice(&body)?;
            for order in page.data {
                out.write_all(order.get().as_bytes())?;
                out.write_all(b"\n")?;
            }
        }
        out.flush()?;
        Ok(())
    })
}
