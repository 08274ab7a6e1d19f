//! When keys change their state: pure, so that every node comes to the same answer.
//!
//! ```text
//!          publish              activate                             forget
//!  ────────┬─────────────────────┬───────────────────────────────────┬──────────→
//!  pending │ ≥ 2 × max-age       │ active: until its successor signs │ retired
//!                    predecessor │ retiring: access_ttl + leeway + lag
//! ```

use std::time::Duration;

use super::{JWKS_MAX_AGE, KeyState, store::KeyRow};
use crate::base::Millis;

/// Shortest time between a key's publication and its first signature: verifiers that fetched the keys just
/// before have fetched them again by then, even when one fetch failed.
pub(super) const PUBLISHED_FOR: Duration = JWKS_MAX_AGE.saturating_mul(2);
/// How long a node may go on signing with a key that another node has replaced already.
pub(super) const SIGNING_LAG: Duration = Duration::from_mins(1);
/// How long before the end of the active key its successor is published.
const PUBLISH_AHEAD: Duration = Duration::from_hours(1);

/// What is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// A new key, which is to sign at this moment.
    Publish(Millis),
    /// The pending key of this id signs now.
    Activate(String),
    /// No token of this key is alive any more.
    Forget(String),
}

/// What is due at `now`, where a key signs for `life`.
pub(super) fn due(rows: &[KeyRow], life: Duration, now: Millis) -> Vec<Step> {
    let mut steps = Vec::new();
    let of = |state| rows.iter().find(move |row| row.state == state);
    match (of(KeyState::Active), of(KeyState::Pending)) {
        (_, Some(pending)) if pending.not_before_ms.is_some_and(|at| at <= now) => {
            steps.push(Step::Activate(pending.kid.clone()));
        }
        (Some(active), None) => {
            let ends = active.activated_at_ms.unwrap_or(active.created_at_ms).plus(life);
            if ends.minus(PUBLISH_AHEAD) <= now {
                steps.push(Step::Publish(ends.max(now.plus(PUBLISHED_FOR))));
            }
        }
        _ => {}
    }
    let over =
        |row: &&KeyRow| row.state == KeyState::Retiring && row.retire_after_ms.is_some_and(|at| at <= now);
    steps.extend(rows.iter().filter(over).map(|row| Step::Forget(row.kid.clone())));
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_hours(24);

    fn row(kid: &str, state: KeyState) -> KeyRow {
        KeyRow {
            kid: kid.to_owned(),
            alg: "EdDSA".to_owned(),
            public_jwk: String::new(),
            private_sealed: Vec::new(),
            state,
            created_at_ms: Millis(0),
            not_before_ms: None,
            activated_at_ms: (state != KeyState::Pending).then_some(Millis(0)),
            retire_after_ms: None,
        }
    }

    fn at(duration: Duration) -> Millis {
        Millis(0).plus(duration)
    }

    #[test]
    fn a_successor_is_published_an_hour_before_the_end() {
        let rows = [row("a", KeyState::Active)];
        let early = DAY.checked_sub(Duration::from_hours(1)).unwrap();
        assert_eq!(due(&rows, DAY, Millis(at(early).0 - 1)), []);
        assert_eq!(due(&rows, DAY, at(early)), [Step::Publish(at(DAY))]);
        // Later, when nobody was there in time: never without the time that verifiers need.
        assert_eq!(due(&rows, DAY, at(DAY * 3)), [Step::Publish(at(DAY * 3 + PUBLISHED_FOR))]);
    }

    #[test]
    fn a_pending_key_waits_for_its_moment() {
        let pending = KeyRow { not_before_ms: Some(at(DAY)), ..row("b", KeyState::Pending) };
        let rows = [row("a", KeyState::Active), pending];
        assert_eq!(due(&rows, DAY, Millis(at(DAY).0 - 1)), []);
        assert_eq!(due(&rows, DAY, at(DAY)), [Step::Activate("b".to_owned())]);
    }

    #[test]
    fn a_retiring_key_is_forgotten_with_its_last_token() {
        let old = KeyRow { retire_after_ms: Some(at(DAY)), ..row("o", KeyState::Retiring) };
        let rows = [row("a", KeyState::Active), old];
        assert_eq!(due(&rows, DAY * 9, Millis(at(DAY).0 - 1)), []);
        assert_eq!(due(&rows, DAY * 9, at(DAY)), [Step::Forget("o".to_owned())]);
    }
}
