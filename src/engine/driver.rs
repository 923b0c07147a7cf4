//! Runs all families at the same time: one request after the other starts, at the API's pace, and each family has its turn.
//!
//! Families that ask another server run beside them, at a pace of their own: see [`Line`]. What ends the families of one line,
//! such as a server that is down, does not end those of another.

use std::future::poll_fn;
use std::task::{Context, Poll};

use chrono::{DateTime, Utc};
use futures_util::future::{LocalBoxFuture, select_all};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use tokio::sync::mpsc::UnboundedReceiver;

use super::{Call, Doors, Family, Use};
use crate::aifi::http::{ApiRequest, Event, Http, Turn};
use crate::failure::{Failure, FailureKind};
use crate::heartbeat::Heartbeat;
use crate::protocol::message::Level;
use crate::terminal::Progress;

/// A family that catches up is passed over this often in a row, at most: three of four turns are for the others, if they need
/// them.
const PASSED_OVER: u32 = 3;

/// The response to a call: the server's clock, or why there is none.
type Arrival = (u64, Result<Option<DateTime<Utc>>, Failure>);

/// A server that is asked, at its own pace, and what is asked of it.
pub(crate) struct Line<'a, 'd> {
    /// Asks it.
    pub http: &'a Http,
    /// What happens meanwhile.
    pub events: &'d mut UnboundedReceiver<Event>,
    /// What is read from it.
    pub families: Vec<Box<dyn Family + 'a>>,
}

/// A family, and what it has under way.
struct Seat<'a> {
    /// The number of its line.
    line: usize,
    http: &'a Http,
    family: Box<dyn Family + 'a>,
    asked: FuturesUnordered<LocalBoxFuture<'a, Arrival>>,
    /// It had nothing to ask, and nothing has come since.
    idle: bool,
    heartbeat: Heartbeat,
}

impl<'a> Seat<'a> {
    fn new(line: usize, http: &'a Http, family: Box<dyn Family + 'a>) -> Self {
        let (asked, heartbeat) = (FuturesUnordered::new(), Heartbeat::default());
        Self { line, http, family, asked, idle: false, heartbeat }
    }
}

/// Everything that a sync is run with.
pub(crate) struct Driver<'a, 'd> {
    lines: Vec<(&'a Http, &'d mut UnboundedReceiver<Event>)>,
    doors: Doors<'d>,
    seats: Vec<Seat<'a>>,
    /// The seat that is asked first, so that each has its turn.
    first: usize,
    /// How often in a row a seat asked whose family does not catch up.
    passed_over: u32,
    progress: Progress,
    /// Records of families that have ended.
    records: u64,
}

impl<'a: 'd, 'd> Driver<'a, 'd> {
    /// Of the families of these lines.
    pub(crate) fn new(lines: Vec<Line<'a, 'd>>, doors: Doors<'d>) -> Self {
        let mut seats = Vec::new();
        let lines = lines.into_iter().enumerate().map(|(number, Line { http, events, families })| {
            seats.extend(families.into_iter().map(|family| Seat::new(number, http, family)));
            (http, events)
        });
        let lines = lines.collect();
        let progress = Progress::new("sync");
        Self { lines, doors, seats, first: 0, passed_over: 0, progress, records: 0 }
    }

    /// Reads everything that is due. A family that fails does not stop the others, unless they would fail, too, as those of the
    /// same line may. A failure that all lines share comes back.
    pub(crate) async fn run(mut self) -> Result<(), Failure> {
        let over = self.drive().await;
        self.progress.finish();
        if let Err(failure) = &over
            && failure.kind != FailureKind::OutputClosed
        {
            // The first failure is the one to tell, also if a state cannot be written.
            let Self { seats, doors, .. } = &mut self;
            _ = seats.iter_mut().try_for_each(|seat| {
                doors.counts = seat.http.counts();
                seat.family.leave(doors)
            });
        }
        over
    }

    async fn drive(&mut self) -> Result<(), Failure> {
        loop {
            self.settle()?;
            if self.seats.is_empty() {
                return Ok(());
            }
            self.show();
            let asking: Vec<usize> = (0..self.lines.len())
                .filter(|line| self.seats_of(*line).any(|place| self.may_send(place)))
                .collect();
            if asking.is_empty() && self.seats.iter().all(|seat| seat.asked.is_empty()) {
                self.give_up()?;
                continue;
            }
            let turn = turn(asking.iter().map(|line| (*line, self.lines[*line].0)).collect());
            let Self { lines, seats, .. } = self;
            tokio::select! {
                biased;
                event = poll_fn(|context| poll_events(lines, context)) => self.tell(event)?,
                (place, arrival) = poll_fn(|context| poll(seats, context)) => self.take(place, arrival)?,
                (line, turn) = turn, if !asking.is_empty() => self.send(line, turn)?,
            }
        }
    }

    /// The seats of a line.
    fn seats_of(&self, line: usize) -> impl Iterator<Item = usize> + use<'_, 'a, 'd> {
        (0..self.seats.len()).filter(move |place| self.seats[*place].line == line)
    }

    /// The doors for a seat, with the counts of its line.
    fn doors_of(&mut self, place: usize) -> (&mut Seat<'a>, &mut Doors<'d>) {
        let seat = &mut self.seats[place];
        self.doors.counts = seat.http.counts();
        (seat, &mut self.doors)
    }

    /// Whether a request of this seat may start, and may be needed.
    fn may_send(&self, place: usize) -> bool {
        !self.seats[place].idle && self.is_free(place)
    }

    /// Whether a request of this seat may start.
    fn is_free(&self, place: usize) -> bool {
        let seat = &self.seats[place];
        let in_trouble = || seat.http.counts().are_in_trouble(seat.family.kinds());
        let waits = seat.family.waits() && self.seats_of(seat.line).count() > 1;
        !waits && (seat.asked.is_empty() || !in_trouble())
    }

    /// Writes what is due, and ends what is done.
    fn settle(&mut self) -> Result<(), Failure> {
        let mut place = 0;
        while place < self.seats.len() {
            let (seat, doors) = self.doors_of(place);
            match seat.family.write(doors) {
                Ok(()) if !seat.family.is_done() => place += 1,
                // Others of its line may have left with it, also before this place.
                result => {
                    self.end(place, result)?;
                    place = 0;
                }
            }
        }
        Ok(())
    }

    /// Ends a family, or its present part. What it still has under way is dropped.
    fn end(&mut self, place: usize, result: Result<(), Failure>) -> Result<(), Failure> {
        let (Seat { line, family, asked, idle, heartbeat, .. }, doors) = self.doors_of(place);
        let (line, goes_on) = (*line, family.end(result, doors));
        if matches!(goes_on, Ok(true)) {
            (*asked, *idle, *heartbeat) = (FuturesUnordered::new(), false, Heartbeat::default());
            return Ok(());
        }
        self.records += self.seats.remove(place).family.progress().0;
        match goes_on {
            Err(failure) if self.others_may_go_on(line, failure.kind) => self.end_line(line, failure),
            goes_on => goes_on.map(|_| ()),
        }
    }

    /// Whether a failure that ends the families of this line leaves those of others alone.
    fn others_may_go_on(&self, line: usize, kind: FailureKind) -> bool {
        kind.is_of_the_server() && self.seats.iter().any(|seat| seat.line != line)
    }

    /// Ends the other families of a line that fails as a whole. The failure is kept for the end.
    fn end_line(&mut self, line: usize, failure: Failure) -> Result<(), Failure> {
        while let Some(place) = self.seats.iter().position(|seat| seat.line == line) {
            let (seat, doors) = self.doors_of(place);
            seat.family.leave(doors)?;
            self.records += self.seats.remove(place).family.progress().0;
        }
        if self.doors.endings.failed.is_ok() {
            self.doors.endings.failed = Err(failure);
        }
        Ok(())
    }

    /// The seats of a line that may ask, the one whose turn it is first.
    fn in_turn(&self, line: usize) -> Vec<usize> {
        let (first, seats) = (self.first, self.seats.len());
        let seats = (first..first + seats).map(|place| place % seats);
        let mut seats: Vec<usize> =
            seats.filter(|place| self.seats[*place].line == line && self.may_send(*place)).collect();
        let passed_over = self.passed_over >= PASSED_OVER;
        seats.sort_by_key(|place| self.seats[*place].family.catches_up() != passed_over);
        seats
    }

    /// Lets the seat of the line ask whose turn it is.
    fn send(&mut self, line: usize, turn: Turn<'a>) -> Result<(), Failure> {
        for place in self.in_turn(line) {
            let seat = &mut self.seats[place];
            match seat.family.next() {
                Ok(Some(call)) => {
                    seat.asked.push(answer(seat.http, call, turn).boxed_local());
                    self.passed_over = if seat.family.catches_up() { 0 } else { self.passed_over + 1 };
                    self.first = place + 1;
                    return Ok(());
                }
                Ok(None) => seat.idle = true,
                Err(failure) => return self.end(place, Err(failure)),
            }
        }
        let free: Vec<usize> = self.seats_of(line).filter(|place| self.is_free(*place)).collect();
        if let Some((place, call)) =
            free.into_iter().find_map(|place| Some((place, self.seats[place].family.spare()?)))
        {
            let seat = &mut self.seats[place];
            seat.asked.push(answer(seat.http, call, turn).boxed_local());
        }
        Ok(())
    }

    fn take(&mut self, place: usize, (ticket, arrival): Arrival) -> Result<(), Failure> {
        // How its requests went is logged before what it leads to.
        let line = self.seats[place].line;
        while let Ok(event) = self.lines[line].1.try_recv() {
            self.tell(event)?;
        }
        let (Seat { http, family, idle, .. }, doors) = self.doors_of(place);
        *idle = false;
        let taken = match arrival {
            Ok(date) => family.answered(ticket, date, doors).map(|used| {
                if used == Use::Progress {
                    http.progressed();
                }
            }),
            Err(failure) => family.refused(ticket, failure, doors),
        };
        match taken {
            Ok(()) => Ok(()),
            Err(failure) => self.end(place, Err(failure)),
        }
    }

    /// Nothing is under way, and nobody has anything to ask.
    fn give_up(&mut self) -> Result<(), Failure> {
        let text = "The connector does not know what to ask next. Please report this; the next sync resumes from the last state.";
        self.end(0, Err(Failure::new(FailureKind::Internal, text)))
    }

    fn tell(&mut self, event: Event) -> Result<(), Failure> {
        match event {
            Event::Fetched(token) => {
                self.doors.output.keep_secret(token.expose());
                Ok(())
            }
            Event::Attempted(attempt) => self.doors.output.log_lazily(Level::Debug, || attempt.to_string()),
            Event::Waiting(waiting) => {
                let concerned = self.seats.iter_mut().find(|seat| seat.family.kinds().contains(&waiting.of));
                let Some(Seat { family, heartbeat, .. }) = concerned else { return Ok(()) };
                heartbeat.observe(waiting, self.doors.output, family.name(), || family.last_state())
            }
        }
    }

    fn show(&mut self) {
        let progress = self.seats.iter().map(|seat| seat.family.progress());
        let (records, position) = progress
            .fold((self.records, None), |(records, position), (more, other)| {
                (records + more, position.or(other))
            });
        let requests = self.lines.iter().map(|(http, _)| http.counts().total().requests).sum();
        self.progress.show(records, requests, position);
    }
}

/// The first turn of any of these lines.
async fn turn(lines: Vec<(usize, &Http)>) -> (usize, Turn<'_>) {
    let turns = lines.into_iter().map(|(line, http)| http.turn().map(move |turn| (line, turn)).boxed_local());
    select_all(turns).await.0
}

/// What happens next on any line.
fn poll_events(
    lines: &mut [(&Http, &mut UnboundedReceiver<Event>)],
    context: &mut Context<'_>,
) -> Poll<Event> {
    for (_, events) in lines {
        if let Poll::Ready(Some(event)) = events.poll_recv(context) {
            return Poll::Ready(event);
        }
    }
    Poll::Pending
}

/// The next response that comes, of any seat.
fn poll(seats: &mut [Seat<'_>], context: &mut Context<'_>) -> Poll<(usize, Arrival)> {
    for (place, seat) in seats.iter_mut().enumerate() {
        if let Poll::Ready(Some(arrival)) = seat.asked.poll_next_unpin(context) {
            return Poll::Ready((place, arrival));
        }
    }
    Poll::Pending
}

/// Makes a call. The first attempt takes the turn; a later one waits first, and then for a turn of its own.
async fn answer<'a>(http: &'a Http, call: Call, turn: Turn<'a>) -> Arrival {
    let Call { ticket, what, path, query, attempt, doubted, guess, mut read } = call;
    let mut turn = Some(turn);
    if attempt > 1 {
        turn = None;
        if let Err(failure) = http.wait_before_look(what, attempt - 1, &doubted).await {
            return (ticket, Err(failure));
        }
    }
    let request = ApiRequest { what, path: &path, query: &query, guess };
    let answer = http.get(request, turn, |body| read(body)).await;
    (ticket, answer.map(|answer| answer.date))
}
