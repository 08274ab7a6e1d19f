//! Which actions of the audit log are events, and what each tells.

/// One kind of event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// The action of the audit log that it is.
    pub action: &'static str,
    /// Its CloudEvents `type`.
    pub name: &'static str,
    /// What consumers of the older documents call it.
    pub legacy: Option<&'static str>,
    /// What its data calls the id of its subject.
    pub subject: &'static str,
    /// What its data takes from the detail of the audit record, where it is there.
    pub keeps: &'static [&'static str],
}

macro_rules! catalog {
    ($($action:literal => $name:literal $($legacy:literal)?, $subject:ident [$($keep:ident)*];)+) => {
        /// Every kind of event.
        pub const CATALOG: &[Kind] = &[$(Kind {
            action: $action,
            name: $name,
            legacy: catalog!(@ $($legacy)?),
            subject: stringify!($subject),
            keeps: &[$(stringify!($keep),)*],
        },)+];
    };
    (@ $legacy:literal) => { Some($legacy) };
    (@) => { None };
}

catalog! {
    "user_created" => "bwk.user.created.v1" "USER_CREATED", user_id [status];
    "user_locked" => "bwk.user.locked.v1" "USER_LOCKED", user_id [];
    "user_unlocked" => "bwk.user.unlocked.v1" "USER_UNLOCKED", user_id [];
    "user_changed" => "bwk.user.updated.v1" "ACCOUNT_UPDATED", user_id [];
    "user_deleted" => "bwk.user.deleted.v1" "USER_DELETED", user_id [];
    "user_disabled" => "bwk.user.disabled.v1" "USER_DISABLED", user_id [];

    "session_opened" => "bwk.session.created.v1" "USER_LOGGED_IN", session_id [user_id amr];
    "session_revoked" => "bwk.session.ended.v1" "USER_LOGGED_OUT", session_id [user_id reason];
    "sessions_revoked" => "bwk.sessions.ended.v1" "USER_LOGGED_OUT", of [user_id reason kept ended];
    "refresh_reused" => "bwk.session.compromised.v1" "REFRESH_REUSE_DETECTED", session_id [user_id];
    "fingerprint_mismatch" => "bwk.session.mismatched.v1", session_id [user_id other];
    "device_removed" => "bwk.device.removed.v1", device_id [user_id ended];
    "login_anomaly" => "bwk.login.anomaly.v1" "LOGIN_ANOMALY", of [logins failed];

    "password_changed" => "bwk.credential.password_changed.v1" "PASSWORD_CHANGED", user_id [];
    "password_reset" => "bwk.credential.password_reset.v1" "PASSWORD_CHANGED", user_id [];
    "email_changed" => "bwk.credential.email_changed.v1" "EMAIL_CHANGED", user_id [];
    "email_verified" => "bwk.credential.email_verified.v1" "EMAIL_VERIFIED", user_id [];
    "mfa_enabled" => "bwk.credential.mfa_enrolled.v1" "MFA_ENROLLED", user_id [];
    "mfa_disabled" => "bwk.credential.mfa_removed.v1" "MFA_REMOVED", user_id [];

    "profile_created" => "bwk.profile.created.v1" "PROFILE_CREATED", user_id [];
    "profile_updated" => "bwk.profile.updated.v1" "PROFILE_UPDATED", user_id [changed];

    "role_granted" => "bwk.role.granted.v1" "ROLE_GRANTED", user_id [role];
    "role_revoked" => "bwk.role.revoked.v1" "ROLE_REVOKED", user_id [role];

    "api_key_created" => "bwk.api_key.created.v1" "API_KEY_CREATED", key_id [];
    "api_key_promoted" => "bwk.api_key.promoted.v1" "API_KEY_PROMOTED", key_id [];
    "api_key_revoked" => "bwk.api_key.revoked.v1" "API_KEY_REVOKED", key_id [reason];

    "oauth_client_changed" => "bwk.oauth_client.changed.v1", client_id [status];
    "oauth_client_secret_rotated" => "bwk.oauth_client.secret_rotated.v1" "SERVICE_TOKEN_ROTATED", client_id [];
    "oauth_client_deleted" => "bwk.oauth_client.deleted.v1", client_id [];
    "oauth_token_revoked" => "bwk.oauth_token.revoked.v1", client_id [jti];

    "tenant_created" => "bwk.tenant.created.v1" "TENANT_CREATED", tenant_id [];
    "tenant_updated" => "bwk.tenant.updated.v1" "TENANT_UPDATED", tenant_id [];
    "tenant_suspended" => "bwk.tenant.suspended.v1" "TENANT_SUSPENDED", tenant_id [];
    "tenant_resumed" => "bwk.tenant.resumed.v1", tenant_id [];

    "signing_key_activated" => "bwk.signing_key.activated.v1" "SIGNING_KEY_ROTATED", kid [];
    "signing_key_revoked" => "bwk.signing_key.revoked.v1", kid [successor];
    "policy_version_activated" => "bwk.policy.activated.v1" "POLICY_CHANGED", store [from to];
}

/// Actions of the audit log that are no events: steps on the way to one, and what concerns nobody outside.
pub const UNTOLD: &[&str] = &[
    "api_key_updated",
    "device_changed",
    "email_change_asked",
    "entities_replaced",
    "entities_written",
    "entity_deleted",
    "entity_patched",
    "entity_put",
    "fingerprint_changed",
    "login_locked",
    "login_unlocked",
    "oauth_client_created",
    "policy_version_published",
    "recovery_codes_renewed",
    "role_created",
    "role_deleted",
    "second_factors_rewrapped",
    "setup_token_made",
    "signing_key_published",
    "signing_key_retired",
    "signing_key_rewrapped",
    "signing_key_rotation_ordered",
    "signing_key_unusable",
    "user_data_rewrapped",
    "user_link_made",
    "user_made_pending",
    "users_exported",
];

impl Kind {
    /// The kind that an action of the audit log is, if it is one.
    pub fn of(action: &str) -> Option<&'static Self> {
        CATALOG.iter().find(|kind| kind.action == action)
    }

    /// The kind of this CloudEvents `type`.
    pub fn named(name: &str) -> Option<&'static Self> {
        CATALOG.iter().find(|kind| kind.name == name)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn actions_and_names_are_one_to_one() {
        let actions: BTreeSet<_> =
            CATALOG.iter().map(|kind| kind.action).chain(UNTOLD.iter().copied()).collect();
        let names: BTreeSet<_> = CATALOG.iter().map(|kind| kind.name).collect();
        assert_eq!((actions.len(), names.len()), (CATALOG.len() + UNTOLD.len(), CATALOG.len()));
        assert!(names.iter().all(|name| name.starts_with("bwk.") && name.contains(".v1")));
    }
}
