//! What can go wrong with an answer, and when.

use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

/// One way in which a request goes wrong. Of the detail of an order, and of a contest, the rows are its lines.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    /// 503 with an empty body.
    Unavailable503,
    /// 429 with an empty body.
    TooMany429,
    /// 500 with a JSON body.
    Error500,
    /// 502 with the HTML page of a proxy.
    BadGateway502Html,
    /// The `Content-Length` of the whole answer, but the connection is closed after half of the body.
    Cut,
    /// A login page with status 200.
    Html200,
    /// A complete HTTP answer whose JSON stops half-way.
    CutJson200,
    /// The connection is closed before any answer.
    Reset,
    /// Nothing is answered for so long, then the connection is closed.
    Hang(Duration),
    /// A well-formed answer without rows.
    Empty,
    /// Only the first rows of the page, at least one (a page of one row stays whole).
    Short,
    /// `{"message":"ok"}` with status 200.
    NoEnvelope,
    /// `{"data":null}` with status 200, or null under the name that the rows have.
    NullData,
    /// The rows of the page in random order.
    Unsorted,
    /// The dates asked for are ignored.
    OutOfRange,
    /// 401, as after the end of a token's life.
    Expired401,
    /// 302 to a login page on another host.
    Redirect302,
    /// `Content-Encoding: gzip` and garbage.
    BadGzip,
    /// A body without end, sent in chunks (up to 200 MiB).
    Huge,
    /// One row out of the middle of the page is missing, which no client can notice.
    DropMiddle,
    /// The right answer, but so much later.
    Slow(Duration),
}

const EVERY: [Fault; 21] = [
    Fault::Unavailable503,
    Fault::TooMany429,
    Fault::Error500,
    Fault::BadGateway502Html,
    Fault::Cut,
    Fault::Html200,
    Fault::CutJson200,
    Fault::Reset,
    Fault::Hang(Duration::from_secs(120)),
    Fault::Empty,
    Fault::Short,
    Fault::NoEnvelope,
    Fault::NullData,
    Fault::Unsorted,
    Fault::OutOfRange,
    Fault::Expired401,
    Fault::Redirect302,
    Fault::BadGzip,
    Fault::Huge,
    Fault::DropMiddle,
    Fault::Slow(Duration::from_secs(1)),
];

impl Fault {
    /// Every fault once; [`Fault::Hang`] for two minutes, [`Fault::Slow`] by a second.
    pub fn every() -> &'static [Fault] {
        &EVERY
    }

    /// The stable name, as in [`Stats`](crate::Stats) and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Fault::Unavailable503 => "unavailable_503",
            Fault::TooMany429 => "too_many_429",
            Fault::Error500 => "error_500",
            Fault::BadGateway502Html => "bad_gateway_502_html",
            Fault::Cut => "cut",
            Fault::Html200 => "html_200",
            Fault::CutJson200 => "cut_json_200",
            Fault::Reset => "reset",
            Fault::Hang(_) => "hang",
            Fault::Empty => "empty",
            Fault::Short => "short",
            Fault::NoEnvelope => "no_envelope",
            Fault::NullData => "null_data",
            Fault::Unsorted => "unsorted",
            Fault::OutOfRange => "out_of_range",
            Fault::Expired401 => "expired_401",
            Fault::Redirect302 => "redirect_302",
            Fault::BadGzip => "bad_gzip",
            Fault::Huge => "huge",
            Fault::DropMiddle => "drop_middle",
            Fault::Slow(_) => "slow",
        }
    }
}

impl FromStr for Fault {
    type Err = String;

    /// Reads a name; `hang` and `slow` may carry milliseconds: `slow:500`.
    fn from_str(text: &str) -> Result<Fault, String> {
        let (name, millis) = match text.split_once(':') {
            None => (text, None),
            Some((name, millis)) => {
                let millis =
                    millis.parse().map_err(|_| format!("`{millis}` is not a number of milliseconds"))?;
                (name, Some(Duration::from_millis(millis)))
            }
        };
        let fault = EVERY
            .into_iter()
            .find(|fault| fault.name() == name)
            .ok_or_else(|| format!("no fault `{name}`; there are {}", EVERY.map(Fault::name).join(", ")))?;
        match (fault, millis) {
            (fault, None) => Ok(fault),
            (Fault::Hang(_), Some(time)) => Ok(Fault::Hang(time)),
            (Fault::Slow(_), Some(time)) => Ok(Fault::Slow(time)),
            _ => Err(format!("`{name}` takes no time")),
        }
    }
}

/// Which requests to the API's resources go wrong, and how.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Faults {
    /// The share of requests that meets each fault, drawn per request. The shares add up to 1 at most.
    pub rates: Vec<(Fault, f64)>,
    /// Faults of the requests with these numbers, counted from 1 since the faults were set. The first entry
    /// that fits wins, and wins over `rates`.
    pub script: Vec<(RangeInclusive<u64>, Fault)>,
    /// Seed of the draws.
    pub seed: u64,
}

impl Faults {
    /// One fault for the requests with these numbers.
    pub fn at(requests: RangeInclusive<u64>, fault: Fault) -> Faults {
        Faults { script: vec![(requests, fault)], ..Faults::default() }
    }

    /// One fault for a share of all requests.
    pub fn rate(fault: Fault, share: f64, seed: u64) -> Faults {
        Faults { rates: vec![(fault, share)], seed, ..Faults::default() }
    }
}

/// Draws the fault of each request.
#[derive(Clone, Debug)]
pub(crate) struct Injector {
    faults: Faults,
    draws: fastrand::Rng,
    requests: u64,
}

impl Injector {
    pub(crate) fn new(faults: Faults) -> Injector {
        let draws = fastrand::Rng::with_seed(faults.seed);
        Injector { faults, draws, requests: 0 }
    }

    /// The fault of the next request.
    pub(crate) fn next(&mut self) -> Option<Fault> {
        self.requests += 1;
        let mut draw = self.draws.f64();
        if let Some((_, fault)) = self.faults.script.iter().find(|(range, _)| range.contains(&self.requests))
        {
            return Some(*fault);
        }
        for (fault, share) in &self.faults.rates {
            if draw < *share {
                return Some(*fault);
            }
            draw -= share;
        }
        None
    }

    /// For faults that need a random number of their own.
    pub(crate) fn draws(&mut self) -> &mut fastrand::Rng {
        &mut self.draws
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_read_back() {
        for fault in Fault::every() {
            assert_eq!(fault.name().parse(), Ok(*fault));
        }
        assert_eq!("slow:250".parse(), Ok(Fault::Slow(Duration::from_millis(250))));
        assert!("cut:250".parse::<Fault>().is_err());
        assert!("bend".parse::<Fault>().is_err());
    }

    #[test]
    fn a_script_counts_from_one() {
        let mut injector = Injector::new(Faults::at(2..=3, Fault::Cut));
        let drawn: Vec<_> = (0..4).map(|_| injector.next()).collect();
        assert_eq!(drawn, [None, Some(Fault::Cut), Some(Fault::Cut), None]);
    }

    #[test]
    fn rates_are_kept_and_repeat_with_the_seed() {
        let faults =
            Faults { rates: vec![(Fault::Cut, 0.2), (Fault::Reset, 0.1)], seed: 7, ..Faults::default() };
        let draw = || {
            let mut injector = Injector::new(faults.clone());
            (0..10_000).map(|_| injector.next()).collect::<Vec<_>>()
        };
        let drawn = draw();
        assert_eq!(drawn, draw());
        let count = |fault| drawn.iter().filter(|drawn| **drawn == Some(fault)).count();
        assert!((1_850..2_150).contains(&count(Fault::Cut)), "{}", count(Fault::Cut));
        assert!((900..1_100).contains(&count(Fault::Reset)), "{}", count(Fault::Reset));
    }
}
