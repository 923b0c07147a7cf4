//! The sandbox as a program.

use std::collections::VecDeque;
use std::error::Error;
use std::io::{self, ErrorKind, Write, stderr, stdout};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

use aifi_sandbox::{
    Auth, Behaviour, Fault, Faults, Limit, Options, Push, RetryAfter, Sandbox, Trouble, resources,
};
use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use clap::builder::PossibleValuesParser;
use clap::{Parser, ValueEnum};

/// An AiFi Admin API on loopback, for tests without an account.
///
/// Serves lists below /api/admin/v2, from generated orders: /orders, and the others that `--forbid` names, each paged in
/// its own way; below /orders and /contests, single ones by order. What AiFi's documentation leaves open is a switch.
/// Prints its address in one line when it listens, and runs until it is terminated.
#[derive(Debug, Parser)]
#[command(version, after_help = CONTROL)]
struct Flags {
    /// Number of orders at the start
    #[arg(long, default_value_t = 1_000)]
    orders: usize,
    /// Seed of the orders and the faults; the same seed and dates give the same orders
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Draft of the first order [default: midnight 30 days before --now]
    #[arg(long, value_name = "DATE")]
    first: Option<DateTime<Utc>>,
    /// What the sandbox's clock shows at the start [default: the real time]
    #[arg(long, value_name = "DATE")]
    now: Option<DateTime<Utc>>,
    /// The sandbox's clock stands still
    #[arg(long)]
    frozen: bool,
    /// Number of stores
    #[arg(long, default_value_t = 5)]
    stores: u32,
    /// Make a group of so many orders with one draftCreatedAt (repeat for more groups)
    #[arg(long = "tie", value_name = "ORDERS", default_values_t = [3])]
    tie_groups: Vec<usize>,
    /// How many of a hundred orders have a second version
    #[arg(long, value_name = "PERCENT", default_value_t = 3)]
    contested_percent: u8,
    /// Orders have no product lines
    #[arg(long)]
    no_products: bool,
    /// Address to listen on; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Port to listen on, in place of that of --listen
    #[arg(long)]
    port: Option<u16>,
    /// The bearer token that is let in
    #[arg(long, default_value = "sandbox-token-0123456789")]
    token: String,
    /// Answer the token with 403
    #[arg(long, conflicts_with = "client_id")]
    forbidden: bool,
    /// Answer a resource with 403 while all else works (repeat for more); order and contest are the details of one
    #[arg(long, value_name = "RESOURCE", value_parser = PossibleValuesParser::new(resources()))]
    forbid: Vec<String>,
    /// Let in tokens issued to this client, not --token
    #[arg(long, requires = "client_secret")]
    client_id: Option<String>,
    /// Secret of the client
    #[arg(long, requires = "client_id")]
    client_secret: Option<String>,
    /// Life of an issued token
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    token_life: u64,
    /// Scope that a request for a token must name
    #[arg(long)]
    scope: Option<String>,
    /// How long each answer takes
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 0)]
    latency_ms: u64,
    /// Requests accepted per second; more are answered with 503 [default: no limit]
    #[arg(long, value_name = "REQUESTS")]
    limit: Option<u32>,
    /// How the limit measures
    #[arg(long, value_enum, default_value_t)]
    limit_style: LimitStyle,
    /// With `--limit-style even`: how many requests may come before they are due
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    burst: u32,
    /// Retry-After of refusals: a number of seconds, or `date` [default: none]
    #[arg(long, value_name = "SECONDS|date", value_parser = retry_after)]
    retry_after: Option<RetryAfter>,
    /// Share of requests that meets a fault, such as `cut=0.2` or `slow:500=0.1` with milliseconds (repeat for
    /// more). Faults: unavailable_503, too_many_429, error_500, bad_gateway_502_html, cut, html_200,
    /// cut_json_200, reset, hang, empty, short, no_envelope, null_data, unsorted, out_of_range, expired_401,
    /// redirect_302, bad_gzip, huge, drop_middle, slow
    #[arg(long = "fault", value_name = "NAME=SHARE", value_parser = fault_rate)]
    faults: Vec<(Fault, f64)>,
    /// Orders made per minute while it runs; they are paid later, and some contested
    #[arg(long, value_name = "ORDERS", default_value_t = 0)]
    live_rate: u32,
    /// Do not compress answers
    #[arg(long)]
    no_gzip: bool,
    /// Call this webhook, on loopback, as orders are drafted, completed and reviewed while it runs
    #[arg(long, value_name = "URL", value_parser = Push::to)]
    push: Option<Push>,
    /// Bearer token of these calls
    #[arg(long, value_name = "TOKEN", requires = "push")]
    push_token: Option<String>,
    /// Share of events whose first call meets a trouble, such as `cut=0.2` or `slow:500=0.1` with milliseconds
    /// (repeat for more). Troubles: repeat (called twice), reissue (again with another timeOfIssue), late (others
    /// overtake it), slow (the body is), cut (in the middle of the body), gone (before the answer)
    #[arg(long = "push-fault", value_name = "NAME=SHARE", value_parser = trouble_rate, requires = "push")]
    push_faults: Vec<(Trouble, f64)>,
    /// How often a call is repeated that was not answered 2xx
    #[arg(long, value_name = "COUNT", default_value_t = 0, requires = "push")]
    push_retries: u32,
    #[command(flatten, next_help_heading = "What the documentation leaves open")]
    behaviour: Behaviour,
}

const CONTROL: &str = "\
While it runs it can be steered (no token needed):
  GET  /_sandbox/stats                  counts of requests and faults, pages of each resource
  GET  /_sandbox/expected               the current orders, for comparison; narrowed by
                                        ?from=&until=&store_ids=&statuses=&customer_roles=
  GET  /_sandbox/expected/lines         the lines of these orders as the list shows them, narrowed in the same way
  GET  /_sandbox/expected/versions      all versions that the list shows, narrowed in the same way
  GET  /_sandbox/expected/details       these orders with all their line items, removed ones too, narrowed as well
  GET  /_sandbox/expected/contests      all contests; so for each other list, by its name
  GET  /_sandbox/pushed                 with --push: each call and its answer, and how many events wait
  POST /_sandbox/advance?seconds=60     move the clock
  POST /_sandbox/orders?count=10        add orders
  POST /_sandbox/pay?id=                the life of an order: pay, contest, review, remove
  POST /_sandbox/reset                  set the counts to 0";

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum LimitStyle {
    /// At most so many in any second
    #[default]
    Sliding,
    /// Evenly spaced
    Even,
}

fn retry_after(text: &str) -> Result<RetryAfter, String> {
    match text {
        "date" => Ok(RetryAfter::Date),
        seconds => seconds.parse().map(RetryAfter::Seconds).map_err(|error| error.to_string()),
    }
}

fn fault_rate(text: &str) -> Result<(Fault, f64), String> {
    rate(text)
}

fn trouble_rate(text: &str) -> Result<(Trouble, f64), String> {
    rate(text)
}

fn rate<T: FromStr<Err = String>>(text: &str) -> Result<(T, f64), String> {
    let (name, share) = text.split_once('=').ok_or("write NAME=SHARE")?;
    let share = share.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    Ok((name.parse()?, share.ok_or("the share is a number from 0 to 1")?))
}

impl Flags {
    fn options(self) -> Options {
        let now = self.now.unwrap_or_else(Utc::now);
        let month = now - TimeDelta::days(30);
        let midnight = month.duration_trunc(TimeDelta::days(1)).unwrap_or(month);
        let mut listen = self.listen;
        if let Some(port) = self.port {
            listen.set_port(port);
        }
        let auth = match (self.client_id, self.client_secret) {
            (Some(id), Some(secret)) => Auth::Client {
                id,
                secret,
                token_life: Duration::from_secs(self.token_life),
                scope: self.scope,
            },
            _ if self.forbidden => Auth::Forbidden(self.token),
            _ => Auth::Token(self.token),
        };
        Options {
            seed: self.seed,
            orders: self.orders,
            first: self.first.unwrap_or(midnight),
            now,
            frozen: self.frozen,
            ties: self.tie_groups,
            stores: self.stores,
            products: !self.no_products,
            contested_percent: self.contested_percent,
            behaviour: self.behaviour,
            faults: Faults { rates: self.faults, seed: self.seed, ..Faults::default() },
            limit: match (self.limit, self.limit_style) {
                (None, _) => Limit::None,
                (Some(rate), LimitStyle::Sliding) => Limit::SlidingSecond(rate),
                (Some(rate), LimitStyle::Even) => Limit::Even { rate, burst: self.burst },
            },
            retry_after: self.retry_after,
            latency: Duration::from_millis(self.latency_ms),
            auth,
            forbidden: self.forbid,
            vanished: Vec::new(),
            lagging: Vec::new(),
            gzip: !self.no_gzip,
            listen,
            push: self.push.map(|push| Push {
                token: self.push_token,
                troubles: self.push_faults,
                retries: self.push_retries,
                ..push
            }),
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let flags = Flags::parse();
    let live_rate = flags.live_rate;
    let options = flags.options();
    let hint = match &options.auth {
        Auth::Token(token) | Auth::Forbidden(token) => format!("token: {token}"),
        Auth::Client { id, .. } => format!("client: {id}"),
    };
    let listen = options.listen;
    let sandbox = match Sandbox::start(options) {
        Ok(sandbox) => sandbox,
        Err(error) => {
            writeln!(stderr(), "{}", not_started(listen, &error))?;
            return Ok(ExitCode::FAILURE);
        }
    };
    let hint = if hint.starts_with("client") { format!("{hint}, {}", sandbox.token_url()) } else { hint };
    writeln!(stdout(), "listening on {} ({hint})", sandbox.base_url())?;
    tokio::select! {
        () = live(&sandbox, live_rate) => {}
        stopped = stopped() => stopped?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Why it does not listen, and what to do.
fn not_started(listen: SocketAddr, error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::AddrInUse => format!(
            "{listen} is in use by another program: choose another port with --port, and put it into base_url"
        ),
        _ => format!("{listen} cannot be listened on: {error}"),
    }
}

/// Makes orders for ever: each is paid when three more have come, and every twentieth is contested later. A contest is
/// reviewed when the next one comes.
async fn live(sandbox: &Sandbox, per_minute: u32) {
    let Some(pause) = Duration::from_secs(60).checked_div(per_minute) else {
        return std::future::pending().await;
    };
    let mut ticks = tokio::time::interval(pause.max(Duration::from_millis(1)));
    let (mut drafts, mut paid, mut contested, mut count) = (VecDeque::new(), VecDeque::new(), None, 0_u64);
    loop {
        ticks.tick().await;
        count += 1;
        drafts.push_back(sandbox.add_order_at(sandbox.now()));
        if drafts.len() > 3 {
            paid.extend(drafts.pop_front().and_then(|id| sandbox.pay(id)));
        }
        if paid.len() > 20
            && let Some(id) = paid.pop_front()
            && count.is_multiple_of(20)
        {
            contested.and_then(|id| sandbox.review(id));
            contested = sandbox.contest(id);
        }
    }
}

#[cfg(unix)]
async fn stopped() -> io::Result<()> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        _ = terminate.recv() => Ok(()),
    }
}

#[cfg(not(unix))]
async fn stopped() -> io::Result<()> {
    tokio::signal::ctrl_c().await
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_flags_are_consistent_and_name_every_fault() {
        let mut command = Flags::command();
        command.clone().debug_assert();
        let help = command.render_long_help().to_string().replace('\n', " ");
        for fault in Fault::every() {
            assert!(help.contains(fault.name()), "{}", fault.name());
        }
        let (_, troubles) = help.split_once("Troubles:").unwrap();
        for trouble in Trouble::every() {
            assert!(troubles.contains(&format!(" {} (", trouble.name())), "{}", trouble.name());
        }
        assert!(resources().iter().all(|resource| help.contains(resource)));
    }

    #[test]
    fn flags_become_options() {
        let flags = Flags::parse_from([
            "aifi-sandbox",
            "--now=2025-12-01T10:00:00Z",
            "--fault=cut=0.2",
            "--fault=slow:50=0.1",
            "--limit=20",
            "--limit-style=even",
            "--bounds=exclusive",
            "--version-ids=new",
            "--page-cap=100",
            "--port=0",
            "--retry-after=date",
            "--forbid=contests",
            "--forbid=order",
            "--push=http://127.0.0.1:9/checkout",
            "--push-token=secret",
            "--push-fault=cut=0.2",
            "--push-retries=5",
        ]);
        let options = flags.options();
        assert_eq!(options.first.to_rfc3339(), "2025-11-01T00:00:00+00:00");
        let slow = Fault::Slow(Duration::from_millis(50));
        assert_eq!(options.faults.rates, [(Fault::Cut, 0.2), (slow, 0.1)]);
        assert_eq!(options.limit, Limit::Even { rate: 20, burst: 0 });
        assert_eq!(options.behaviour.page_cap, Some(100));
        assert_eq!(options.behaviour.bounds, aifi_sandbox::Bounds::Exclusive);
        assert_eq!(options.retry_after, Some(RetryAfter::Date));
        assert_eq!(options.forbidden, ["contests", "order"]);
        let push = options.push.unwrap();
        assert_eq!((push.troubles.as_slice(), push.retries), ([(Trouble::Cut, 0.2)].as_slice(), 5));
        assert_eq!(push.token.as_deref(), Some("secret"));
        assert!(Flags::try_parse_from(["aifi-sandbox", "--fault=cut=2"]).is_err());
        assert!(Flags::try_parse_from(["aifi-sandbox", "--forbid=customers"]).is_err());
        assert!(Flags::try_parse_from(["aifi-sandbox", "--push=http://192.0.2.1/"]).is_err());
        assert!(Flags::try_parse_from(["aifi-sandbox", "--push-token=secret"]).is_err());
    }
}
