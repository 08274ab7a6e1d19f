//! The sets of actions that scopes name, as bit sets over numbered actions, each distinct one stored once.

use std::collections::BTreeSet;

use cedar_policy::Entities;
use foldhash::HashMap;

use crate::policy::engine::cedar::{ActionConstraint, Uid};

/// Bits of a word of a set.
const BITS: usize = u64::BITS as usize;

/// The number of a set of actions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct ActionSet(u32);

impl ActionSet {
    /// All actions, those that the schema does not know among them.
    pub(super) const EVERY: Self = Self(u32::MAX);
}

/// The sets of an index.
#[derive(Debug)]
pub(super) struct ActionSets {
    numbers: HashMap<Uid, usize>,
    /// Words of one set.
    width: usize,
    /// The sets one after the other.
    words: Vec<u64>,
}

impl ActionSets {
    /// Whether a set holds an action, given by its number.
    pub(super) fn holds(&self, set: ActionSet, action: Option<usize>) -> bool {
        if set == ActionSet::EVERY {
            return true;
        }
        let Some(action) = action else { return false };
        let word = self.words.get(set.0 as usize * self.width + action / BITS);
        word.is_some_and(|word| word >> (action % BITS) & 1 == 1)
    }

    /// The number of an action; `None` when neither the schema nor a policy names it.
    pub(super) fn number(&self, action: &Uid) -> Option<usize> {
        self.numbers.get(action).copied()
    }
}

/// Numbers the sets while an index is built.
#[derive(Debug, Default)]
pub(super) struct ActionSetsBuilder {
    numbers: HashMap<Uid, usize>,
    /// For each action and group: the actions in it, itself among them.
    members: HashMap<Uid, Vec<usize>>,
    /// What was expanded already.
    known: HashMap<ActionConstraint, ActionSet>,
    sets: HashMap<BTreeSet<usize>, ActionSet>,
}

impl ActionSetsBuilder {
    /// For the action entities of a schema, each with all groups that it is in.
    pub(super) fn new(actions: &Entities) -> Self {
        let mut builder = Self::default();
        for action in actions.iter() {
            let uid = action.uid();
            let number = builder.number(uid.as_ref());
            for group in actions.ancestors(&uid).into_iter().flatten() {
                builder.members.entry(group.as_ref().clone()).or_default().push(number);
            }
        }
        builder
    }

    /// The set of the actions that match a constraint.
    pub(super) fn set(&mut self, constraint: &ActionConstraint) -> ActionSet {
        if let Some(known) = self.known.get(constraint) {
            return *known;
        }
        let mut set = BTreeSet::new();
        match constraint {
            ActionConstraint::Any => return ActionSet::EVERY,
            ActionConstraint::Eq(action) => drop(set.insert(self.number(action))),
            ActionConstraint::In(groups) => {
                for group in groups {
                    set.insert(self.number(group));
                    set.extend(self.members.get(&**group).into_iter().flatten());
                }
            }
        }
        let next = ActionSet(u32::try_from(self.sets.len()).unwrap_or(u32::MAX - 1));
        let number = *self.sets.entry(set).or_insert(next);
        self.known.insert(constraint.clone(), number);
        number
    }

    pub(super) fn build(self) -> ActionSets {
        let width = self.numbers.len().div_ceil(BITS);
        let mut words = vec![0; width * self.sets.len()];
        for (members, set) in self.sets {
            for member in members {
                if let Some(word) = words.get_mut(set.0 as usize * width + member / BITS) {
                    *word |= 1 << (member % BITS);
                }
            }
        }
        ActionSets { numbers: self.numbers, width, words }
    }

    fn number(&mut self, action: &Uid) -> usize {
        let next = self.numbers.len();
        *self.numbers.entry(action.clone()).or_insert(next)
    }
}
