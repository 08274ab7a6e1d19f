//! Requests read by tables and shapes of the snapshot. What is unusual is not read here: `read.rs` does then.

use std::{collections::BTreeMap, sync::Arc};

use cedar_policy::EntityUid;
use serde::de::DeserializeSeed;
use serde_json::value::RawValue;
use smol_str::SmolStr;

use super::{Query, RequestParts, SERVER_CONTEXT, ServerContext};
use crate::policy::{
    Snapshot,
    engine::{Record, RecordShape, Reference, References, Text, cedar::Value},
    names::{NamedAction, NamedType, Names, ServerPart},
};

/// Reads a request; `None` when it is wrong or unusual. Without `server`, the context is whole.
pub(super) fn read(
    snapshot: &Snapshot,
    parts: RequestParts<'_>,
    server: Option<&ServerContext<'_>>,
) -> Option<Query> {
    let names = snapshot.names();
    let action = action(names, parts.action)?;
    let principal = entity(names, parts.principal)?;
    let resource = entity(names, parts.resource)?;
    let declared = if server.is_some() { &action.caller } else { &action.context };
    let context = context(declared.as_ref()?, parts.context)?;
    query(action, principal, resource, context, server)
}

/// Reads a question of our own code; `None` when it is wrong.
pub(super) fn named(
    snapshot: &Snapshot,
    principal: (&str, &str),
    action: &str,
    resource: (&str, &str),
    server: &ServerContext<'_>,
) -> Option<Query> {
    let names = snapshot.names();
    let action = names.bare_action(action).filter(|_| !action.contains("::\""))?;
    let principal = (names.entity_type(principal.0)?, principal.1);
    let resource = (names.entity_type(resource.0)?, resource.1);
    let context = context(action.caller.as_ref()?, None)?;
    query(action, named_uid(principal)?, named_uid(resource)?, context, Some(server))
}

/// Puts a query together, when the action is one for these types.
fn query(
    action: &NamedAction,
    (principal_type, principal): (&NamedType, EntityUid),
    (resource_type, resource): (&NamedType, EntityUid),
    mut context: BTreeMap<SmolStr, Value>,
    server: Option<&ServerContext<'_>>,
) -> Option<Query> {
    if !action.applies(principal_type, resource_type) {
        return None;
    }
    if let Some(server) = server {
        match &action.server {
            ServerPart::None => {}
            ServerPart::Filled(shape) => {
                context.insert(SmolStr::new_static(SERVER_CONTEXT), shape.fill(server)?);
            }
            ServerPart::Unsure => return None,
        }
    }
    Some(Query { principal, action: action.uid.clone(), resource, context: Arc::new(context) })
}

fn named_uid<'n>((of, id): (&'n NamedType, &str)) -> Option<(&'n NamedType, EntityUid)> {
    of.shape.has(id).then(|| (of, EntityUid::from(of.shape.uid(id))))
}

fn entity<'n>(names: &'n Names, raw: &RawValue) -> Option<(&'n NamedType, EntityUid)> {
    let reference = reference(raw)?;
    named_uid((names.entity_type(&reference.type_name)?, &reference.id))
}

fn action<'n>(names: &'n Names, raw: &RawValue) -> Option<&'n NamedAction> {
    if raw.get().starts_with('"') {
        let text = Text.deserialize(&mut serde_json::Deserializer::from_str(raw.get())).ok()?;
        if !text.contains("::\"") {
            return names.bare_action(&text);
        }
        let Reference { type_name, id } = Reference::plain(&text)?;
        return names.action(&type_name, &id);
    }
    let Reference { type_name, id } = reference(raw)?;
    names.action(&type_name, &id)
}

fn reference(raw: &RawValue) -> Option<Reference<'_>> {
    if let Some(reference) = Reference::compact(raw.get()) {
        return Some(reference);
    }
    let forms = References { text: true, escape: false };
    forms.deserialize(&mut serde_json::Deserializer::from_str(raw.get())).ok()
}

/// The attributes of a context; none when it is not given.
fn context(declared: &RecordShape, raw: Option<&RawValue>) -> Option<BTreeMap<SmolStr, Value>> {
    match raw {
        None => (declared.required() == 0).then(BTreeMap::new),
        Some(raw) => Record(declared).deserialize(&mut serde_json::Deserializer::from_str(raw.get())).ok(),
    }
}
