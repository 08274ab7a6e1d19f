//! Reading `entities/*.json`: the static entities of a store, checked against its schema.

use std::collections::BTreeMap;

use cedar_policy::{Entities, Entity, EntityUid, Schema};

use super::text::Text;
use crate::policy::{Finding, pace::Pace, query::chain};

/// Reads the files; what is wrong is added to `found`. Actions are not among the answer.
pub(super) fn read(files: &[Text<'_>], schema: &Schema, pace: &Pace, found: &mut Vec<Finding>) -> Entities {
    let mut entities: BTreeMap<EntityUid, Entity> = BTreeMap::new();
    let mut places: BTreeMap<EntityUid, (String, u32)> = BTreeMap::new();
    for text in files {
        let elements = match text.elements("entity") {
            Ok(elements) => elements,
            Err(error) => {
                found.push(error);
                continue;
            }
        };
        let mut positions = text.positions();
        for (offset, raw) in elements {
            pace.step();
            let line = positions.at(offset).0;
            let entity = match Entity::from_json_str(raw, Some(schema)) {
                Ok(entity) => entity,
                Err(error) => {
                    found.push(text.error("entity", Some(offset), chain(&error)));
                    continue;
                }
            };
            let uid = entity.uid();
            if uid.type_name().basename() == "Action" {
                found.push(text.error("entity", Some(offset), "actions come from the schema alone"));
            } else if let Some((file, line)) = places.get(&uid) {
                let message = format!("the entity `{uid}` is also at {file}:{line}");
                found.push(text.error("entity", Some(offset), message));
            } else {
                places.insert(uid.clone(), (text.path.to_owned(), line));
                entities.insert(uid, entity);
            }
        }
    }
    Entities::from_entities(entities.into_values(), None).unwrap_or_else(|error| {
        let path = files.first().map_or("entities", |text| text.path);
        found.push(Text { path, text: "" }.error("entity", None, chain(&error)));
        Entities::empty()
    })
}
