//! How many bytes of bodies the service holds at once.

use std::sync::Arc;

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use http_body_util::BodyExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// All bodies together, from their first byte until they are stored, or answered by the relay's target.
const BYTES: usize = 64 << 20;

/// The room for bodies. Bytes that were gathered in it free it when their last copy is dropped.
#[derive(Debug, Clone)]
pub(crate) struct Room(Arc<Semaphore>);

/// Why a body was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotTaken {
    /// It is larger than allowed.
    TooLarge,
    /// It broke off.
    Cut,
    /// There is no room left.
    Full,
}

impl Room {
    /// All of it is free.
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(BYTES)))
    }

    /// How many bytes are held.
    pub(crate) fn held(&self) -> usize {
        BYTES - self.0.available_permits()
    }

    /// Reads a body of at most so many bytes to its end.
    ///
    /// # Errors
    /// When the body breaks off, is too large, or there is no room for it; the rest of it is still in `body` then.
    pub(crate) async fn gather(&self, body: &mut Body, most: usize) -> Result<Bytes, NotTaken> {
        if body.size_hint().lower() > most as u64 {
            return Err(NotTaken::TooLarge);
        }
        let mut place = self.place(0).ok_or(NotTaken::Full)?;
        let mut bytes = Vec::new();
        while let Some(frame) = body.frame().await {
            let Ok(part) = frame.map_err(|_| NotTaken::Cut)?.into_data() else { continue };
            if bytes.len() + part.len() > most {
                return Err(NotTaken::TooLarge);
            }
            place.merge(self.place(part.len()).ok_or(NotTaken::Full)?);
            bytes.extend_from_slice(&part);
        }
        bytes.shrink_to_fit();
        Ok(Bytes::from_owner(Placed { bytes, _place: place }))
    }

    /// Takes bytes in that are there already; `None` when there is no room for them.
    pub(crate) fn admit(&self, bytes: Bytes) -> Option<Bytes> {
        let place = self.place(bytes.len())?;
        Some(Bytes::from_owner(Placed { bytes, _place: place }))
    }

    fn place(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        self.0.clone().try_acquire_many_owned(u32::try_from(bytes).ok()?).ok()
    }
}

/// Bytes with the room that they take.
struct Placed<B> {
    bytes: B,
    _place: OwnedSemaphorePermit,
}

impl<B: AsRef<[u8]>> AsRef<[u8]> for Placed<B> {
    fn as_ref(&self) -> &[u8] {
        self.bytes.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn room_is_taken_until_the_last_copy_is_gone() {
        let room = Room::new();
        let bytes = room.gather(&mut Body::from("12345"), 5).await.unwrap();
        let copy = bytes.clone();
        drop(bytes);
        assert_eq!((copy.as_ref(), room.held()), (b"12345".as_slice(), 5));
        drop(copy);
        assert_eq!(room.held(), 0);
        assert_eq!(room.gather(&mut Body::from("123456"), 5).await, Err(NotTaken::TooLarge));
        let all = room.admit(vec![0; BYTES].into()).unwrap();
        assert_eq!(room.gather(&mut Body::from("1"), 5).await, Err(NotTaken::Full));
        assert!(room.gather(&mut Body::empty(), 5).await.is_ok(), "nothing takes no room");
        drop(all);
        assert_eq!(room.held(), 0);
    }
}
