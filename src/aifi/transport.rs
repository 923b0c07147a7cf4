//! The seam below HTTP: a request leaves, its response comes back.
//!
//! Above the seam is all that is decided of a request: when it starts, whether it is repeated, what its status, its headers and
//! its body mean, what an error means. Below it are connections, TLS, proxies and the time limits of each.

use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use reqwest::{Client, Error, Request, Response, Url, redirect};

use super::{dns, tls};
use crate::cli;
use crate::config::{Config, Credentials};
use crate::failure::{Failure, FailureKind};

/// For name look-up, connection and TLS.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// For the next bytes of a response. A page of 200 orders is made in seconds, if at all.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// Carries requests to a server.
pub trait Transport: fmt::Debug {
    /// Sends a request and brings back the head of its response. The body follows behind it.
    ///
    /// # Errors
    ///
    /// There is no response, or none within the request's own time limit. An error of the body is the body's.
    fn execute(&self, request: Request) -> LocalBoxFuture<'_, Result<Response, Error>>;
}

/// The network.
impl Transport for Client {
    fn execute(&self, request: Request) -> LocalBoxFuture<'_, Result<Response, Error>> {
        Client::execute(self, request).boxed_local()
    }
}

/// Where the servers are that a sync reads from.
#[derive(Clone, Debug)]
pub enum Servers {
    /// On the network: what the program asks.
    OnNetwork,
    /// In this process: a model of the servers, for simulations in virtual time. It is asked by the addresses of the
    /// configuration.
    InProcess(Rc<dyn Transport>),
}

impl Servers {
    /// What carries requests to `base_url`, and to the token endpoint of `credentials`.
    pub(super) fn transport(
        &self,
        base_url: &Url,
        credentials: &Credentials,
        config: &Config,
    ) -> Result<Rc<dyn Transport>, Failure> {
        match self {
            Self::OnNetwork => Ok(Rc::new(client(base_url, credentials, config)?)),
            Self::InProcess(transport) => Ok(transport.clone()),
        }
    }
}

fn client(base_url: &Url, credentials: &Credentials, config: &Config) -> Result<Client, Failure> {
    let mut builder = Client::builder()
        .tls_backend_preconfigured(tls::configuration(&config.ca_certificates)?)
        .user_agent(concat!("source-aifi/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .dns_resolver(dns::Resolver)
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(IDLE_TIMEOUT);
    // A proxy for the machine's own addresses can only be meant for others.
    if matches!(base_url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]")) {
        builder = builder.no_proxy();
    } else {
        let token_url = match credentials {
            Credentials::Client(client) => client.token_url.scheme(),
            Credentials::AccessToken(_) => base_url.scheme(),
        };
        // The client would ignore a proxy that it cannot read, and go past it.
        for scheme in [base_url.scheme(), token_url] {
            cli::proxy(scheme)?;
        }
    }
    builder.build().map_err(|error| {
        Failure::new(FailureKind::Internal, "The HTTP client could not be set up.").because(error)
    })
}
