//! The origins that any tenant lists. Asked before it is known whose request it is: a page's preflight (R36) names no
//! tenant.

use std::{collections::HashSet, time::Duration};

use tokio::sync::Mutex;

use super::{TenantService, store};
use crate::{base::Millis, storage::Result};

/// How long what was read counts: so late does a change on another node count here.
const TTL: Duration = Duration::from_secs(5);

/// What was read last. As much as tenants have stored, whatever origins strangers make up; and one look into the
/// database for all that ask at once.
#[derive(Debug, Default)]
pub(super) struct Origins(Mutex<Option<Listed>>);

#[derive(Debug)]
struct Listed {
    origins: HashSet<String>,
    at: Millis,
}

impl Origins {
    /// Has the lists read again: one of them changed on this node.
    pub(super) async fn forget(&self) {
        *self.0.lock().await = None;
    }
}

impl TenantService {
    /// Whether an active tenant lists this origin; it is compared whole.
    ///
    /// Errors: the database failed.
    pub async fn lists_origin(&self, origin: &str) -> Result<bool> {
        let now = self.parts.clock.now();
        let mut held = self.origins.0.lock().await;
        if !held.as_ref().is_some_and(|listed| listed.at <= now && now.since(listed.at) < TTL) {
            let lists = store::listed_origins(&mut &self.parts.db).await?;
            let origins =
                lists.iter().flat_map(|(list,)| list.split_whitespace()).map(str::to_owned).collect();
            *held = Some(Listed { origins, at: now });
        }
        Ok(held.as_ref().is_some_and(|listed| listed.origins.contains(origin)))
    }
}
