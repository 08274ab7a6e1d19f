//! What the compiler finds in broken stores: code, file, line and column.

use std::{collections::BTreeMap, sync::Arc};

use bailiwick::policy::{Bundle, Compiled, Findings, Severity, compile};

const SCHEMA: &str = "entity User = { name: String, boss?: User };\nentity Doc = { owner: User };\n\
                      action view appliesTo { principal: [User], resource: [Doc], context: {} };\n";
const POLICY: &str = "@id(\"p\")\npermit(principal, action, resource);\n";

/// A good store with files replaced or added; an empty path list means the good store.
pub(crate) fn store(changes: &[(&str, &[u8])]) -> Result<Compiled, Findings> {
    let mut files: BTreeMap<String, Arc<[u8]>> = BTreeMap::new();
    for (path, bytes) in [
        ("manifest.toml", &b""[..]),
        ("schema/a.cedarschema", SCHEMA.as_bytes()),
        ("p.cedar", POLICY.as_bytes()),
    ]
    .iter()
    .chain(changes)
    {
        files.insert((*path).to_owned(), Arc::from(*bytes));
    }
    compile(&Bundle::new(files).unwrap(), &"broken".parse().unwrap())
}

/// The findings in short: `code file:line:column`, warnings with a `~`.
fn short(outcome: Result<Compiled, Findings>) -> Vec<String> {
    let findings = outcome.map_or_else(|findings| findings, |compiled| compiled.findings);
    let line = |finding: &bailiwick::policy::Finding| {
        let mark = if finding.severity == Severity::Warning { "~" } else { "" };
        let place =
            finding.line.map_or(String::new(), |line| format!(":{line}:{}", finding.column.unwrap_or(0)));
        format!("{mark}{} {}{place}", finding.code, finding.file)
    };
    findings.iter().map(line).collect()
}

#[track_caller]
fn finds(path: &str, text: &str, expected: &[&str]) {
    let outcome = store(&[(path, text.as_bytes())]);
    let told = outcome.as_ref().map_or_else(ToString::to_string, |compiled| compiled.findings.to_string());
    assert_eq!(short(outcome), expected, "{path}: {text}\n{told}");
}

#[test]
fn a_good_store_has_no_findings() {
    assert_eq!(short(store(&[])), [""; 0]);
    finds("empty.cedar", "", &[]);
    finds("links/empty.json", " \n", &[]);
    finds(
        "bom.cedar",
        "\u{feff}@id(\"q\")\r\nforbid(principal, action, resource)\r\nwhen { false };",
        &["~impossible_policy bom.cedar:1:1"],
    );
}

#[test]
fn manifests() {
    finds("manifest.toml", "name = \"x\"\nlevels = 3\n", &["manifest manifest.toml:2:1"]);
    finds("manifest.toml", "name = [", &["manifest manifest.toml:1:9"]);
    finds("manifest.toml", "level = \"é\"\n", &["manifest manifest.toml:1:9"]);
    finds("manifest.toml", "\n[identity]\nuser = \"Usr\"\n", &["identity manifest.toml:2:1"]);
    finds(
        "manifest.toml",
        "[aliases]\nDoc = \"User\"\nd = \"Dok\"",
        &["alias manifest.toml:1:1", "alias manifest.toml:1:1"],
    );
    finds("manifest.toml", "required_annotations = [\"reason\"]", &["annotation p.cedar:1:1"]);
}

#[test]
fn schemas() {
    finds("schema/b.cedarschema", "entity A;\nentity = ;", &["schema schema/b.cedarschema:2:8"]);
    finds("schema/b.cedarschema", "entity A;\nentity B in [Nope];\n", &["schema schema/b.cedarschema:2:14"]);
    finds("schema/b.cedarschema", "entity Doc;", &["schema schema/a.cedarschema:2:1"]);
    finds(
        "schema/b.cedarschema",
        "action x appliesTo { principal: [User], resource: [Doc],\n context: { bailiwick: { now: String } } };",
        &["server_context schema/b.cedarschema:2:13"],
    );
    finds(
        "schema/b.cedarschema",
        &format!("type T = {}Long;", "Set<".repeat(600)),
        &["too_deep schema/b.cedarschema:1:2005"],
    );
}

#[test]
fn policies() {
    finds("q.cedar", "@id(\"q\")\npermit(principal, action, resource)\nwhen { é };", &["parse q.cedar:3:8"]);
    finds(
        "q.cedar",
        "permit(principal, action, resource);\n\n  forbid(principal, action, resource);",
        &["missing_id q.cedar:1:1", "missing_id q.cedar:3:3"],
    );
    finds("q.cedar", "\n@id(\"p\")\npermit(principal, action, resource);", &["duplicate_id q.cedar:2:1"]);
    finds("q.cedar", "@id(\"\")permit(principal, action, resource);", &["missing_id q.cedar:1:1"]);
    finds(
        "q.cedar",
        "@id(\"q\")\npermit(principal == ?principal, action, resource);",
        &["template q.cedar:1:1"],
    );
    finds(
        "templates/q.cedar",
        "@id(\"q\")\npermit(principal, action, resource);",
        &["template templates/q.cedar:1:1"],
    );
    let bytes: &[u8] = b"// \xc3\xa9\n  \xff";
    assert_eq!(short(store(&[("q.cedar", bytes)])), ["encoding q.cedar:2:3"]);
}

#[test]
fn validation() {
    finds(
        "q.cedar",
        "@id(\"q\")\npermit(principal, action, resource)\nwhen { \"é\" == principal.name && principal.nam };",
        &["validation q.cedar:3:33"],
    );
    finds("q.cedar", "@id(\"q\")\npermit(principal is Usr, action, resource);", &["validation q.cedar:2:21"]);
    finds(
        "q.cedar",
        "@id(\"q\")\npermit(principal, action, resource) when {\n  resource.owner.boss.name == \"x\" };",
        &["validation q.cedar:3:3"],
    );
    finds(
        "q.cedar",
        "@id(\"q\")\npermit(principal, action, resource) when {\n  resource.owner has boss && resource.owner.boss.name == \"x\" };",
        &["level q.cedar:3:30"],
    );
    finds(
        "q.cedar",
        "@id(\"q\") permit(principal, action, resource);\n@id(\"r\")\nforbid(principal, action == Action::\"nope\", resource);\n\
         @id(\"s\") permit(principal is Doc, action, resource);",
        &[
            "validation q.cedar:3:29",
            "~invalid_action_application q.cedar:4:1",
            "~impossible_policy q.cedar:4:1",
        ],
    );
}

#[test]
fn places_in_a_file_that_cedar_reads_in_parts() {
    // Some 8 KiB of policies between two mistakes of each stage, and what looks like the end of a policy in each.
    let good = |n: u32| {
        format!("// a; b \"\n@id(\"g{n}\")\npermit(principal == User::\"é;//\", action, resource);\n")
    };
    let between: String = (0..130).map(good).collect();
    assert!(between.len() > 8_000 && between.lines().count() == 390);
    let with = |mistake: &str| format!("{mistake}\n{between}  {mistake}\n");
    let last = 392;
    finds(
        "b.cedar",
        &with("permit(principal, action, resorce);"),
        &["parse b.cedar:1:27".to_owned(), format!("parse b.cedar:{last}:29")].each_ref().map(String::as_str),
    );
    finds(
        "b.cedar",
        &with("permit(principal, action, resource);"),
        &["missing_id b.cedar:1:1", &format!("missing_id b.cedar:{last}:3")],
    );
    finds(
        "b.cedar",
        &with("@id(\"v\") permit(principal, action, resource) when { principal.nam == \"x\" };")
            .replacen("\"v\"", "\"w\"", 1),
        &["validation b.cedar:1:53", &format!("validation b.cedar:{last}:55")],
    );
    finds("b.cedar", &format!("{between}  permit(principal"), &[&format!("parse b.cedar:{}:19", last - 1)]);
    finds("b.cedar", &format!("{between}  \"never closed"), &[&format!("parse b.cedar:{}:3", last - 1)]);
    finds("b.cedar", &format!("{between}\n;\n"), &[&format!("parse b.cedar:{last}:1")]);
    finds("b.cedar", &between, &[]);
}

#[test]
fn whoever_has_very_many_is_told_of_a_thousand() {
    let many = store(&[("b.cedar", "permit(principal, action, resorce);\n".repeat(100_000).as_bytes())]);
    let told = short(many).len();
    assert!((1_000..1_100).contains(&told), "{told}");
    for (condition, code) in [("principal.nam == \"x\"", "validation"), ("false", "~impossible_policy")] {
        let policy = |n| {
            format!(
                "@id(\"q{n}\") permit(principal == User::\"x\", action, resource) when {{ {condition} }};\n"
            )
        };
        let told = short(store(&[("b.cedar", (0..1_010).map(policy).collect::<String>().as_bytes())]));
        assert_eq!(told.len(), 1_000, "{code}");
        assert!(told.iter().all(|one| one.starts_with(code)), "{told:?}");
    }
}

#[test]
fn what_is_wrong_with_a_template_is_not_said_of_its_links_and_hides_nothing() {
    let template =
        "@id(\"t\")\npermit(principal == ?principal, action, resource) when { principal.nam == \"x\" };";
    let link = |n| format!(r#"{{"template":"t","id":"l{n}","slots":{{"?principal":"User::\"x\""}}}}"#);
    let links = (0..1_010).map(link).collect::<Vec<_>>().join(",");
    let wrong = r#"{"template":"u","id":"wrong","slots":{"?principal":"Unknown::\"x\""}}"#;
    let good = "@id(\"u\") permit(principal == ?principal, action, resource);";
    let policy = "@id(\"z\") permit(principal, action, resource) when { principal.nam == \"x\" };";
    let told = short(store(&[
        ("templates/t.cedar", template.as_bytes()),
        ("templates/u.cedar", good.as_bytes()),
        ("links/l.json", format!("[{links},\n{wrong}]").as_bytes()),
        ("z.cedar", policy.as_bytes()),
    ]));
    let expected =
        ["validation links/l.json:2:1", "validation templates/t.cedar:2:58", "validation z.cedar:1:53"];
    assert_eq!(told, expected);
}

#[test]
fn policies_that_no_scope_narrows_down() {
    let finds_in = |policy: &str, expected: &[&str]| {
        finds("q.cedar", &format!("@id(\"q\")\n{policy};\n"), expected);
    };
    let unindexed = ["~unindexed q.cedar:1:1"];
    finds_in("permit(principal, action, resource) when { principal.name == \"x\" }", &unindexed);
    finds_in(
        "forbid(principal, action == Action::\"view\", resource) unless { resource.owner == principal }",
        &unindexed,
    );
    finds_in("permit(principal, action, resource) when { true && principal == User::\"x\" }", &unindexed);
    // Narrowed down by the scope, or by how the condition begins; or there is nothing to say of them.
    finds_in("permit(principal is User, action, resource) when { principal.name == \"x\" }", &[]);
    finds_in(
        "permit(principal, action, resource) when { resource is Doc && resource.owner == principal }",
        &[],
    );
    finds_in(
        "permit(principal, action, resource) when { principal == User::\"x\" && principal.name == \"x\" }",
        &[],
    );
    finds_in("forbid(principal, action, resource) unless { context == {} }", &[]);
}

#[test]
fn links() {
    let template =
        ("templates/t.cedar", &b"@id(\"t\")\npermit(principal == ?principal, action, resource);"[..]);
    let cases: [(&str, &[&str]); 8] = [
        ("[\n {\"template\":\"t\",\"id\":\"l\",\"slots\":{\"?principal\":\"User::\\\"a\\\"\"}}\n]", &[]),
        ("[\n {\"template\":\"u\",\"id\":\"l\",\"slots\":{}}\n]", &["link links/l.json:2:2"]),
        ("[\n {\"template\":\"t\",\"id\":\"l\",\"slots\":{}}\n]", &["link links/l.json:2:2"]),
        ("[{\"template\":\"t\",\"id\":\"t\",\"slots\":{}}\n]", &["duplicate_id links/l.json:1:2"]),
        (
            "[{\"template\":\"t\",\"id\":\"l\",\"slots\":{\"?principal\":\"User\"}}]",
            &["link links/l.json:1:2"],
        ),
        ("[\n{\"template\":\"t\",\n\"idd\":1}]", &["link links/l.json:3:5"]),
        ("[\n", &["link links/l.json:2:1"]),
        (
            "[\n {\"template\":\"t\",\"id\":\"l\",\"slots\":{\"?principal\":\"Nope::\\\"a\\\"\"}}\n]",
            &["validation links/l.json:2:2"],
        ),
    ];
    for (text, expected) in cases {
        let outcome = store(&[template, ("links/l.json", text.as_bytes())]);
        assert_eq!(short(outcome), expected, "{text}");
    }
}

#[test]
fn entities_and_tests() {
    finds(
        "entities/e.json",
        "[\n  {\"uid\":{\"type\":\"User\",\"id\":\"a\"},\"attrs\":{},\"parents\":[]}]",
        &["entity entities/e.json:2:3"],
    );
    finds("entities/e.json", "[{\"uid\":", &["entity entities/e.json:1:8"]);
    let twice = "[{\"uid\":{\"type\":\"User\",\"id\":\"a\"},\"attrs\":{\"name\":\"x\"},\"parents\":[]},\n\
                 {\"uid\":{\"type\":\"User\",\"id\":\"a\"},\"attrs\":{\"name\":\"x\"},\"parents\":[]}]";
    finds("entities/e.json", twice, &["entity entities/e.json:2:1"]);
    let case = |decision: &str| {
        format!(
            "[\n\n {{\"name\":\"n\",\"request\":{{\"principal\":\"User::\\\"a\\\"\",\"action\":\"view\",\
             \"resource\":\"Doc::\\\"d\\\"\"}},\"decision\":\"{decision}\"}}]"
        )
    };
    finds("tests/t.json", &case("allow"), &[]);
    finds("tests/t.json", &case("deny"), &["test_failed tests/t.json:3:2"]);
    finds("tests/t.json", &case("maybe"), &["test_format tests/t.json:3:109"]);
    finds("tests/t.json", "[{\"request\":{\"principal\":\"x\"}}]", &["test_format tests/t.json:1:29"]);
}

#[test]
fn a_duplicate_names_the_other_place_and_a_failing_test_its_case() {
    let findings = store(&[("q.cedar", POLICY.as_bytes())]).unwrap_err();
    let duplicate = findings.iter().next().unwrap();
    assert_eq!(duplicate.message, "the id `p` is also at p.cedar:1");
    let case = r#"[{"name": "nobody views", "request": {"principal": "User::\"a\"", "action": "view",
        "resource": "Doc::\"d\""}, "decision": "deny"}]"#;
    let findings = store(&[("tests/t.json", case.as_bytes())]).unwrap_err();
    let failed = findings.iter().next().unwrap();
    assert_eq!(failed.message, "test `nobody views`: expected deny, got allow by `p`");
}

#[test]
fn no_text_however_deep_ends_the_process() {
    for (deep, closing) in
        [("(", ")"), ("!", ""), ("a.", ""), ("if true then true else ", ""), ("[", "]"), ("true && ", "")]
    {
        let text = format!(
            "@id(\"q\") permit(principal, action, resource) when {{ {}true{} }};",
            deep.repeat(100_000),
            closing.repeat(100_000)
        );
        let findings = store(&[("q.cedar", text.as_bytes())]).unwrap_err();
        assert_eq!(findings.iter().next().unwrap().code, "too_deep", "{deep}");
    }
    let json = "[".repeat(100_000);
    for path in ["links/l.json", "entities/e.json", "tests/t.json"] {
        assert!(store(&[(path, json.as_bytes())]).unwrap_err().any_error());
    }
    let toml = format!("aliases = {}", "[".repeat(100_000));
    assert!(store(&[("manifest.toml", toml.as_bytes())]).unwrap_err().any_error());
}
