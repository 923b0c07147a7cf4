//! One request and how it went, as `LOG_LEVEL=debug` logs it: nothing of a header or a body, so no record and no secret.

use std::fmt;
use std::time::Duration;

use crate::plural::plural;

/// A request that was sent.
#[derive(Debug)]
pub(crate) struct Attempt {
    /// Method, path below the base URL and query. The token endpoint has neither: its path is the user's.
    pub request: String,
    /// How often it was sent, this time included.
    pub number: u32,
    /// The status of the response, where there was one.
    pub status: Option<u16>,
    /// How many items the body held, where it could be read.
    pub rows: Option<usize>,
    /// From the start of the request until its body was read.
    pub took: Duration,
    /// Requests per second that may start from now on.
    pub pace: f64,
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { request, number, status, rows, took, pace } = self;
        write!(f, "{request}: ")?;
        match status {
            Some(status) => write!(f, "{status}")?,
            None => f.write_str("no response")?,
        }
        if let Some(rows) = rows {
            write!(f, ", {}", plural(*rows as u64, "row"))?;
        }
        write!(f, " in {:.3} s; attempt {number}; at up to {pace:.1} requests a second", took.as_secs_f64())
    }
}

/// What was read from a body, as something that has rows.
pub(crate) trait Rows {
    /// How many items the body held. None where what it held cannot be believed.
    fn rows(&self) -> Option<usize>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_without_a_response_has_no_status_and_no_rows() {
        let mut attempt = Attempt {
            request: "GET /orders?page=2".to_owned(),
            number: 1,
            status: Some(200),
            rows: Some(200),
            took: Duration::from_millis(123),
            pace: 15.0,
        };
        assert_eq!(
            attempt.to_string(),
            "GET /orders?page=2: 200, 200 rows in 0.123 s; attempt 1; at up to 15.0 requests a second"
        );
        (attempt.status, attempt.rows, attempt.number) = (None, None, 3);
        assert_eq!(
            attempt.to_string(),
            "GET /orders?page=2: no response in 0.123 s; attempt 3; at up to 15.0 requests a second"
        );
    }
}
