//! How long ago somebody may have proved who they are, for what strangers must not do in an open session.
//!
//! | needs a recent proof | does not |
//! |---|---|
//! | another address; a second factor; leaving; a copy of one's data | another password: it takes the present one |
//! | making, changing and revoking API keys | using them |
//! | ending other sessions, removing other devices | ending one's own session, and with it all others |

use std::time::Duration;

use super::{AuthnError, AuthnService, Caller, UserCaller};
use crate::base::{DeviceId, SessionId};

impl AuthnService {
    /// Whether a caller proved who they are only a moment ago; refreshing a token proves nothing.
    ///
    /// Errors: `StepUpRequired`.
    /// Source: RFC 9470; ASVS 5.0 §7.5.1.
    pub fn require_recent(&self, caller: &UserCaller) -> Result<(), AuthnError> {
        let (now, max_age) = (self.parts.clock.now(), Duration::from_secs(self.parts.sudo_secs));
        if caller.auth_time <= now && now.since(caller.auth_time) <= max_age {
            return Ok(());
        }
        Err(AuthnError::StepUpRequired { max_age })
    }

    /// The same of a person; a program has proved who it is with every request.
    ///
    /// Errors: `StepUpRequired`.
    pub fn require_recent_person(&self, caller: &Caller) -> Result<(), AuthnError> {
        caller.user().map_or(Ok(()), |user| self.require_recent(user))
    }

    /// Whether a caller may end one of their sessions now: their own at any time.
    ///
    /// Errors: `StepUpRequired`.
    /// Source: ASVS 5.0 §7.5.2.
    pub fn may_end_session(&self, caller: &UserCaller, session: SessionId) -> Result<(), AuthnError> {
        if caller.session_id == session { Ok(()) } else { self.require_recent(caller) }
    }

    /// Whether a caller may remove one of their devices now: the one in use at any time.
    ///
    /// Errors: `StepUpRequired`.
    pub fn may_remove_device(&self, caller: &UserCaller, device: DeviceId) -> Result<(), AuthnError> {
        if caller.device_id == device { Ok(()) } else { self.require_recent(caller) }
    }
}
