//! Many questions to one store, on one version and one revision.
//!
//! Questions that send the same entities, or none, share a slice: what belongs to a principal or a resource is put
//! together once for all of them.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Instant,
};

use serde_json::value::RawValue;
use tokio::runtime::{Handle, RuntimeFlavor};

use super::{Answer, Ask, AuthorizeError, AuthorizeService, Pinned, identity::Named, service::Decided};
use crate::{
    base::TenantId,
    policy::{Entity, EntitySlice, Layers, Query, QueryProblem, QueryProblemKind},
};

/// Most questions that are decided on a thread that answers requests.
const SMALL: usize = 64;
/// Most users that questions with the same entities may name together.
const MAX_USERS: usize = 2_000;

/// Questions that have their entities in common.
struct Group<'a> {
    entities: Option<&'a RawValue>,
    members: Vec<usize>,
    named: Named,
}

/// A question that was read and decided.
type Made = Result<(Query, Decided), AuthorizeError>;

impl AuthorizeService {
    /// Decides questions in their order; identity is read in `tenant`. One that does not fit the schema is an error
    /// in its place and no other's concern. A large batch does not hold up the threads that answer requests.
    ///
    /// Errors: `Storage`, `Entropy`: an outage, of which nobody knows what it would have been.
    /// Source: authorize.md §1.
    pub async fn check_all(
        &self,
        tenant: TenantId,
        pinned: &Pinned,
        asks: &[Ask<'_>],
    ) -> Result<Vec<Result<Answer, AuthorizeError>>, AuthorizeError> {
        let mut answers: Vec<Option<Result<Answer, AuthorizeError>>> = asks.iter().map(|_| None).collect();
        for group in groups(pinned, asks) {
            let identity = self.identity.entities(&pinned.snapshot, tenant, &group.named).await?;
            let decide = || self.decide_group(pinned, &identity, asks, &group);
            let made = if group.members.len() > SMALL { self.aside(decide).await } else { decide() };
            for (place, made) in group.members.iter().copied().zip(made) {
                let answer = match made {
                    Ok((query, decided)) => Ok(self.finish(pinned, &query, decided).await?),
                    Err(error @ (AuthorizeError::Storage(_) | AuthorizeError::Entropy(_))) => {
                        return Err(error);
                    }
                    Err(error) => Err(error),
                };
                if let Some(slot) = answers.get_mut(place) {
                    *slot = Some(answer);
                }
            }
        }
        // What is in no group named too many users.
        Ok(answers.into_iter().map(|answer| answer.unwrap_or_else(|| Err(too_many_users().into()))).collect())
    }

    /// Decides the questions of a group, without waiting for anything.
    fn decide_group(
        &self,
        pinned: &Pinned,
        identity: &[Arc<Entity>],
        asks: &[Ask<'_>],
        group: &Group<'_>,
    ) -> Vec<Made> {
        let layers = Layers { identity, stored: pinned.entities.as_ref(), inline: group.entities };
        let slice = EntitySlice::new(&pinned.snapshot, layers);
        let members = group.members.iter().filter_map(|place| asks.get(*place));
        members
            .map(|ask| {
                let started = Instant::now();
                let made = slice.as_ref().map_err(|problem| problem.clone().into()).and_then(|slice| {
                    let query = pinned.snapshot.query(ask.parts(), ask.server)?;
                    let decided = self.decide_on(pinned, &query, slice, ask.explain)?;
                    Ok((query, decided))
                });
                self.count(pinned, made.as_ref().ok().map(|(_, decided)| &decided.verdict), started);
                made
            })
            .collect()
    }

    /// Runs work that takes milliseconds, so that this thread's other requests go on elsewhere; at most as many at
    /// once as there are processors.
    async fn aside<T>(&self, work: impl FnOnce() -> T) -> T {
        // An error would mean a closed semaphore; nobody closes it.
        let _turn = self.aside.acquire().await;
        match Handle::current().runtime_flavor() {
            RuntimeFlavor::CurrentThread => work(), // there is no other thread
            _ => tokio::task::block_in_place(work),
        }
    }
}

/// The questions by their entities. A question that would make a group name too many users is in none.
fn groups<'a>(pinned: &Pinned, asks: &[Ask<'a>]) -> Vec<Group<'a>> {
    let mut groups: Vec<(Group<'a>, HashSet<_>)> = Vec::new();
    let mut known: HashMap<Option<*const str>, usize> = HashMap::new();
    for (place, ask) in asks.iter().enumerate() {
        // The same text of the body, not an equal one: that is what an item without its own has.
        let key = ask.entities.map(|entities| std::ptr::from_ref(entities.get()));
        let at = *known.entry(key).or_insert_with(|| {
            let group = Group { entities: ask.entities, members: Vec::new(), named: Named::default() };
            groups.push((group, HashSet::new()));
            groups.len() - 1
        });
        let Some((group, users)) = groups.get_mut(at) else { continue };
        let named = Named::in_texts(ask.texts(), pinned.snapshot.identity());
        let new = named.users().filter(|user| !users.contains(user)).count();
        if users.len() + new <= MAX_USERS {
            group.named.add_all(named.users().filter(|user| users.insert(*user)), named.roles());
            group.members.push(place);
        }
    }
    groups.into_iter().map(|(group, _)| group).collect()
}

fn too_many_users() -> QueryProblem {
    let message = format!("the questions of a batch name at most {MAX_USERS} users together");
    QueryProblem { pointer: String::new(), kind: QueryProblemKind::TooLarge, message }
}
