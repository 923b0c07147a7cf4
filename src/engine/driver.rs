//! Runs all families at the same time: one request after the other starts, at the API's pace, and each family has its turn.

use std::future::poll_fn;
use std::task::{Context, Poll};

use chrono::{DateTime, Utc};
use futures_util::future::LocalBoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use tokio::sync::mpsc::UnboundedReceiver;

use super::{Call, Doors, Family, Use};
use crate::aifi::http::{Event, Http, Question, Turn};
use crate::failure::{Failure, FailureKind};
use crate::heartbeat::Heartbeat;
use crate::protocol::message::Level;
use crate::terminal::Progress;

/// The answer to a call: the server's clock, or why there is none.
type Arrival = (u64, Result<Option<DateTime<Utc>>, Failure>);

/// A family, and what it has under way.
struct Seat<'a> {
    family: Box<dyn Family + 'a>,
    asked: FuturesUnordered<LocalBoxFuture<'a, Arrival>>,
    /// It had nothing to ask, and nothing has come since.
    idle: bool,
    heartbeat: Heartbeat,
}

impl<'a> Seat<'a> {
    fn new(family: Box<dyn Family + 'a>) -> Self {
        Self { family, asked: FuturesUnordered::new(), idle: false, heartbeat: Heartbeat::default() }
    }
}

/// Everything that a sync is run with.
pub struct Driver<'a, 'd> {
    http: &'a Http,
    events: &'d mut UnboundedReceiver<Event>,
    doors: Doors<'d>,
    seats: Vec<Seat<'a>>,
    /// The seat that is asked first, so that each has its turn.
    first: usize,
    progress: Progress,
    /// Records of families that have ended.
    records: u64,
}

impl<'a, 'd> Driver<'a, 'd> {
    /// Of these families.
    pub fn new(
        http: &'a Http,
        events: &'d mut UnboundedReceiver<Event>,
        doors: Doors<'d>,
        families: Vec<Box<dyn Family + 'a>>,
    ) -> Self {
        let seats = families.into_iter().map(Seat::new).collect();
        Self { http, events, doors, seats, first: 0, progress: Progress::new("sync"), records: 0 }
    }

    /// Reads everything that is due. A family that fails does not stop the others, unless they would fail, too: that failure
    /// comes back.
    pub async fn run(mut self) -> Result<(), Failure> {
        let over = self.drive().await;
        self.progress.finish();
        if let Err(failure) = &over
            && failure.kind != FailureKind::OutputClosed
        {
            // The first failure is the one to tell, also if a state cannot be written.
            let Self { seats, doors, .. } = &mut self;
            _ = seats.iter_mut().try_for_each(|seat| seat.family.leave(doors));
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
            let may_ask = (0..self.seats.len()).any(|place| self.may_ask(place));
            if !may_ask && self.seats.iter().all(|seat| seat.asked.is_empty()) {
                self.give_up()?;
                continue;
            }
            let http = self.http;
            let Self { events, seats, .. } = self;
            tokio::select! {
                biased;
                Some(event) = events.recv() => self.tell(event)?,
                (place, arrival) = poll_fn(|context| poll(seats, context)) => self.take(place, arrival)?,
                turn = http.turn(), if may_ask => self.ask(turn)?,
            }
        }
    }

    /// Whether a request of this seat may start.
    fn may_ask(&self, place: usize) -> bool {
        let seat = &self.seats[place];
        let in_trouble = || self.http.counts().are_in_trouble(seat.family.kinds());
        let waits = seat.family.waits() && self.seats.len() > 1;
        !seat.idle && !waits && (seat.asked.is_empty() || !in_trouble())
    }

    /// Writes what is due, and ends what is done.
    fn settle(&mut self) -> Result<(), Failure> {
        let mut place = 0;
        while let Some(seat) = self.seats.get_mut(place) {
            match seat.family.write(&mut self.doors) {
                Ok(()) if !seat.family.is_done() => place += 1,
                result => self.end(place, result)?,
            }
        }
        Ok(())
    }

    /// Ends a family, or its present part. What it still has under way is dropped.
    fn end(&mut self, place: usize, result: Result<(), Failure>) -> Result<(), Failure> {
        let Seat { family, asked, idle, heartbeat } = &mut self.seats[place];
        let goes_on = family.end(result, &mut self.doors);
        if matches!(goes_on, Ok(true)) {
            (*asked, *idle, *heartbeat) = (FuturesUnordered::new(), false, Heartbeat::default());
            return Ok(());
        }
        self.records += self.seats.remove(place).family.progress().0;
        goes_on.map(|_| ())
    }

    /// Lets the seat ask whose turn it is.
    fn ask(&mut self, turn: Turn<'a>) -> Result<(), Failure> {
        let (first, seats) = (self.first, self.seats.len());
        for place in (first..first + seats).map(|place| place % seats) {
            if !self.may_ask(place) {
                continue;
            }
            let seat = &mut self.seats[place];
            match seat.family.next() {
                Ok(Some(call)) => {
                    seat.asked.push(answer(self.http, call, turn).boxed_local());
                    self.first = place + 1;
                    return Ok(());
                }
                Ok(None) => seat.idle = true,
                Err(failure) => return self.end(place, Err(failure)),
            }
        }
        Ok(())
    }

    fn take(&mut self, place: usize, (ticket, arrival): Arrival) -> Result<(), Failure> {
        // How its requests went is logged before what it leads to.
        while let Ok(event) = self.events.try_recv() {
            self.tell(event)?;
        }
        let Seat { family, idle, .. } = &mut self.seats[place];
        *idle = false;
        let taken = match arrival {
            Ok(date) => family.answered(ticket, date, &mut self.doors).map(|used| {
                if used == Use::Progress {
                    self.http.progressed();
                }
            }),
            Err(failure) => family.refused(ticket, failure, &mut self.doors),
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
        self.progress.show(records, self.http.counts().asks().requests, position);
    }
}

/// The next answer that comes, of any seat.
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
    let question = Question { what, path: &path, query: &query, guess };
    let answer = http.get(question, turn, |body| read(body)).await;
    (ticket, answer.map(|answer| answer.date))
}
