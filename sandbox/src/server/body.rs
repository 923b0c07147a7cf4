//! Bodies on their way over HTTP, the broken and the slow ones included.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{Sleep, sleep};

/// How much [`SentBody::Endless`] sends at most.
const ENDLESS: usize = 200 << 20;
const CHUNK: usize = 64 << 10;

/// A body on its way.
pub(crate) enum SentBody {
    /// All of it.
    Whole(Option<Bytes>),
    /// A part; then, when that has gone out, the connection breaks.
    Broken(Option<Bytes>, Pin<Box<Sleep>>),
    /// Row after row without end; the chunk, and what is left to send.
    Endless(Bytes, usize),
    /// A piece after each pause; what is left, the size of a piece, the pause.
    Slow(Bytes, usize, Duration, Pin<Box<Sleep>>),
}

impl SentBody {
    pub(crate) fn whole(body: Vec<u8>) -> SentBody {
        SentBody::Whole(Some(body.into()).filter(|body: &Bytes| !body.is_empty()))
    }

    pub(crate) fn broken(part: Bytes) -> SentBody {
        SentBody::Broken(Some(part), Box::pin(sleep(Duration::from_millis(10))))
    }

    /// A body that takes so long, in ten pieces.
    pub(crate) fn slow(body: Bytes, time: Duration) -> SentBody {
        let pause = time / 10;
        SentBody::Slow(body.clone(), body.len().div_ceil(10).max(1), pause, Box::pin(sleep(pause)))
    }

    pub(crate) fn endless() -> SentBody {
        let mut chunk = b"{\"data\":[".to_vec();
        while chunk.len() < CHUNK {
            chunk.extend_from_slice(b"{\"id\":1},");
        }
        SentBody::Endless(chunk.into(), ENDLESS)
    }
}

impl Body for SentBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let frame = |bytes| Poll::Ready(Some(Ok(Frame::data(bytes))));
        match &mut *self {
            SentBody::Whole(body) => body.take().map_or(Poll::Ready(None), frame),
            SentBody::Broken(part, pause) => match part.take() {
                Some(part) => frame(part),
                // The pause lets the part go out before the connection ends.
                None => pause.as_mut().poll(context).map(|()| Some(Err(io::ErrorKind::BrokenPipe.into()))),
            },
            SentBody::Endless(_, 0) => Poll::Ready(None),
            SentBody::Slow(left, ..) if left.is_empty() => Poll::Ready(None),
            SentBody::Slow(left, size, pause, until) => {
                std::task::ready!(until.as_mut().poll(context));
                *until = Box::pin(sleep(*pause));
                frame(left.split_to((*size).min(left.len())))
            }
            SentBody::Endless(chunk, left) => {
                let first = *left == ENDLESS;
                *left = left.saturating_sub(chunk.len());
                frame(if first { chunk.clone() } else { chunk.slice(b"{\"data\":[".len()..) })
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            SentBody::Whole(body) => SizeHint::with_exact(body.as_ref().map_or(0, |body| body.len() as u64)),
            SentBody::Broken(..) | SentBody::Endless(..) | SentBody::Slow(..) => SizeHint::default(),
        }
    }
}
