//! What is asked about: a schema, entities, a mix of policies and questions, all from fixed seeds.
//!
//! The mix is that of the measurements that the design was chosen by: roles of teams on folders, single
//! resources, attributes, template links, and a few policies whose scope says next to nothing.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::wait::scatter;

/// Teams; each but the first ten is in one of them.
const TEAMS: u64 = 1_000;
/// Folders; each but the first ten is in one of them.
const FOLDERS: u64 = 1_000;
/// Roles.
const ROLES: u64 = 20;
/// Policies in one file.
const PER_FILE: u64 = 500;
/// Policies that apply to every user and document.
const GLOBAL: u64 = 4;
/// The fewest entities: teams, folders and roles, and somebody to ask about.
pub(crate) const FEWEST_ENTITIES: u64 = TEAMS + FOLDERS + ROLES + 2;

const SCHEMA: &str = r"
entity Role;
entity Team in [Team];
entity Folder in [Folder];
entity User in [Team, Role] = { department: String, clearance: Long };
entity Document in [Folder] = {
  owner: User, department: String, sensitivity: Long, public: Bool, archived: Bool,
};
type Circumstances = { mfa: Bool, risk: Long };
action view, comment, edit, delete appliesTo {
  principal: [User], resource: [Document], context: Circumstances,
};
";

const MANIFEST: &str = "name = \"bench\"\nsemver = \"1.0.0\"\nlevel = 1\n\n[identity]\nuser = \"User\"\n";

const TEMPLATE: &str = r#"@id("grant")
permit (principal in ?principal, action == Action::"edit", resource in ?resource)
unless { resource.archived };
"#;

/// Sizes of a world.
#[derive(Debug, Clone, Copy)]
pub(crate) struct World {
    pub(crate) policies: u64,
    pub(crate) entities: u64,
}

/// A question in the forms that are needed of it.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    pub(crate) principal: u64,
    pub(crate) action: &'static str,
    pub(crate) resource: u64,
    pub(crate) context: Value,
}

impl World {
    fn users(self) -> u64 {
        (self.entities - TEAMS - FOLDERS - ROLES) / 2
    }

    fn documents(self) -> u64 {
        self.entities - TEAMS - FOLDERS - ROLES - self.users()
    }

    /// The files of the store. `mark` becomes part of every policy's id, and of nothing else.
    pub(crate) fn files(self, mark: &str) -> BTreeMap<String, String> {
        let mut files = BTreeMap::from([
            ("manifest.toml".to_owned(), MANIFEST.to_owned()),
            ("schema/bench.cedarschema".to_owned(), SCHEMA.to_owned()),
            ("templates/grant.cedar".to_owned(), TEMPLATE.replace("\"grant\"", &format!("\"grant{mark}\""))),
        ]);
        let mut links = Vec::new();
        for number in 0..self.policies {
            let id = format!("p{number}{mark}");
            match self.policy(number, &id) {
                Some(text) => {
                    let path = format!("p{:03}.cedar", number / PER_FILE);
                    files.entry(path).or_default().push_str(&text);
                }
                None => links.push(json!({"template": format!("grant{mark}"), "id": id, "slots": {
                    "?principal": format!("Team::\"t{}\"", pick(number, 1, TEAMS)),
                    "?resource": format!("Folder::\"f{}\"", pick(number, 2, FOLDERS)),
                }})),
            }
        }
        files.insert("links/grants.json".to_owned(), Value::Array(links).to_string());
        files
    }

    /// The text of a policy; `None` for one that is a link.
    fn policy(self, number: u64, id: &str) -> Option<String> {
        let (team, folder) = (pick(number, 1, TEAMS), pick(number, 2, FOLDERS));
        let (user, document) = (pick(number, 3, self.users()), pick(number, 4, self.documents()));
        let text = match (number, number % 10) {
            (0, _) => "permit (principal is User, action, resource is Document)\n\
                when { principal == resource.owner };"
                .to_owned(),
            (1, _) => "permit (principal is User, action == Action::\"view\", resource is Document)\n\
                when { resource.public && !resource.archived };"
                .to_owned(),
            (2, _) => "forbid (principal is User, action in [Action::\"edit\", Action::\"delete\"], resource is Document)\n\
                when { resource.archived };"
                .to_owned(),
            (3, _) => "forbid (principal is User, action == Action::\"delete\", resource is Document)\n\
                when { resource.sensitivity > 3 && !context.mfa };"
                .to_owned(),
            (_, 0..=3) => format!(
                "permit (principal in Team::\"t{team}\", action in [Action::\"view\", Action::\"comment\"], \
                 resource in Folder::\"f{folder}\")\nwhen {{ context.mfa || resource.sensitivity < {} }};",
                2 + number % 3
            ),
            (_, 4..=5) => format!(
                "permit (principal == User::\"u{user}\", action == Action::\"edit\", resource == Document::\"d{document}\");"
            ),
            (_, 6..=7) => format!(
                "permit (principal is User, action == Action::\"view\", resource in Folder::\"f{folder}\")\n\
                 when {{ principal.department == resource.department && principal.clearance >= resource.sensitivity \
                 && context.risk < {} }};",
                5 + number % 5
            ),
            (_, 8) => return None,
            _ => format!(
                "forbid (principal in Role::\"r{}\", action == Action::\"delete\", resource in Folder::\"f{folder}\")\n\
                 unless {{ context.mfa }};",
                number % ROLES
            ),
        };
        Some(format!("@id(\"{id}\")\n{text}\n"))
    }

    /// Every entity, in Cedar's JSON form.
    pub(crate) fn entities(self) -> impl Iterator<Item = Value> {
        let nested = |kind: &'static str, prefix: &'static str, count: u64| {
            (0..count).map(move |number| {
                let parent = (number >= 10).then(|| json!({"type": kind, "id": format!("{prefix}{}", number / 10)}));
                let parents: Vec<Value> = parent.into_iter().collect();
                json!({"uid": {"type": kind, "id": format!("{prefix}{number}")}, "attrs": {}, "parents": parents})
            })
        };
        let roles = (0..ROLES).map(
            |number| json!({"uid": {"type": "Role", "id": format!("r{number}")}, "attrs": {}, "parents": []}),
        );
        let users = (0..self.users()).map(move |number| self.user(number));
        let documents = (0..self.documents()).map(move |number| self.document(number));
        nested("Team", "t", TEAMS)
            .chain(nested("Folder", "f", FOLDERS))
            .chain(roles)
            .chain(users)
            .chain(documents)
    }

    fn user(self, number: u64) -> Value {
        json!({
            "uid": {"type": "User", "id": format!("u{number}")},
            "attrs": {"department": department(number), "clearance": number % 6},
            "parents": [
                {"type": "Team", "id": format!("t{}", number % TEAMS)},
                {"type": "Role", "id": format!("r{}", number % ROLES)},
            ],
        })
    }

    fn document(self, number: u64) -> Value {
        json!({
            "uid": {"type": "Document", "id": format!("d{number}")},
            "attrs": {
                "owner": {"__entity": {"type": "User", "id": format!("u{}", self.owner(number))}},
                "department": department(number / 3), "sensitivity": number % 6,
                "public": number.is_multiple_of(17), "archived": number.is_multiple_of(23),
            },
            "parents": [{"type": "Folder", "id": format!("f{}", number % FOLDERS)}],
        })
    }

    fn owner(self, document: u64) -> u64 {
        document * 7 % self.users()
    }

    /// Questions over all users and documents: half of them at random, a quarter by owners, a quarter about
    /// what some policy's scope names.
    pub(crate) fn questions(self, count: u64) -> Vec<Question> {
        (0..count).map(|number| self.question(number)).collect()
    }

    fn question(self, number: u64) -> Question {
        let seed = scatter(number ^ 0x5eed);
        let actions = ["view", "view", "view", "comment", "edit", "edit", "delete", "view"];
        let mut action = actions[usize::try_from(seed % 8).unwrap()];
        let mut resource = pick(number, 11, self.documents());
        let mut principal = pick(number, 12, self.users());
        match number % 4 {
            0 => principal = self.owner(resource),
            1 if self.policies > GLOBAL => {
                // A user of the policy's team and a document of its folder; for a single grant, those two.
                let policy = GLOBAL + pick(number, 13, self.policies - GLOBAL);
                let within = |first: u64, step: u64, count: u64| {
                    let rounds = (count - first).div_ceil(step).max(1);
                    (first + step * pick(number, 14, rounds)) % count
                };
                principal = within(pick(policy, 1, TEAMS) % self.users(), TEAMS, self.users());
                resource = within(pick(policy, 2, FOLDERS) % self.documents(), FOLDERS, self.documents());
                if matches!(policy % 10, 4..=5) {
                    (principal, resource) =
                        (pick(policy, 3, self.users()), pick(policy, 4, self.documents()));
                    action = "edit";
                }
            }
            _ => {}
        }
        let context = json!({"mfa": seed & 8 == 0, "risk": seed / 16 % 10});
        Question { principal, action, resource, context }
    }

    /// Fourteen entities for a request: the two that it is about, their surroundings, and some others.
    pub(crate) fn inline(self, question: &Question) -> Vec<Value> {
        let chain = |kind: &str, prefix: &str, first: u64| {
            let mut found = Vec::new();
            let mut at = Some(first);
            while let Some(number) = at {
                at = (number >= 10).then_some(number / 10);
                let parent = at.map(|up| json!({"type": kind, "id": format!("{prefix}{up}")}));
                let parents: Vec<Value> = parent.into_iter().collect();
                found.push(json!({"uid": {"type": kind, "id": format!("{prefix}{number}")}, "attrs": {}, "parents": parents}));
            }
            found
        };
        let mut entities = vec![self.user(question.principal), self.document(question.resource)];
        entities.extend(chain("Team", "t", question.principal % TEAMS));
        entities.extend(chain("Folder", "f", question.resource % FOLDERS));
        let role = format!("r{}", question.principal % ROLES);
        entities.push(json!({"uid": {"type": "Role", "id": role}, "attrs": {}, "parents": []}));
        let others = (1_u64..).map(|step| (question.resource + step) % self.documents());
        let missing = 14_usize.saturating_sub(entities.len());
        entities.extend(others.take(missing).map(|number| self.document(number)));
        entities
    }
}

impl Question {
    /// The body of `/v1/authorize`, without the store.
    pub(crate) fn body(&self) -> Value {
        json!({
            "principal": {"type": "User", "id": format!("u{}", self.principal)},
            "action": self.action,
            "resource": {"type": "Document", "id": format!("d{}", self.resource)},
            "context": self.context,
        })
    }
}

fn department(number: u64) -> String {
    format!("dep{}", number % 50)
}

/// A number below `below` that follows from `number` and which of its choices this is.
fn pick(number: u64, choice: u64, below: u64) -> u64 {
    scatter(number.wrapping_mul(31).wrapping_add(choice.wrapping_mul(0x0001_0000_0001))) % below
}
