//! An answer of the API before it goes over a wire.

use std::time::Duration;

/// What a request is answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status; 0 when the connection is closed without an answer.
    pub status: u16,
    /// The headers, without those that only the transport knows (`Content-Length`, `Content-Encoding`).
    pub headers: Vec<(String, String)>,
    /// The body, not compressed.
    pub body: Vec<u8>,
    /// What the transport does with it.
    pub delivery: Delivery,
    /// How long the answer takes.
    pub delay: Duration,
}

/// What the transport does with an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Delivery {
    /// Sends it.
    #[default]
    Whole,
    /// Closes the connection after half of the body.
    Cut,
    /// Closes the connection before the answer.
    Reset,
    /// Keeps silent for so long, then closes the connection.
    Hang(Duration),
    /// Sends a body without end in place of the answer's.
    Endless,
}

impl Answer {
    pub(crate) fn new(status: u16) -> Answer {
        Answer {
            status,
            headers: Vec::new(),
            body: Vec::new(),
            delivery: Delivery::Whole,
            delay: Duration::ZERO,
        }
    }

    pub(crate) fn json(status: u16, body: impl Into<Vec<u8>>) -> Answer {
        Answer { body: body.into(), ..Answer::new(status) }
            .header("content-type", "application/json; charset=utf-8")
    }

    pub(crate) fn html(status: u16, body: &str) -> Answer {
        Answer { body: body.into(), ..Answer::new(status) }.header("content-type", "text/html; charset=utf-8")
    }

    pub(crate) fn header(mut self, name: &str, value: impl Into<String>) -> Answer {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub(crate) fn delivery(self, delivery: Delivery) -> Answer {
        let status = if matches!(delivery, Delivery::Reset | Delivery::Hang(_)) { 0 } else { self.status };
        Answer { status, delivery, ..self }
    }
}
