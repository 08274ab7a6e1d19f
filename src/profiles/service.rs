//! Use cases around profiles.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{
    Profile, ProfileError, Resealed, Wrong, claims, metadata,
    sealed::{Columns, ProfileRow},
    store,
};
use crate::{
    audit::{self, Actor},
    base::{Clock, Entropy, IfMatch, MasterKey, SealingKey, TenantId, UserId, merge_patch},
    storage::{Db, Run, Tx},
    telemetry::metrics::Metrics,
    users::UserService,
    write_tx,
};

type Result<T, E = ProfileError> = std::result::Result<T, E>;

/// Profiles that are read at once when all are sealed anew.
const RESEALED_AT_ONCE: i64 = 100;

/// What the service is made of.
#[derive(Debug)]
pub struct ProfileParts {
    /// The truth.
    pub db: Db,
    /// Whose profiles they are.
    pub users: UserService,
    /// Where what does not open is counted.
    pub metrics: Arc<Metrics>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
}

/// Reads and changes profiles.
#[derive(Debug)]
pub struct ProfileService {
    parts: ProfileParts,
    sealing: SealingKey,
}

impl ProfileService {
    /// The service, with its key out of the master key.
    #[must_use]
    pub fn new(parts: ProfileParts, master: &MasterKey) -> Self {
        Self { parts, sealing: master.sealing_key("profiles") }
    }

    pub(super) fn users(&self) -> &UserService {
        &self.parts.users
    }

    /// The profile of a user; an empty one where nothing was said.
    ///
    /// Errors: `NotFound`, `Unreadable`, `Storage`.
    pub async fn get(&self, tenant: TenantId, user: UserId) -> Result<Profile> {
        self.parts.users.get(tenant, user).await?.ok_or(ProfileError::NotFound)?;
        self.read(&mut &self.parts.db, tenant, user).await
    }

    /// Changes a profile by a JSON merge patch (RFC 7396) over its claims and its `metadata`, with its audit record,
    /// which has the names of what changed and none of the values. A patch that changes nothing writes nothing.
    ///
    /// Errors: `NotFound`, `Changed` (not as `expected`), `Invalid`, `Unreadable`, `Storage`, `Entropy`.
    pub async fn patch(
        &self,
        (tenant, user): (TenantId, UserId),
        patch: Map<String, Value>,
        expected: &IfMatch,
        actor: Actor<'_>,
    ) -> Result<Profile> {
        let patch = Patch::read(patch)?;
        let parts = &self.parts;
        write_tx!(parts.db, "profiles.patch", |tx| -> Result<Profile> {
            parts.users.get_in(tx, tenant, user).await?.ok_or(ProfileError::NotFound)?;
            let before = self.read(tx, tenant, user).await?;
            let revision = before.revision;
            if !expected.holds(Some(revision)) {
                return Err(ProfileError::Changed { revision });
            }
            let after = patch.applied(before.clone())?;
            let changed = before.changed(&after);
            if changed.is_empty() {
                return Ok(before);
            }
            if revision == 0 {
                self.begin_in(tx, tenant, user, actor).await?;
            }
            let now = parts.clock.now();
            let after = Profile { revision: revision + 1, updated_at: Some(now), ..after };
            let sealed = Columns::of(&after, &self.sealing, &*parts.entropy)?;
            if !store::put(tx, (tenant, user), &sealed, after.revision, now).await? {
                return Err(ProfileError::Changed { revision });
            }
            let subject = user.to_string();
            let entry = actor.does(tenant, "profile_updated", &subject, json!({ "changed": changed }));
            audit::record(tx, now, &*parts.entropy, entry).await?;
            Ok(after)
        })
    }

    /// Gives a user an empty profile, with its audit record, unless there is one (R16).
    ///
    /// Errors: `Storage`, `Entropy`.
    pub(super) async fn begin_in(
        &self,
        tx: &mut Tx,
        tenant: TenantId,
        user: UserId,
        actor: Actor<'_>,
    ) -> Result<()> {
        let parts = &self.parts;
        let now = parts.clock.now();
        let sealed = Columns::of(&Profile::empty(user), &self.sealing, &*parts.entropy)?;
        if store::put(tx, (tenant, user), &sealed, 0, now).await? {
            let subject = user.to_string();
            let entry = actor.does(tenant, "profile_created", &subject, json!({}));
            audit::record(tx, now, &*parts.entropy, entry).await?;
        }
        Ok(())
    }

    /// Seals every profile with the present master key, one by one: what an interruption leaves over, the next run
    /// does. One that does not open is passed over, and told when the others are done.
    ///
    /// Errors: `Unreadable` (neither the present nor the previous master key opens it), `Storage`, `Entropy`.
    pub async fn reseal(&self) -> Result<Resealed> {
        let parts = &self.parts;
        let key_id = self.sealing.id();
        let kept = store::count_sealed(&mut &parts.db, &key_id).await?;
        let mut done = Resealed { resealed: 0, kept: usize::try_from(kept).unwrap_or_default() };
        let (mut after, mut first_refused) = (String::new(), Ok(()));
        loop {
            let rows = store::sealed_otherwise(&mut &parts.db, &key_id, &after, RESEALED_AT_ONCE).await?;
            let Some(last) = rows.last() else { return first_refused.map(|()| done) };
            after = last.user_id.to_string();
            for row in rows {
                let profile = match self.open(&row) {
                    Ok(profile) => profile,
                    Err(refused) => {
                        first_refused = first_refused.and(Err(refused));
                        continue;
                    }
                };
                let sealed = Columns::of(&profile, &self.sealing, &*parts.entropy)?;
                let resealed = write_tx!(parts.db, "profiles.reseal", |tx| -> Result<bool> {
                    Ok(store::reseal(tx, &row, &sealed).await?)
                })?;
                // One that somebody changed meanwhile is sealed with the present key already.
                if resealed { done.resealed += 1 } else { done.kept += 1 }
            }
        }
    }

    async fn read(&self, run: &mut dyn Run, tenant: TenantId, user: UserId) -> Result<Profile> {
        let row = store::get(run, tenant, user).await?;
        row.map_or_else(|| Ok(Profile::empty(user)), |row| self.open(&row))
    }

    /// SECURITY: what does not open is counted for an alarm, and nobody is shown anything in its place (T48).
    fn open(&self, row: &ProfileRow) -> Result<Profile> {
        row.open(&self.sealing).inspect_err(|_| self.parts.metrics.seal_refused())
    }
}

/// A patch in its normal form.
struct Patch {
    claims: Map<String, Value>,
    metadata: Option<Value>,
}

impl Patch {
    fn read(mut members: Map<String, Value>) -> Result<Self> {
        let mut wrong = Vec::new();
        let metadata = members.remove(metadata::NAME);
        if metadata.as_ref().is_some_and(|given| !given.is_null() && !given.is_object()) {
            wrong.push(of_metadata("must be an object".to_owned()));
        }
        let claims = claims::normal(members, &mut wrong);
        if wrong.is_empty() { Ok(Self { claims, metadata }) } else { Err(ProfileError::Invalid(wrong)) }
    }

    fn applied(&self, before: Profile) -> Result<Profile> {
        let plain = |_: &Map<String, Value>| false;
        let mut claims = merge_patch(before.claims, &self.claims, plain);
        claims.retain(|_, value| value.as_object().is_none_or(|parts| !parts.is_empty()));
        let metadata = match &self.metadata {
            None => before.metadata,
            Some(Value::Object(patch)) => merge_patch(before.metadata, patch, plain),
            Some(_) => Map::new(),
        };
        metadata::check(&metadata).map_err(|why| ProfileError::Invalid(vec![of_metadata(why)]))?;
        Ok(Profile { claims, metadata, ..before })
    }
}

fn of_metadata(why: String) -> Wrong {
    Wrong { pointer: format!("/{}", metadata::NAME), why }
}
