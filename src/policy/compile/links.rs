//! Reading `links/*.json` and filling in the templates: each link becomes a policy of its own.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use cedar_policy::{EntityUid, Policy, pst};
use serde::Deserialize;
use serde_json::Value;

use super::{
    policies::{Ids, Place, ReadTemplate},
    text::Text,
};
use crate::policy::{
    Finding, Link, PolicyId, PolicyRecord,
    pace::Pace,
    query::{chain, entity_uid},
    snapshot::Prepared,
};

/// One link of a file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    template: String,
    id: String,
    slots: BTreeMap<String, Value>,
}

/// Reads one file and fills in the templates; what is wrong with it is added to `found`.
pub(super) fn read(
    text: Text<'_>,
    templates: &[ReadTemplate],
    ids: &mut Ids,
    pace: &Pace,
    found: &mut Vec<Finding>,
) -> Vec<Prepared> {
    let entries = match text.elements("link") {
        Ok(entries) => entries,
        Err(error) => {
            found.push(error);
            return vec![];
        }
    };
    let templates: HashMap<&str, &ReadTemplate> =
        templates.iter().map(|read| (read.record.id.as_str(), read)).collect();
    let mut linked = Vec::new();
    let mut positions = text.positions();
    for (offset, raw) in entries {
        pace.step();
        let at = Place { start: offset, offset, line: positions.at(offset).0 };
        match one(text, at, raw, &templates, ids) {
            Ok(policy) => linked.push(policy),
            Err(error) => found.push(error),
        }
    }
    linked
}

fn one(
    text: Text<'_>,
    place: Place,
    raw: &str,
    templates: &HashMap<&str, &ReadTemplate>,
    ids: &mut Ids,
) -> Result<Prepared, Finding> {
    let Place { offset, line, .. } = place;
    let entry: Entry = serde_json::from_str(raw).map_err(|error| text.json_error("link", offset, &error))?;
    let id = PolicyId::new(entry.id.as_str());
    ids.claim(&id, text, place)?;
    let wrong = |message: String| text.error("link", Some(offset), message);
    let Some(read) = templates.get(entry.template.as_str()) else {
        return Err(wrong(format!("there is no template `{}`", entry.template)));
    };
    let mut values = HashMap::new();
    let mut slots = BTreeMap::new();
    for (name, value) in &entry.slots {
        let slot = match name.as_str() {
            "?principal" => pst::SlotId::Principal,
            "?resource" => pst::SlotId::Resource,
            _ => return Err(wrong(format!("`{name}` is not a slot: `?principal` or `?resource`"))),
        };
        let entity = entity_uid(value, "").map_err(|problem| wrong(format!("`{name}`: {problem}")))?;
        slots.insert(name.clone(), entity.to_string());
        values.insert(slot, pst_uid(&entity).map_err(wrong)?);
    }
    let policy = fill_in(read, values, &id).map_err(wrong)?;
    let origin = Link { template: read.record.id.clone(), slots, file: Arc::from(text.path), line };
    let mut annotations = read.record.annotations.clone();
    annotations.insert("id".to_owned(), entry.id);
    Ok(Prepared {
        record: PolicyRecord { id, annotations, link: Some(origin), ..read.record.clone() },
        policy,
    })
}

/// The template with its slots filled in, as a policy without slots.
fn fill_in(
    read: &ReadTemplate,
    values: HashMap<pst::SlotId, pst::EntityUID>,
    id: &PolicyId,
) -> Result<Policy, String> {
    let template = read.template.to_pst().map_err(|error| chain(&error))?;
    if let Some(extra) = values.keys().find(|slot| !template.slots().contains(slot)) {
        return Err(format!("the template `{}` has no slot `{extra}`", read.record.id));
    }
    let linked = pst::LinkedPolicy::new(Arc::new(template), values, pst::PolicyID::from(id.as_str()));
    let inlined = linked.map_err(|error| chain(&error))?.into_static_policy();
    let inlined = inlined.map_err(|error| chain(&error))?;
    Policy::from_pst(pst::Policy::Static(inlined)).map_err(|error| chain(&error))
}

fn pst_uid(uid: &EntityUid) -> Result<pst::EntityUID, String> {
    let namespace: Vec<&str> = uid.type_name().namespace_components().collect();
    let name = pst::Name::qualified(namespace, uid.type_name().basename()).map_err(|error| chain(&error))?;
    Ok(pst::EntityUID { ty: pst::EntityType::from_name(name), eid: uid.id().unescaped().into() })
}
