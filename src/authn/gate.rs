//! What the policies say about a person, between the proof of who they are and what it opens.
//!
//! The question has the user as its principal, so a policy may tell by plan, role, network, device or second factor
//! who is let in. It is asked after the credentials were proven and never before: an answer about a user tells
//! nobody whether there is one (threat T9).

use std::fmt;

use futures_util::future::BoxFuture;

use super::AuthnError;
use crate::{
    base::{Millis, SessionId, TenantId, UserId},
    sessions::ClientInfo,
};

/// How a second factor is named in `amr` (RFC 8176 §2).
pub(super) const BY_TWO: &str = "mfa";

/// Somebody at the gate.
#[derive(Debug, Clone, Copy)]
pub struct Entrant<'a> {
    /// Their tenant: the resource.
    pub tenant: TenantId,
    /// Who they proved to be: the principal.
    pub user: UserId,
    /// What they want: an action of the system store.
    pub action: &'static str,
    /// Where they come from.
    pub client: &'a ClientInfo,
    /// How they proved who they are (RFC 8176).
    pub amr: &'a [String],
    /// When they did.
    pub auth_time: Millis,
    /// The session that they continue.
    pub session: Option<SessionId>,
    /// Whether their device is known, where that was looked at.
    pub device_known: Option<bool>,
    /// Wrong passwords in a row before the right one, where they were counted.
    pub failed_attempts: Option<i64>,
}

/// Whether a second factor is among the proofs `amr`.
pub fn proves_second_factor(amr: &[String]) -> bool {
    amr.iter().any(|method| method == BY_TWO)
}

/// Who asks the policies. A trait because the decision point stands on top of this module: it knows who is calling
/// from here.
pub trait Gate: fmt::Debug + Send + Sync {
    /// Asks whether somebody may go on. `Ok` is the only yes.
    ///
    /// Errors: `Denied`, `ProofDemanded`, `Undecided` (nobody can say: not a yes), `Storage`, `Entropy`.
    fn ask<'a>(&'a self, entrant: Entrant<'a>) -> BoxFuture<'a, Result<(), AuthnError>>;
}
