//! Under which setting of personal data a state's rows were written. Pure.
//!
//! With another salt, equal values have other hashes, so that rows from before no longer join with new ones. So a state
//! carries a mark of the setting, and a sync with another one says so. A full refresh that was cut off begins anew then.

use serde_json::Value;

use super::generation::is_of_full_refresh;

/// Where a state has its mark; it has none where personal data are kept.
const PERSONAL_DATA: &str = "personalData";

/// The mark of the states of one sync.
#[derive(Debug, Default)]
pub struct PersonalMark {
    configured: Option<String>,
}

impl PersonalMark {
    /// Of this setting.
    pub fn new(configured: Option<String>) -> Self {
        Self { configured }
    }

    /// Whether the rows of a saved state were written under this setting.
    pub fn fits(&self, state: &Value) -> bool {
        state.get(PERSONAL_DATA).and_then(Value::as_str) == self.configured.as_deref()
    }

    /// Whether a saved state is resumed from: not that of a full refresh under another setting.
    pub fn counts(&self, state: &Value) -> bool {
        !is_of_full_refresh(state) || self.fits(state)
    }

    /// Puts the mark on a state.
    pub fn stamp(&self, state: &mut Value) {
        let Some(fields) = state.as_object_mut() else { return };
        match &self.configured {
            Some(mark) => _ = fields.insert(PERSONAL_DATA.to_owned(), mark.as_str().into()),
            // A state that is said once more may have that of its own time.
            None => _ = fields.shift_remove(PERSONAL_DATA),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::protocol::generation::FULL_REFRESH;

    #[test]
    fn another_setting_is_noticed_and_a_full_refresh_begins_anew() {
        let mark = PersonalMark::new(Some("hash:1".into()));
        let mut state = json!({"updatedAt": "x"});
        assert!(!mark.fits(&state) && mark.counts(&state));
        mark.stamp(&mut state);
        assert!(mark.fits(&state));
        assert!(!PersonalMark::new(Some("hash:2".into())).fits(&state));
        state[FULL_REFRESH] = true.into();
        assert!(mark.counts(&state));
        let kept = PersonalMark::default();
        assert!(!kept.fits(&state) && !kept.counts(&state));
        kept.stamp(&mut state);
        assert_eq!(state, json!({"updatedAt": "x", FULL_REFRESH: true}));
    }
}
