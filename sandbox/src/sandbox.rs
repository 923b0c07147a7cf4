//! A running sandbox.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::ops::DerefMut;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::oneshot;

use crate::lists::contests::ExpectedContest;
use crate::lists::products::ExpectedProduct;
use crate::lists::sessions::ExpectedSession;
use crate::lists::stores::ExpectedStore;
use crate::model::{API, Answer, Model, RequestLog, Stats, TOKEN};
use crate::orders::{Expected, ExpectedDetail, ExpectedLine};
use crate::server::{self, Shared, lock};
use crate::settings::{Behaviour, Faults, Limit, Options};
use crate::shop::Filter;
use crate::webhook::Pushed;

/// A running sandbox: a [`Model`] and a server on a thread of its own, which stops when this is dropped.
#[derive(Debug)]
pub struct Sandbox {
    model: Shared,
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Sandbox {
    /// Makes the orders and listens.
    pub fn start(options: Options) -> io::Result<Sandbox> {
        let listener = TcpListener::bind(options.listen)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let push = options.push.clone();
        let model = Arc::new(Mutex::new(Model::new(options)));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let listener = {
            let _inside = runtime.enter();
            tokio::net::TcpListener::from_std(listener)?
        };
        if let Some(push) = push {
            // It ends with the runtime.
            runtime.spawn(server::push(model.clone(), push));
        }
        let (stop, stopped) = oneshot::channel();
        let serve = server::serve(listener, model.clone(), stopped);
        let thread = std::thread::Builder::new()
            .name("aifi-sandbox".to_owned())
            .spawn(move || runtime.block_on(serve))?;
        Ok(Sandbox { model, address, stop: Some(stop), thread: Some(thread) })
    }

    /// The address of the API, without a slash at its end.
    pub fn base_url(&self) -> String {
        format!("http://{}{API}", self.address)
    }

    /// The address that issues tokens.
    pub fn token_url(&self) -> String {
        format!("http://{}{TOKEN}", self.address)
    }

    /// The model. While it is borrowed, no request is answered.
    pub fn model(&self) -> impl DerefMut<Target = Model> + use<'_> {
        lock(&self.model)
    }

    /// What the sandbox's clock shows, which its `Date` header tells.
    pub fn now(&self) -> DateTime<Utc> {
        lock(&self.model).now()
    }

    /// Moves the clock.
    pub fn advance(&self, by: TimeDelta) {
        lock(&self.model).advance(by);
    }

    /// See [`Model::add_orders`].
    pub fn add_orders(&self, count: usize) -> Vec<u64> {
        lock(&self.model).add_orders(count)
    }

    /// See [`Model::add_order_at`].
    pub fn add_order_at(&self, at: DateTime<Utc>) -> u64 {
        lock(&self.model).add_order_at(at)
    }

    /// See [`Model::pay`].
    pub fn pay(&self, id: u64) -> Option<u64> {
        lock(&self.model).pay(id)
    }

    /// See [`Model::contest`].
    pub fn contest(&self, id: u64) -> Option<u64> {
        lock(&self.model).contest(id)
    }

    /// See [`Model::review`].
    pub fn review(&self, id: u64) -> Option<u64> {
        lock(&self.model).review(id)
    }

    /// See [`Model::remove_order`].
    pub fn remove_order(&self, id: u64) -> bool {
        lock(&self.model).remove_order(id)
    }

    /// See [`Model::set_faults`].
    pub fn set_faults(&self, faults: Faults) {
        lock(&self.model).set_faults(faults);
    }

    /// See [`Model::set_behaviour`].
    pub fn set_behaviour(&self, behaviour: Behaviour) {
        lock(&self.model).set_behaviour(behaviour);
    }

    /// See [`Model::set_limit`].
    pub fn set_limit(&self, limit: Limit) {
        lock(&self.model).set_limit(limit);
    }

    /// See [`Model::set_latency`].
    pub fn set_latency(&self, latency: Duration) {
        lock(&self.model).set_latency(latency);
    }

    /// See [`Model::set_forbidden`].
    pub fn set_forbidden(&self, forbidden: Vec<String>) {
        lock(&self.model).set_forbidden(forbidden);
    }

    /// See [`Model::set_vanished`].
    pub fn set_vanished(&self, vanished: Vec<u64>) {
        lock(&self.model).set_vanished(vanished);
    }

    /// See [`Model::set_lagging`].
    pub fn set_lagging(&self, lagging: Vec<u64>) {
        lock(&self.model).set_lagging(lagging);
    }

    /// See [`Model::revoke_tokens`].
    pub fn revoke_tokens(&self) {
        lock(&self.model).revoke_tokens();
    }

    /// See [`Model::pushed`].
    pub fn pushed(&self) -> Pushed {
        lock(&self.model).pushed()
    }

    /// See [`Model::stats`].
    pub fn stats(&self) -> Stats {
        lock(&self.model).stats()
    }

    /// See [`Model::reset_stats`].
    pub fn reset_stats(&self) {
        lock(&self.model).reset_stats();
    }

    /// See [`Model::requests`].
    pub fn requests(&self) -> Vec<RequestLog> {
        lock(&self.model).requests()
    }

    /// See [`Model::expected`].
    pub fn expected(&self, filter: &Filter) -> Vec<Expected> {
        lock(&self.model).expected(filter)
    }

    /// See [`Model::expected_lines`].
    pub fn expected_lines(&self, filter: &Filter) -> Vec<ExpectedLine> {
        lock(&self.model).expected_lines(filter)
    }

    /// See [`Model::expected_versions`].
    pub fn expected_versions(&self, filter: &Filter) -> Vec<Expected> {
        lock(&self.model).expected_versions(filter)
    }

    /// See [`Model::expected_details`].
    pub fn expected_details(&self, filter: &Filter) -> Vec<ExpectedDetail> {
        lock(&self.model).expected_details(filter)
    }

    /// See [`Model::expected_contests`].
    pub fn expected_contests(&self) -> Vec<ExpectedContest> {
        lock(&self.model).expected_contests()
    }

    /// See [`Model::expected_stores`].
    pub fn expected_stores(&self) -> Vec<ExpectedStore> {
        lock(&self.model).expected_stores()
    }

    /// See [`Model::expected_sessions`].
    pub fn expected_sessions(&self) -> Vec<ExpectedSession> {
        lock(&self.model).expected_sessions()
    }

    /// See [`Model::expected_products`].
    pub fn expected_products(&self) -> Vec<ExpectedProduct> {
        lock(&self.model).expected_products()
    }

    /// See [`Model::answer`].
    pub fn answer(&self, path_and_query: &str, bearer: Option<&str>) -> Answer {
        lock(&self.model).answer(path_and_query, bearer)
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
