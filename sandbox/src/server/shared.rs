//! The model, shared between the server, the calls of the webhook and the handle.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::model::Model;

/// A model that several tasks use.
pub(crate) type Shared = Arc<Mutex<Model>>;

/// Locks the model; a panic of another thread is not a reason to stop.
pub(crate) fn lock(model: &Shared) -> MutexGuard<'_, Model> {
    model.lock().unwrap_or_else(PoisonError::into_inner)
}
