//! Turning the second factor on and off.

use serde_json::json;
use zeroize::Zeroizing;

use super::{
    store,
    totp::{self, SECRET_BYTES},
    verify::Proof,
};
use crate::{
    audit::{self, Actor},
    authn::{AuthnError, AuthnService, UserCaller},
    base::{Digest32, Millis, PlainToken, TenantId, UserId},
    mail::Kind,
    storage::Tx,
    write_tx,
};

/// How many recovery codes there are.
const CODES: usize = 10;
/// Random bytes of a recovery code: 80 bits, 16 characters.
const CODE_BYTES: usize = 10;

/// A secret that waits to be confirmed; shown once.
#[derive(Debug, Clone)]
pub struct Enrolment {
    /// In base32, to be typed.
    pub secret: PlainToken,
    /// The same as an `otpauth:` address, for a QR code.
    pub uri: PlainToken,
}

/// What a user has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecondFactor {
    /// Since when codes are asked for; none while they are not.
    pub since: Option<Millis>,
    /// How many recovery codes are left.
    pub codes_left: i64,
}

impl AuthnService {
    /// What the caller has.
    ///
    /// Errors: `Storage`.
    pub async fn second_factor(&self, caller: &UserCaller) -> Result<SecondFactor, AuthnError> {
        let (tenant, user) = (caller.tenant_id, caller.user_id);
        let mut run = &self.parts.db;
        let factor = store::get(&mut run, tenant, user).await?;
        let codes_left = store::codes_left(&mut run, tenant, user).await?;
        Ok(SecondFactor { since: factor.and_then(|factor| factor.confirmed_at_ms), codes_left })
    }

    /// Makes a secret for the caller, who confirms it with a code. One that was not confirmed is replaced.
    ///
    /// Errors: `StepUpRequired`, `MfaEnrolled`, `UserGone`, `Storage`, `Entropy`.
    pub async fn enrol_totp(&self, caller: &UserCaller) -> Result<Enrolment, AuthnError> {
        self.require_recent(caller)?;
        let parts = &self.parts;
        let (tenant, id) = (caller.tenant_id, caller.user_id);
        let user = parts.users.get(tenant, id).await?.ok_or(AuthnError::UserGone)?;
        let secret = Zeroizing::new(parts.entropy.bytes::<SECRET_BYTES>()?);
        let sealed = self.mfa_key.seal(&place(id), &*secret, &*parts.entropy)?;
        let stored = write_tx!(parts.db, "authn.enrol_totp", |tx| -> Result<bool, AuthnError> {
            Ok(store::put(tx, tenant, id, &sealed, parts.clock.now()).await?)
        })?;
        if !stored {
            return Err(AuthnError::MfaEnrolled);
        }
        let text = totp::base32(&*secret);
        let issuer = &parts.tokens.settings().issuer;
        let issuer = issuer.split_once("://").map_or(&**issuer, |(_, host)| host);
        let uri = totp::uri(&text, issuer, user.label());
        Ok(Enrolment { secret: PlainToken::new(text.to_string()), uri: PlainToken::new(uri) })
    }

    /// Turns the second factor on, with a code that proves that the app has the secret; answers the recovery
    /// codes.
    ///
    /// Errors: `StepUpRequired`, `MfaEnrolled`, `MfaMissing`, `MfaInvalid`, `TooManyAttempts`, `LoginLocked`,
    /// `Storage`, `Entropy`.
    pub async fn confirm_totp(
        &self,
        caller: &UserCaller,
        code: &str,
        actor: Actor<'_>,
    ) -> Result<Vec<PlainToken>, AuthnError> {
        self.require_recent(caller)?;
        let (tenant, user) = (caller.tenant_id, caller.user_id);
        let factor = store::get(&mut &self.parts.db, tenant, user).await?.ok_or(AuthnError::MfaMissing)?;
        if factor.confirmed_at_ms.is_some() {
            return Err(AuthnError::MfaEnrolled);
        }
        self.prove((tenant, user), &Proof::Code(code.to_owned()), actor.request_id).await?;
        let codes = self.new_codes()?;
        let parts = &self.parts;
        write_tx!(parts.db, "authn.confirm_totp", |tx| -> Result<(), AuthnError> {
            if !store::confirm(tx, tenant, user, parts.clock.now()).await? {
                return Err(AuthnError::MfaEnrolled);
            }
            store::replace_codes(tx, tenant, user, &digests(user, &codes)).await?;
            self.note_mfa(tx, (tenant, user), "mfa_enabled", actor).await
        })?;
        Ok(codes)
    }

    /// Turns the second factor off.
    ///
    /// Errors: `StepUpRequired`, `MfaMissing`, `Storage`, `Entropy`.
    pub async fn remove_totp(&self, caller: &UserCaller, actor: Actor<'_>) -> Result<(), AuthnError> {
        self.require_recent(caller)?;
        let (tenant, user) = (caller.tenant_id, caller.user_id);
        write_tx!(self.parts.db, "authn.remove_totp", |tx| -> Result<(), AuthnError> {
            if !store::delete(tx, tenant, user).await? {
                return Err(AuthnError::MfaMissing);
            }
            store::replace_codes(tx, tenant, user, &[]).await?;
            self.note_mfa(tx, (tenant, user), "mfa_disabled", actor).await
        })
    }

    /// Makes new recovery codes; the old ones are worth nothing any more.
    ///
    /// Errors: `StepUpRequired`, `MfaMissing`, `Storage`, `Entropy`.
    pub async fn renew_recovery_codes(
        &self,
        caller: &UserCaller,
        actor: Actor<'_>,
    ) -> Result<Vec<PlainToken>, AuthnError> {
        self.require_recent(caller)?;
        let (tenant, user) = (caller.tenant_id, caller.user_id);
        let codes = self.new_codes()?;
        write_tx!(self.parts.db, "authn.recovery_codes", |tx| -> Result<(), AuthnError> {
            let factor = store::get(tx, tenant, user).await?;
            if factor.is_none_or(|factor| factor.confirmed_at_ms.is_none()) {
                return Err(AuthnError::MfaMissing);
            }
            store::replace_codes(tx, tenant, user, &digests(user, &codes)).await?;
            self.note_mfa(tx, (tenant, user), "recovery_codes_renewed", actor).await
        })?;
        Ok(codes)
    }

    fn new_codes(&self) -> Result<Vec<PlainToken>, AuthnError> {
        let code = |_| {
            let text = totp::base32(&self.parts.entropy.bytes::<CODE_BYTES>()?).to_lowercase();
            let groups: Vec<&str> = (0..4).filter_map(|n| text.get(n * 4..n * 4 + 4)).collect();
            Ok(PlainToken::new(groups.join("-")))
        };
        (0..CODES).map(code).collect()
    }

    async fn note_mfa(
        &self,
        tx: &mut Tx,
        (tenant, user): (TenantId, UserId),
        action: &str,
        actor: Actor<'_>,
    ) -> Result<(), AuthnError> {
        let parts = &self.parts;
        parts.mail.queue_in(tx, tenant, Kind::SecondFactorChanged, Some(user), None).await?;
        let name = user.to_string();
        let entry = actor.does(tenant, action, &name, json!({}));
        Ok(audit::record(tx, parts.clock.now(), &*parts.entropy, entry).await?)
    }
}

/// Where the secret of a user is sealed to.
pub(in crate::authn) fn place(user: UserId) -> String {
    format!("totp_factors:secret:{user}")
}

fn digests(user: UserId, codes: &[PlainToken]) -> Vec<Digest32> {
    codes.iter().map(|code| code_digest(user, code.expose())).collect()
}

/// What is stored of a recovery code: bound to its user, without the hyphens and letter case of the typed one.
pub(super) fn code_digest(user: UserId, code: &str) -> Digest32 {
    let typed: String = code.chars().filter(char::is_ascii_alphanumeric).take(64).collect();
    Digest32::of(format!("{user}:{}", typed.to_ascii_lowercase()))
}
