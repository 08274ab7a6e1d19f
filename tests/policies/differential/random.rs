//! The comparison: decision, determining policies, and erring policies with their messages.

use bailiwick::policy::{EntitySlice, Query, Snapshot, decide, evaluate, evaluate_all};
use cedar_policy::{Context, Effect, Entities, Entity, PolicyId, PolicySet, Request, Schema};

use super::{
    dice::Dice,
    entities::{context, entities, request},
    policies::policies,
    world::World,
};
use crate::{
    corpus::{Answer, plain},
    support::setting,
};

/// Policies and templates of a store.
const POLICIES: usize = 20;
/// Requests to a store.
const REQUESTS: usize = 250;
/// Contexts that they choose from: reading one takes as long as a decision.
const CONTEXTS: usize = 16;
/// Decisions of the normal suite.
const DECISIONS: usize = 20_000;

/// What is done to the engine under test, to see that the comparison notices.
#[derive(Clone, Copy, PartialEq)]
enum Sabotage {
    Nothing,
    /// The index knows direct parents only.
    ForgetsAncestors,
    /// The index does not know which actions are in a group.
    ForgetsGroups,
    /// The index lost one policy.
    LosesOnePolicy,
}

/// What happened in the cases, so that they are known not to be trivial.
#[derive(Debug, Default)]
struct Tally {
    decisions: usize,
    allows: usize,
    forbidden: usize,
    erred: usize,
    candidates: usize,
}

/// Cedar's answer to every request to a random store, and ours; the first difference is the error.
fn store(seed: u64, sabotage: Sabotage, tally: &mut Tally) -> Result<(), String> {
    let mut dice = Dice::new(seed);
    let world = World::new(&mut dice);
    let (schema, _) = Schema::from_cedarschema_str(&world.schema)
        .unwrap_or_else(|error| panic!("seed {seed}: {error:?}\n{}", world.schema));
    let set = policies(&mut dice, &world, POLICIES);
    let careless = dice.once_in(3);
    let entities = entities(&mut dice, &world, &schema, careless);
    let snapshot = Snapshot::from_policy_set(
        "random".parse().unwrap(),
        &if sabotage == Sabotage::LosesOnePolicy { without_one(&set) } else { set.clone() },
        if sabotage == Sabotage::ForgetsGroups { without_groups(&world) } else { schema },
    )
    .unwrap();
    let slice = EntitySlice::whole(match sabotage {
        Sabotage::ForgetsAncestors => without_ancestors(&entities),
        _ => entities.clone(),
    });
    let contexts: Vec<Context> = (0..CONTEXTS).map(|_| context(&mut dice, &world, careless)).collect();
    for number in 0..REQUESTS {
        let [principal, action, resource] = request(&mut dice, &world);
        let context = dice.one_of(&contexts).clone();
        let request =
            Request::new(principal.clone(), action.clone(), resource.clone(), context.clone(), None).unwrap();
        let query = Query::new(principal, action, resource, context, None).unwrap();
        let cedar = plain(&request, &set, &entities);
        let verdict = evaluate(&snapshot, &query, &slice);
        let ours = Answer::from(&verdict);
        tally.decisions += 1;
        if ours != cedar {
            let differ = cedar.reason.symmetric_difference(&ours.reason);
            let texts: Vec<String> =
                differ.filter_map(|id| Some(set.policy(&PolicyId::new(id))?.to_string())).collect();
            return Err(format!(
                "seed {seed} request {number}: {request}\nours: {ours:#?}\nCedar's: {cedar:#?}\n{texts:#?}"
            ));
        }
        let forbid_erred = cedar
            .errors
            .iter()
            .any(|(id, _)| set.policy(&PolicyId::new(id)).unwrap().effect() == Effect::Forbid);
        let closed = decide(&snapshot, &query, &slice);
        if closed.allow != (cedar.allow && !forbid_erred) || closed.errors != verdict.errors {
            return Err(format!("seed {seed} request {number} does not fail closed: {closed:#?}"));
        }
        if number == 0 && evaluate_all(&snapshot, &query, &slice) != verdict {
            return Err(format!("seed {seed}: the walk over all policies answers otherwise"));
        }
        tally.allows += usize::from(verdict.allow);
        tally.forbidden += usize::from(!verdict.allow && !verdict.determining.is_empty());
        tally.erred += usize::from(!verdict.errors.is_empty());
        tally.candidates += verdict.candidates as usize;
    }
    Ok(())
}

fn without_one(set: &PolicySet) -> PolicySet {
    let mut fewer = set.clone();
    let first = set.policies().find(|policy| policy.template_id().is_none()).unwrap();
    fewer.remove_static(first.id().clone()).unwrap();
    fewer
}

/// The schema with no action in a group.
fn without_groups(world: &World) -> Schema {
    let lines = world.schema.lines().map(|line| match line.split_once(" in [") {
        Some((action, rest)) if action.starts_with("action ") => {
            format!("{action}{}\n", rest.split_once(']').unwrap().1)
        }
        _ => format!("{line}\n"),
    });
    Schema::from_cedarschema_str(&lines.collect::<String>()).unwrap().0
}

/// Every entity in its first parent only.
fn without_ancestors(entities: &Entities) -> Entities {
    let alone = entities.iter().map(|entity| {
        let (uid, attrs, _) = entity.clone().into_inner();
        Entity::new(uid, attrs, [].into()).unwrap()
    });
    Entities::from_entities(alone, None).unwrap()
}

#[test]
fn the_engine_answers_as_cedar_does() {
    let wanted = setting("BAILIWICK_TEST_DECISIONS").map_or(DECISIONS, |text| text.parse().unwrap());
    let first: u64 = setting("BAILIWICK_TEST_SEED").map_or(0, |text| text.parse().unwrap());
    let mut tally = Tally::default();
    for seed in first.. {
        if tally.decisions >= wanted {
            break;
        }
        store(seed, Sabotage::Nothing, &mut tally).unwrap_or_else(|difference| panic!("{difference}"));
    }
    println!("{tally:?}");
    let share = |of: usize| of * 100 / tally.decisions;
    assert!(share(tally.allows) > 10 && share(tally.forbidden) > 5 && share(tally.erred) > 5, "{tally:?}");
    assert!(tally.candidates < tally.decisions * POLICIES / 2, "the index narrows down: {tally:?}");
}

#[test]
fn a_broken_index_is_noticed_within_a_thousand_cases() {
    for sabotage in [Sabotage::ForgetsAncestors, Sabotage::ForgetsGroups, Sabotage::LosesOnePolicy] {
        let mut tally = Tally::default();
        let noticed = (0..4).find_map(|seed| store(seed, sabotage, &mut tally).err());
        assert!(noticed.is_some() && tally.decisions <= 1000, "{tally:?}");
    }
}
