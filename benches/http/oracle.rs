//! Whether the answers are right: Cedar's own authorizer on the same policies and entities.

use std::{collections::BTreeSet, str::FromStr};

use cedar_policy::{
    Authorizer, Context, Decision, Entities, EntityUid, PolicyId, PolicySet, Request, Schema, SlotId,
    Template,
};
use serde_json::Value;

use crate::{
    client::Reply,
    world::{Question, World},
};

/// Cedar's authorizer over a whole world.
#[derive(Debug)]
pub(crate) struct Oracle {
    policies: PolicySet,
    schema: Schema,
    entities: Entities,
}

impl Oracle {
    pub(crate) fn new(world: World) -> Self {
        let files = world.files("");
        let (schema, _) = Schema::from_cedarschema_str(&files["schema/bench.cedarschema"]).unwrap();
        let mut policies = PolicySet::new();
        let template = PolicyId::new("grant");
        let text = &files["templates/grant.cedar"];
        policies.add_template(Template::parse(Some(template.clone()), text).unwrap()).unwrap();
        for (_, text) in files.iter().filter(|(path, _)| path.ends_with(".cedar") && !path.contains('/')) {
            for policy in PolicySet::from_str(text).unwrap().policies() {
                let id = PolicyId::new(policy.annotation("id").unwrap());
                policies.add(policy.new_id(id)).unwrap();
            }
        }
        let links: Vec<Value> = serde_json::from_str(&files["links/grants.json"]).unwrap();
        for link in links {
            let entity = |slot: &str| link["slots"][slot].as_str().unwrap().parse::<EntityUid>().unwrap();
            let slots =
                [(SlotId::principal(), entity("?principal")), (SlotId::resource(), entity("?resource"))];
            let id = PolicyId::new(link["id"].as_str().unwrap());
            policies.link(template.clone(), id, slots.into()).unwrap();
        }
        let listed = Value::Array(world.entities().collect());
        let entities = Entities::from_json_value(listed, Some(&schema)).unwrap();
        Self { policies, schema, entities }
    }

    /// Panics unless the answer is Cedar's: decision and determining policies.
    pub(crate) fn check(&self, question: &Question, reply: Reply) -> bool {
        let uid = |kind: &str, id: &str| EntityUid::from_str(&format!("{kind}::\"{id}\"")).unwrap();
        let action = uid("Action", question.action);
        let context =
            Context::from_json_value(question.context.clone(), Some((&self.schema, &action))).unwrap();
        let (principal, resource) = (format!("u{}", question.principal), format!("d{}", question.resource));
        let request = Request::new(
            uid("User", &principal),
            action,
            uid("Document", &resource),
            context,
            Some(&self.schema),
        );
        let wanted = Authorizer::new().is_authorized(&request.unwrap(), &self.policies, &self.entities);
        assert_eq!(wanted.diagnostics().errors().count(), 0);
        let answer = reply.expect(200);
        let allow = wanted.decision() == Decision::Allow;
        assert_eq!(answer["decision"], if allow { "allow" } else { "deny" }, "{question:?}");
        let reasons: BTreeSet<String> = wanted.diagnostics().reason().map(ToString::to_string).collect();
        let determining = answer["determining_policies"].as_array().unwrap();
        let named: BTreeSet<String> =
            determining.iter().map(|policy| policy["policy_id"].as_str().unwrap().to_owned()).collect();
        assert_eq!(named, reasons, "{question:?}");
        allow
    }
}
