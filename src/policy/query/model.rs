//! What a request is made of, before and after it is read.

use std::{collections::BTreeMap, sync::Arc};

use cedar_policy::{Context, EntityUid, Request, Schema};
use serde_json::{Value, value::RawValue};
use smol_str::SmolStr;

use super::{QueryProblem, QueryProblemKind, read::scope_problem};
use crate::policy::engine::cedar::{
    Context as CoreContext, EntityUIDEntry, Request as CoreRequest, Value as CoreValue,
};

/// The parts of a request as JSON text that is well-formed, of any depth.
///
/// An entity is `{"type": …, "id": …}` or text in Cedar's form, `User::"alice"`; an action may also be
/// its bare name where that is unique in the schema.
#[derive(Debug, Clone, Copy)]
pub struct RequestParts<'a> {
    /// Who asks.
    pub principal: &'a RawValue,
    /// What they want to do.
    pub action: &'a RawValue,
    /// With which thing.
    pub resource: &'a RawValue,
    /// Under which circumstances; absent is empty.
    pub context: Option<&'a RawValue>,
}

/// A request that fits the schema of its snapshot.
#[derive(Debug, Clone)]
pub struct Query {
    pub(super) principal: EntityUid,
    pub(super) action: EntityUid,
    pub(super) resource: EntityUid,
    pub(super) context: Arc<BTreeMap<SmolStr, CoreValue>>,
}

impl Query {
    /// A query from Cedar's own values; with a schema, checked against it.
    ///
    /// Errors: [`QueryProblem`] when it does not fit the schema.
    pub fn new(
        principal: EntityUid,
        action: EntityUid,
        resource: EntityUid,
        context: Context,
        schema: Option<&Schema>,
    ) -> Result<Self, QueryProblem> {
        let core: CoreContext = context.as_ref().clone();
        let request = Request::new(principal.clone(), action.clone(), resource.clone(), context, schema);
        request.map_err(|error| scope_problem(&error, &principal))?;
        let CoreContext::Value(context) = core else {
            let message = "the context has an unknown in it";
            return Err(QueryProblem::new("/context", QueryProblemKind::Context, message));
        };
        Ok(Self { principal, action, resource, context })
    }

    /// Who asks.
    #[must_use]
    pub fn principal(&self) -> &EntityUid {
        &self.principal
    }

    /// What they want to do.
    #[must_use]
    pub fn action(&self) -> &EntityUid {
        &self.action
    }

    /// With which thing.
    #[must_use]
    pub fn resource(&self) -> &EntityUid {
        &self.resource
    }

    /// The context as it is evaluated, what the server added included, in Cedar's JSON form.
    ///
    /// Errors: Cedar's message for a value that has no JSON form.
    pub fn context(&self) -> Result<Value, String> {
        CoreContext::Value(Arc::clone(&self.context)).to_json_value().map_err(|error| error.to_string())
    }

    /// The values of the context.
    pub(in crate::policy) fn values(&self) -> &Arc<BTreeMap<SmolStr, CoreValue>> {
        &self.context
    }

    /// The request for Cedar's own evaluator.
    pub(in crate::policy) fn to_request(&self) -> CoreRequest {
        let known = |uid: &EntityUid| EntityUIDEntry::known(uid.as_ref().clone(), None);
        let context = CoreContext::Value(Arc::clone(&self.context));
        CoreRequest::new_unchecked(
            known(&self.principal),
            known(&self.action),
            known(&self.resource),
            Some(context),
        )
    }
}
