//! What profiles do because of what others did: they begin with their user (R16), and remember when the user last
//! signed out (R47).

use futures_util::future::BoxFuture;

use super::{ProfileError, ProfileService, store};
use crate::{
    audit::Actor,
    base::UserId,
    events::{Consumer, Event, HandleError},
    storage::Tx,
};

const USER_CREATED: &str = "bwk.user.created.v1";
const SESSION_ENDED: &str = "bwk.session.ended.v1";
const SESSIONS_ENDED: &str = "bwk.sessions.ended.v1";
/// Why a session ended that its user ended: a sign of life, which the doings of others are not.
const BY_USER: [&str; 2] = ["signed_out", "signed_out_everywhere"];

impl Consumer for ProfileService {
    fn name(&self) -> &'static str {
        "profiles"
    }

    fn wants(&self, name: &str) -> bool {
        [USER_CREATED, SESSION_ENDED, SESSIONS_ENDED].contains(&name)
    }

    fn handle<'a>(&'a self, tx: &'a mut Tx, event: &'a Event) -> BoxFuture<'a, Result<(), HandleError>> {
        Box::pin(async move { self.follow(tx, event).await.map_err(HandleError::of) })
    }
}

impl ProfileService {
    async fn follow(&self, tx: &mut Tx, event: &Event) -> Result<(), ProfileError> {
        let is_new = event.name == USER_CREATED;
        if !is_new && !event.text("reason").is_some_and(|reason| BY_USER.contains(&reason)) {
            return Ok(());
        }
        let Some(user) = event.text("user_id").and_then(|id| id.parse::<UserId>().ok()) else {
            return Ok(());
        };
        let tenant = event.tenant_id;
        if self.users().get_in(tx, tenant, user).await?.is_none() {
            return Ok(()); // gone meanwhile, with all that was theirs
        }
        let actor = Actor { name: "system", request_id: event.request_id.as_deref() };
        self.begin_in(tx, tenant, user, actor).await?;
        if !is_new {
            store::set_last_activity(tx, (tenant, user), event.at).await?;
        }
        Ok(())
    }
}
