//! The checkout webhook, from AiFi's side: what waits to be sent, and how each call was answered.

use std::collections::VecDeque;
use std::sync::Arc;

use serde::Serialize;
use tokio::sync::Notify;

use crate::webhook::Event;

/// How many calls are remembered.
const REMEMBERED: usize = 200_000;

/// One call of the webhook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Call {
    /// The order.
    pub order_id: u64,
    /// `draft`, `completed` or `reviewed`.
    pub status: &'static str,
    /// When the event arose; with the order and the status it names the event.
    pub time_of_origin: String,
    /// When it was sent, as the body says.
    pub time_of_issue: String,
    /// 1, and one more for each call that repeats one which was not answered 2xx.
    pub attempt: u32,
    /// The name of the trouble that it met.
    pub trouble: Option<&'static str>,
    /// The status of the answer; `None` when there was none.
    pub answer: Option<u16>,
}

/// All calls so far, in the order in which they ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Pushed {
    /// Events that wait for a call, or for its answer. Once it is 0 nothing comes any more by itself.
    pub waiting: usize,
    /// The calls.
    pub calls: Vec<Call>,
}

/// What waits, and what has become of the rest.
#[derive(Clone, Debug, Default)]
pub(crate) struct Queue {
    events: VecDeque<Event>,
    under_way: usize,
    calls: VecDeque<Call>,
    /// Wakes whoever makes the calls.
    pub(crate) more: Arc<Notify>,
}

impl Queue {
    pub(crate) fn add(&mut self, event: Event) {
        self.events.push_back(event);
        self.more.notify_one();
    }

    /// The next event. It counts as waiting until it has ended.
    pub(crate) fn next(&mut self) -> Option<Event> {
        let event = self.events.pop_front()?;
        self.under_way += 1;
        Some(event)
    }

    /// Remembers a call.
    pub(crate) fn called(&mut self, call: Call) {
        if self.calls.len() == REMEMBERED {
            self.calls.pop_front();
        }
        self.calls.push_back(call);
    }

    /// No further call is made for an event.
    pub(crate) fn ended(&mut self) {
        self.under_way -= 1;
    }

    pub(crate) fn pushed(&self) -> Pushed {
        Pushed { waiting: self.events.len() + self.under_way, calls: self.calls.iter().cloned().collect() }
    }
}
