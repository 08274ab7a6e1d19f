//! What tenants can book (R96): names with a rate, out of the configuration.

/// A plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Its name; also the attribute `plan` of the Cedar entity.
    pub name: String,
    /// Requests a second of each of the tenant's own API keys; none without a limit.
    pub rate: Option<u32>,
}

/// The plans of the installation.
#[derive(Debug, Clone, Default)]
pub struct Plans(Vec<Plan>);

impl Plans {
    /// The plans that `name=rate` spell, where a rate of 0 is no limit. What is spelled otherwise was refused when the
    /// configuration was read.
    #[must_use]
    pub fn new(spelled: &[String]) -> Self {
        let plan = |text: &String| {
            let (name, rate) = text.split_once('=')?;
            let rate = rate.parse().ok()?;
            Some(Plan { name: name.to_owned(), rate: (rate > 0).then_some(rate) })
        };
        Self(spelled.iter().filter_map(plan).collect())
    }

    /// The plan of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Plan> {
        self.0.iter().find(|plan| plan.name == name)
    }
}
