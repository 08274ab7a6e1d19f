//! Where long work may pause. Pure: whoever asks for the work says what happens at each step.

use std::fmt;

/// The pace of one piece of work, which says at each of its steps that a pause would be convenient.
pub(super) struct Pace(Option<Box<dyn Fn() + Send>>);

impl Pace {
    /// Without a pause: nobody waits for the core but who waits for the work.
    pub(super) fn full() -> Self {
        Self(None)
    }

    /// With `pause` at every step, which may take some time or none.
    pub(super) fn with(pause: impl Fn() + Send + 'static) -> Self {
        Self(Some(Box::new(pause)))
    }

    /// Pauses if it is time.
    pub(super) fn step(&self) {
        if let Some(pause) = &self.0 {
            pause();
        }
    }
}

impl fmt::Debug for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Pace(with pauses)" } else { "Pace(full)" })
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fmt::Write as _,
        sync::{Arc, mpsc},
    };

    use super::*;
    use crate::policy::{Bundle, compile::compile_at};

    /// A bundle of so many policies, as many links, tests and entities.
    fn bundle(count: usize) -> Bundle {
        let mut policies = String::new();
        let (mut links, mut entities, mut tests) = (Vec::new(), Vec::new(), Vec::new());
        for n in 0..count {
            writeln!(policies, "@id(\"p{n}\") permit(principal == U::\"{n}\", action, resource);").unwrap();
            links.push(format!(r#"{{"template":"t","id":"l{n}","slots":{{"?principal":"U::\"l\""}}}}"#));
            entities.push(format!(r#"{{"uid":{{"type":"U","id":"{n}"}},"attrs":{{}},"parents":[]}}"#));
            let request = format!(r#"{{"principal":"U::\"{n}\"","action":"a","resource":"U::\"0\""}}"#);
            tests.push(format!(r#"{{"request":{request},"decision":"allow"}}"#));
        }
        let list = |elements: Vec<String>| format!("[{}]", elements.join(","));
        let files = [
            ("schema/s.cedarschema", "entity U; action a appliesTo {principal: U, resource: U};".to_owned()),
            ("templates/t.cedar", "@id(\"t\") permit(principal == ?principal, action, resource);".to_owned()),
            ("manifest.toml", String::new()),
            ("p.cedar", policies),
            ("links/l.json", list(links)),
            ("entities/e.json", list(entities)),
            ("tests/t.json", list(tests)),
        ];
        let files = files.map(|(path, text)| (path.to_owned(), Arc::from(text.into_bytes())));
        Bundle::new(files.into()).unwrap()
    }

    #[test]
    fn every_stage_of_a_compile_lets_others_have_the_core() {
        let steps_for = |count: usize| {
            let (stepped, steps) = mpsc::channel();
            let pace = Pace::with(move || stepped.send(()).unwrap());
            compile_at(pace, &bundle(count), &"paced".parse().unwrap()).unwrap();
            steps.iter().count()
        };
        // Policies and links are validated, linted, numbered, prepared and looked for among the tests; all links have
        // one place in the index, each policy one of its own. Links, entities and tests are read one by one, and
        // policies some 30 at a time (2 KiB).
        let (few, many) = (steps_for(100), steps_for(1_100));
        assert!(many - few >= 1_000 * (2 * 5 + 1 + 3) + 1_000 / 40, "{few} and {many}");
    }
}
