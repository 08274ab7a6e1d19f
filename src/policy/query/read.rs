//! Reading a request: action, principal, resource, then context.
//!
//! Most requests are read by `fast.rs`; here is what says what is wrong, and reads the unusual.

use std::collections::BTreeMap;

use cedar_policy::{EntityId, EntityTypeName, EntityUid, RequestValidationError};
use serde_json::{Map, Value, json, value::RawValue};

use super::{
    Query, QueryProblem, QueryProblemKind, RequestParts, SERVER_CONTEXT, ServerContext, context, fast, parse,
    problem::escape,
};
use crate::policy::{
    Snapshot,
    engine::{AttributeShape, ValueShape},
};

impl Snapshot {
    /// Reads a request and checks it against the schema, adding what the server knows.
    ///
    /// Errors: [`QueryProblem`] for the first thing wrong: action, principal, resource, then context.
    pub fn query(&self, parts: RequestParts<'_>, server: &ServerContext<'_>) -> Result<Query, QueryProblem> {
        if let Some(query) = fast::read(self, parts, Some(server)) {
            return Ok(query);
        }
        let context = caller_context(parts.context)?;
        if context.contains_key(SERVER_CONTEXT) {
            let message = format!("`{SERVER_CONTEXT}` in the context is set by the server alone");
            let pointer = format!("/context/{SERVER_CONTEXT}");
            return Err(QueryProblem::new(pointer, QueryProblemKind::ReservedContext, message));
        }
        let given = Given::read(parts)?;
        self.query_with(&given, context, Some(server))
    }

    /// As [`Snapshot::query`], with the whole context given, the server's part included: for tests and replay.
    ///
    /// Errors: as [`Snapshot::query`], without the reserved attribute.
    pub fn query_as_given(&self, parts: RequestParts<'_>) -> Result<Query, QueryProblem> {
        if let Some(query) = fast::read(self, parts, None) {
            return Ok(query);
        }
        self.query_with(&Given::read(parts)?, caller_context(parts.context)?, None)
    }

    /// A question of our own code: type and id of principal and resource, the bare name of an action.
    ///
    /// Errors: as [`Snapshot::query`].
    pub fn query_named(
        &self,
        principal: (&str, &str),
        action: &str,
        resource: (&str, &str),
        server: &ServerContext<'_>,
    ) -> Result<Query, QueryProblem> {
        if let Some(query) = fast::named(self, principal, action, resource, server) {
            return Ok(query);
        }
        let entity = |(type_name, id): (&str, &str)| json!({"type": type_name, "id": id});
        let given = Given {
            principal: entity(principal),
            action: Value::String(action.to_owned()),
            resource: entity(resource),
        };
        self.query_with(&given, Map::new(), Some(server))
    }

    /// The attributes that the schema declares under `context.bailiwick` for an action; empty when none.
    #[must_use]
    pub fn server_context_of(&self, action: &EntityUid) -> Vec<&str> {
        self.server_shape(action).into_iter().flatten().map(|(name, _)| name.as_str()).collect()
    }

    /// The action that a JSON value names.
    ///
    /// Errors: [`QueryProblem`] at `/action` when it is malformed, unknown, or a bare name that is not unique.
    pub fn action(&self, action: &Value) -> Result<EntityUid, QueryProblem> {
        let uid = match action {
            Value::String(name) if !name.contains("::\"") => match self.actions_named(name) {
                [one] => return Ok(one.clone()),
                [] => return Err(unknown_action(&format!("`{name}`"))),
                _ => {
                    let message = format!("more than one action is called `{name}`: give its full name");
                    return Err(QueryProblem::new("/action", QueryProblemKind::UnknownAction, message));
                }
            },
            other => entity_uid(other, "/action")?,
        };
        if self.context_of(&uid).is_some() { Ok(uid) } else { Err(unknown_action(&format!("`{uid}`"))) }
    }

    fn query_with(
        &self,
        given: &Given,
        mut context: Map<String, Value>,
        server: Option<&ServerContext<'_>>,
    ) -> Result<Query, QueryProblem> {
        let action = self.action(&given.action)?;
        let principal = self.unalias(entity_uid(&given.principal, "/principal")?);
        let resource = self.unalias(entity_uid(&given.resource, "/resource")?);
        cedar_policy::validate_scope_variables(&principal, &action, &resource, self.schema())
            .map_err(|error| scope_problem(&error, &principal))?;
        if let (Some(server), Some(shape)) = (server, self.server_shape(&action)) {
            let known = shape.keys().filter_map(|name| Some((name.clone(), server.value(name)?)));
            context.insert(SERVER_CONTEXT.to_owned(), Value::Object(known.collect()));
        }
        let context = context::fit(self, &action, &context)?;
        Query::new(principal, action, resource, context, Some(self.schema()))
    }

    fn server_shape(&self, action: &EntityUid) -> Option<&BTreeMap<String, AttributeShape>> {
        match &self.context_of(action)?.get(SERVER_CONTEXT)?.value {
            ValueShape::Record(attributes) => Some(attributes),
            _ => None,
        }
    }
}

/// Principal, action and resource, parsed.
struct Given {
    principal: Value,
    action: Value,
    resource: Value,
}

impl Given {
    fn read(parts: RequestParts<'_>) -> Result<Self, QueryProblem> {
        let action = parse(parts.action, "/action")?;
        let principal = parse(parts.principal, "/principal")?;
        Ok(Self { principal, action, resource: parse(parts.resource, "/resource")? })
    }
}

fn caller_context(context: Option<&RawValue>) -> Result<Map<String, Value>, QueryProblem> {
    match context.map(|raw| parse(raw, "/context")).transpose()? {
        None => Ok(Map::new()),
        Some(Value::Object(context)) => Ok(context),
        Some(_) => {
            Err(QueryProblem::new("/context", QueryProblemKind::Malformed, "the context must be an object"))
        }
    }
}

fn unknown_action(name: &str) -> QueryProblem {
    QueryProblem::new("/action", QueryProblemKind::UnknownAction, format!("there is no action {name}"))
}

/// Reads an entity: `{"type": …, "id": …}`, any id being legal, or text in Cedar's form.
///
/// Errors: [`QueryProblem`] at `pointer` or below it.
pub fn entity_uid(value: &Value, pointer: &str) -> Result<EntityUid, QueryProblem> {
    let malformed = |below: &str, message: String| {
        Err(QueryProblem::new(format!("{pointer}{below}"), QueryProblemKind::Malformed, message))
    };
    match value {
        Value::String(text) => match text.parse() {
            Ok(uid) => Ok(uid),
            Err(_) => malformed("", format!("`{text}` is not an entity in the form `Type::\"id\"`")),
        },
        Value::Object(members) => {
            if let Some(key) = members.keys().find(|key| !matches!(key.as_str(), "type" | "id")) {
                return malformed(&format!("/{}", escape(key)), format!("an entity has no member `{key}`"));
            }
            let Some(Value::String(type_name)) = members.get("type") else {
                return malformed("/type", "an entity needs `type`, a text".to_owned());
            };
            let Some(Value::String(id)) = members.get("id") else {
                return malformed("/id", "an entity needs `id`, a text".to_owned());
            };
            match type_name.parse::<EntityTypeName>() {
                Ok(type_name) => Ok(EntityUid::from_type_name_and_id(type_name, EntityId::new(id))),
                Err(_) => malformed("/type", format!("`{type_name}` is not the name of an entity type")),
            }
        }
        _ => malformed("", "an entity is `{\"type\": …, \"id\": …}` or `Type::\"id\"`".to_owned()),
    }
}

pub(super) fn scope_problem(error: &RequestValidationError, principal: &EntityUid) -> QueryProblem {
    use QueryProblemKind::{Context, NotApplicable, UnknownAction, UnknownType};
    use RequestValidationError as E;
    let (pointer, kind) = match error {
        E::UndeclaredAction(_) | E::ExternalAction(_) => ("/action", UnknownAction),
        E::UndeclaredPrincipalType(_) => ("/principal", UnknownType),
        E::InvalidPrincipalType(_) => ("/principal", NotApplicable),
        E::InvalidResourceType(_) => ("/resource", NotApplicable),
        E::InvalidEnumEntity(_) if error.to_string().contains(&principal.to_string()) => {
            ("/principal", UnknownType)
        }
        E::UndeclaredResourceType(_) | E::InvalidEnumEntity(_) => ("/resource", UnknownType),
        _ => ("/context", Context),
    };
    QueryProblem::new(pointer, kind, error.to_string())
}
