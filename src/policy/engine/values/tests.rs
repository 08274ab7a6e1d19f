use cedar_policy::{Context, EntityUid, Schema};
use serde::de::DeserializeSeed;
use serde_json::{Map, Value as Json, json};

use super::{Record, RecordShape, Reference, References, Shape};
use crate::policy::engine::cedar::Context as CoreContext;

const SCHEMA: &str = r#"
entity User; entity Color enum ["red", "a\"b"];
namespace N { entity T; }
action a appliesTo { principal: User, resource: User, context: {
  b: Bool, l: Long, s?: String, d?: datetime, du?: duration, ip?: ipaddr, dec?: decimal,
  u?: User, c?: Color, t?: N::T, bs?: Set<Bool>, ss?: Set<String>, us?: Set<User>, cs?: Set<Color>,
  rs?: Set<{ x: Long, y?: String }>, ds?: Set<Set<datetime>>, ips?: Set<ipaddr>,
  r?: { x: Long, y?: Set<Long>, z?: { u: User, "odd key": String, deep?: { deeper?: { deepest: decimal } } } },
  "a key that is longer than twenty-three bytes"?: Long, e?: {} } };
"#;

/// Numbers that follow a seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    fn pick<'t, T>(&mut self, from: &'t [T]) -> &'t T {
        &from[usize::try_from(self.roll(from.len() as u64)).unwrap()]
    }
}

struct Given {
    schema: Schema,
    action: EntityUid,
    shape: RecordShape,
}

fn given() -> Given {
    let (schema, _) = Schema::from_cedarschema_str(SCHEMA).unwrap();
    let action: EntityUid = "Action::\"a\"".parse().unwrap();
    let declared = schema.as_ref().context_type(action.as_ref()).unwrap();
    let Shape::Record(shape) = Shape::new(&schema, declared) else { panic!("the context is a record") };
    Given { schema, action, shape }
}

/// A value of a type, in a form that callers use.
fn value(dice: &mut Dice, shape: &Shape) -> Json {
    match shape {
        Shape::Bool => json!(dice.roll(2) == 0),
        Shape::Long => json!(*dice.pick(&[0, -1, 7, i64::MAX, i64::MIN])),
        Shape::Text => {
            json!(*dice.pick(&["", "x", "a\"b\\c\n\u{0}\u{1f600}", "a text of more than 23 bytes"]))
        }
        Shape::Set(of) => (0..dice.roll(4)).map(|_| value(dice, of)).collect(),
        Shape::Entity(of) => {
            let id = if &*of.name == "Color" {
                *dice.pick(&["red", "a\"b"])
            } else {
                *dice.pick(&["", "ann", "\\"])
            };
            let named = json!({"type": &*of.name, "id": id});
            if dice.roll(2) == 0 { json!({"__entity": named}) } else { named }
        }
        Shape::Extension(_, by) => {
            let text = match &**by {
                "ip" => *dice.pick(&["10.0.0.1", "::1", "10.0.0.0/8"]),
                "decimal" => *dice.pick(&["1.5", "-0.0001"]),
                "duration" => *dice.pick(&["1h", "-2d3ms"]),
                _ => *dice.pick(&["2026-01-01", "2026-01-01T00:00:00.123Z", "1960-02-03T04:05:06+0100"]),
            };
            if dice.roll(2) == 0 { json!(text) } else { json!({"__extn": {"fn": &**by, "arg": text}}) }
        }
        Shape::Record(of) => Json::Object(record(dice, of)),
        Shape::Other => panic!("every type here is resolved"),
    }
}

fn record(dice: &mut Dice, shape: &RecordShape) -> Map<String, Json> {
    let mut members = Map::new();
    for name in shape.names() {
        let (of, required) = shape.attribute(name).unwrap();
        if required || dice.roll(3) == 0 {
            members.insert(name.to_string(), value(dice, of));
        }
    }
    members
}

/// Something odd in the place of something.
fn odd(dice: &mut Dice) -> Json {
    let odds = [
        json!(null),
        json!(1.5),
        json!(1.0),
        json!(9_223_372_036_854_775_808_u64),
        json!(true),
        json!("red"),
        json!("nothing"),
        json!([]),
        json!([1, "1", [true]]),
        json!({}),
        json!({"__expr": "1 + 1"}),
        json!({"__entity": {"type": "User", "id": "ann", "more": 1}}),
        json!({"__entity": {"type": "User", "id": "ann"}, "more": 1}),
        json!({"type": "User", "id": "ann", "more": 1}),
        json!({"type": "User"}),
        json!({"type": "User", "id": 1}),
        json!({"type": "N :: T", "id": "t"}),
        json!({"type": "N::T", "id": "t"}),
        json!({"type": "Color", "id": "blue"}),
        json!({"type": "Action", "id": "a"}),
        json!({"__entity": {"__entity": {"type": "User", "id": "ann"}}}),
        json!({"__extn": {"fn": "unknown", "arg": "x"}}),
        json!({"__extn": {"fn": "ip", "arg": "10.0.0.1"}}),
        json!({"__extn": {"fn": "ip", "arg": "home"}}),
        json!({"__extn": {"fn": "decimal", "arg": {"__extn": {"fn": "decimal", "arg": "1.0"}}}}),
        json!({"__extn": {"fn": "datetime", "args": ["2026-01-01"]}}),
        json!({"__extn": {"fn": "offset", "args": [{"fn": "datetime", "arg": "2026-01-01"}, "1h"]}}),
        json!({"__extn": {"fn": "ip", "arg": "10.0.0.1", "more": 1}}),
        json!({"fn": "duration", "arg": "1h"}),
        json!({"x": 1, "more": 2}),
    ];
    dice.pick(&odds).clone()
}

/// Makes one thing in a value odd.
fn spoil(dice: &mut Dice, json: &mut Json) {
    match json {
        Json::Object(members) if !members.is_empty() && dice.roll(4) > 0 => {
            let keys: Vec<String> = members.keys().cloned().collect();
            let key = dice.pick(&keys);
            match dice.roll(8) {
                0 => drop(members.remove(key)),
                1 => drop(members.insert("more".to_owned(), json!(1))),
                _ => spoil(dice, members.get_mut(key).unwrap()),
            }
        }
        Json::Array(elements) if !elements.is_empty() && dice.roll(4) > 0 => {
            let place = usize::try_from(dice.roll(elements.len() as u64)).unwrap();
            spoil(dice, &mut elements[place]);
        }
        other => *other = odd(dice),
    }
}

fn by_shape(given: &Given, text: &str) -> Option<CoreContext> {
    let read = Record(&given.shape).deserialize(&mut serde_json::Deserializer::from_str(text)).ok()?;
    Some(CoreContext::Value(std::sync::Arc::new(read)))
}

fn by_cedar(given: &Given, json: Json) -> Option<CoreContext> {
    let context = Context::from_json_value(json, Some((&given.schema, &given.action))).ok()?;
    context.validate(&given.schema, &given.action).ok()?;
    Some(context.as_ref().clone())
}

/// The values are the same, and written the same.
fn same(one: &CoreContext, other: &CoreContext) -> bool {
    let (CoreContext::Value(a), CoreContext::Value(b)) = (one, other) else { return false };
    a == b && one.to_json_value().unwrap() == other.to_json_value().unwrap()
}

#[test]
fn what_callers_send_is_read_as_cedar_reads_it() {
    let given = given();
    for seed in 0..1500 {
        let mut dice = Dice(seed);
        let json = Json::Object(record(&mut dice, &given.shape));
        let read = by_shape(&given, &json.to_string());
        let read = read.unwrap_or_else(|| panic!("seed {seed}: not read: {json}"));
        let cedar =
            by_cedar(&given, json.clone()).unwrap_or_else(|| panic!("seed {seed}: not valid: {json}"));
        assert!(same(&read, &cedar), "seed {seed}: {json}");
    }
}

#[test]
fn what_is_odd_is_left_to_cedar_or_read_as_cedar_reads_it() {
    let given = given();
    let (mut read, mut left) = (0, 0);
    for seed in 0..6000 {
        let mut dice = Dice(seed);
        let mut json = Json::Object(record(&mut dice, &given.shape));
        for _ in 0..=dice.roll(2) {
            spoil(&mut dice, &mut json);
        }
        let Some(ours) = by_shape(&given, &json.to_string()) else {
            left += 1;
            continue;
        };
        read += 1;
        let cedar = by_cedar(&given, json.clone());
        assert!(cedar.is_some_and(|cedar| same(&ours, &cedar)), "seed {seed}: {json}");
    }
    assert!(read > 200 && left > 3000, "the cases must not be trivial: {read} read, {left} left");
}

#[test]
fn text_that_is_odd_is_left_to_cedar() {
    let given = given();
    let with = |more: &str| by_shape(&given, &format!(r#"{{"b":true,"l":1{more}}}"#)).is_some();
    assert!(with(""));
    assert!(with(r#","s":"A\n""#));
    for odd in [
        r#","b":true"#,
        r#","r":{"x":1,"x":1}"#,
        r#","u":{"type":"User","id":"a","id":"a"}"#,
        r#","d":{"__extn":{"fn":"datetime","fn":"datetime","arg":"2026-01-01"}}"#,
        r#","s":"\ud800""#,
        r#","l":1e3"#,
    ] {
        assert!(!with(odd), "{odd}");
    }
    assert!(by_shape(&given, r#"{"b":true,"l":-0}"#).is_none());
    assert!(by_shape(&given, r#"{"b":true,"l":9223372036854775807}"#).is_some());
    assert!(by_shape(&given, r#"{"b":true,"l":9223372036854775808}"#).is_none());
    let deep = format!(r#"{{"b":true,"l":1,"ds":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    assert!(by_shape(&given, &deep).is_none());
}

/// The short way reads what the long way reads, or leaves it to that.
#[test]
fn a_reference_is_the_same_however_it_is_read() {
    for (json, is_compact) in [
        (r#"{"type":"User","id":"ann"}"#, true),
        (r#"{"type":"N::T","id":""}"#, true),
        ("{\"type\":\"User\",\"id\":\"\u{e9}, {x: '1'}\"}", true),
        (r#"{"type": "User","id":"ann"}"#, false),
        (r#"{"id":"ann","type":"User"}"#, false),
        (r#"{"type":"User","id":"a\"n"}"#, false),
        (r#"{"type":"User","id":"a\\"}"#, false),
        (r#"{"type":"User","id":"a\u0000"}"#, false),
        (r#"{"type":"Us\u0065r","id":"ann"}"#, false),
        (r#"{"type":"User","id":"ann","x":"y"}"#, false),
        (r#"{"type":"User","id":"ann","type":"Role"}"#, false),
        (r#"{"type":"User","id":1}"#, false),
        (r#"{"type":"User","id":{"type":"User","id":"ann"}}"#, false),
        (r#"{"type":"User"}"#, false),
        (r#""User::\"ann\"""#, false),
    ] {
        let parts = |reference: Reference<'_>| (reference.type_name.to_string(), reference.id.to_string());
        serde_json::from_str::<Json>(json).unwrap();
        let compact = Reference::compact(json).map(parts);
        assert_eq!(compact.is_some(), is_compact, "{json}");
        let forms = References { text: false, escape: false };
        let long = forms.deserialize(&mut serde_json::Deserializer::from_str(json)).ok().map(parts);
        assert!(compact.is_none() || compact == long, "{json}: {compact:?}, {long:?}");
    }
}
