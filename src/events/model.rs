//! An event, before and after it is stored, and who acts on it.

use std::fmt;

use futures_util::future::BoxFuture;
use serde_json::Value;

use super::{HandleError, Kind};
use crate::{
    base::{EventId, Millis, TenantId},
    storage::Tx,
};

/// What the audit log is told, as far as it may be an event.
#[derive(Debug, Clone, Copy)]
pub struct Happening<'a> {
    /// Whose data it concerns.
    pub tenant: TenantId,
    /// Who acts: an id, or a fixed word.
    pub actor: &'a str,
    /// The id or name of what is acted upon.
    pub subject: &'a str,
    /// What else the audit record holds. An event takes from it what its [`Kind`] says.
    pub detail: &'a Value,
    /// The request that carries the action.
    pub request_id: Option<&'a str>,
}

/// An event, as a consumer is given it.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// What tells it from every other event (CloudEvents `id`); sorts by time.
    pub id: EventId,
    /// Whose data it concerns.
    pub tenant_id: TenantId,
    /// CloudEvents `type`, such as `bwk.user.created.v1`.
    pub name: String,
    /// The id of what it is about (CloudEvents `subject`).
    pub subject: String,
    /// What its [`Kind`] tells, as a JSON object, with `actor`.
    pub data: Value,
    /// The request in which it happened.
    pub request_id: Option<String>,
    /// When it happened (CloudEvents `time`).
    pub at: Millis,
}

impl Event {
    /// What consumers of the older documents call it, as in `USER_CREATED`.
    pub fn legacy(&self) -> Option<&'static str> {
        Kind::named(&self.name)?.legacy
    }

    /// A text of its data.
    pub fn text(&self, field: &str) -> Option<&str> {
        self.data.get(field)?.as_str()
    }
}

/// What a domain does because of what another did.
///
/// An implementor is given every event whose type it [`wants`](Self::wants), once as far as the database can tell:
/// what [`handle`](Self::handle) writes into `tx` is committed together with the note that it did. It may be called
/// again for an event of which nothing was committed, so it has no effect outside of `tx`. What it records in the
/// audit log becomes an event in its turn.
///
/// An error undoes all of it, and the same event comes again: after a second, then after ever longer pauses.
pub trait Consumer: fmt::Debug + Send + Sync {
    /// What it is called in `inbox`: a fixed word. Under another one it would be given everything again that
    /// is not published yet.
    fn name(&self) -> &'static str;

    /// Whether it acts on events of this `type`.
    fn wants(&self, name: &str) -> bool;

    /// Acts on an event.
    ///
    /// Errors: [`HandleError`].
    fn handle<'a>(&'a self, tx: &'a mut Tx, event: &'a Event) -> BoxFuture<'a, Result<(), HandleError>>;
}
