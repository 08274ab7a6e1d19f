//! Proving the second factor: at a sign-in, and again in an open session.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use super::{
    operations::{code_digest, place},
    store::{self, Step},
    totp,
};
use crate::{
    audit::Actor,
    authn::{
        AuthnError, AuthnService, SignedIn, UserCaller, gate::BY_TWO, lockout::Subject, service::BY_PASSWORD,
        throttle::Limit,
    },
    base::{DeviceId, Digest32, PlainToken, TenantId, UserId},
    sessions::{ClientInfo, Ended, Grant, NewSession, SessionError},
    storage::Tx,
    telemetry::metrics::LoginResult,
    users::User,
    write_tx,
};

/// How long a sign-in waits for its second factor.
const STEP_TTL: Duration = Duration::from_mins(5);
/// How often a code may be tried for one of them.
const MOST_TRIES: i64 = 5;
/// How a code of an app is named in `amr` (RFC 8176 §2).
const BY_CODE: &str = "otp";

/// What proves the second factor.
#[derive(Debug, Clone)]
pub enum Proof {
    /// A code of the app.
    Code(String),
    /// A recovery code.
    Recovery(String),
}

/// The second half of a sign-in.
#[derive(Debug, Clone)]
pub struct MfaLogin {
    /// What the first half answered.
    pub token: SecretString,
    /// What proves the second factor.
    pub proof: Proof,
    /// Where it comes from.
    pub client: ClientInfo,
}

/// A proof in an open session of who its user is.
#[derive(Debug, Clone)]
pub struct StepUp {
    /// The password.
    pub password: SecretString,
    /// The second factor, where the user has one.
    pub proof: Option<Proof>,
    /// Where it comes from.
    pub client: ClientInfo,
}

impl AuthnService {
    /// The token with which a user goes on whose password was right; none where that is enough.
    ///
    /// Errors: `Storage`, `Entropy`.
    pub(in crate::authn) async fn second_step_in(
        &self,
        tx: &mut Tx,
        user: &User,
        device_id: Option<DeviceId>,
    ) -> Result<Option<PlainToken>, AuthnError> {
        let factor = store::get(tx, user.tenant_id, user.id).await?;
        if factor.is_none_or(|factor| factor.confirmed_at_ms.is_none()) {
            return Ok(None);
        }
        let (token, now) = (PlainToken::random(&*self.parts.entropy)?, self.parts.clock.now());
        let (tenant_id, user_id, epoch) = (user.tenant_id, user.id, user.token_epoch);
        let step = Step { tenant_id, user_id, epoch, device_id };
        store::insert_step(tx, &token.digest(), step, now, now.plus(STEP_TTL)).await?;
        Ok(Some(token))
    }

    /// Goes on with a sign-in: a session, with an id of its own. Ends the token that led here.
    ///
    /// Errors: `MfaInvalid` (the token or the code), `TooManyAttempts`, `LoginLocked`, `Denied`, `ProofDemanded`,
    /// `Undecided`, `Storage`, `Entropy`.
    pub async fn login_with_second_factor(
        &self,
        login: &MfaLogin,
        request_id: Option<&str>,
    ) -> Result<SignedIn, AuthnError> {
        let parts = &self.parts;
        let digest = Digest32::of(login.token.expose_secret());
        // A try is taken and committed before the code is looked at: of many at once none is free.
        let step = write_tx!(parts.db, "authn.mfa_try", |tx| -> Result<Option<Step>, AuthnError> {
            Ok(store::try_step(tx, &digest, MOST_TRIES, parts.clock.now()).await?)
        })?;
        let step = step.ok_or(AuthnError::MfaInvalid)?;
        let (tenant, id) = (step.tenant_id, step.user_id);
        self.prove((tenant, id), &login.proof, request_id).await?;
        let user = parts.users.get(tenant, id).await?.ok_or(AuthnError::MfaInvalid)?;
        let (epoch, device, amr) = (step.epoch, step.device_id, amr_of(Some(&login.proof)));
        let new = NewSession { epoch, amr, device, ..self.session_for(&user) };
        self.ask_to_enter(&new, &login.client, None).await?;
        let name = user.id.to_string();
        let actor = Actor { name: &name, request_id };
        let grant = write_tx!(parts.db, "authn.mfa_login", |tx| -> Result<Grant, AuthnError> {
            if !store::end_step(tx, &digest).await? {
                return Err(AuthnError::MfaInvalid);
            }
            match parts.sessions.open_in(tx, &new, &login.client, actor).await {
                Err(SessionError::Outdated) => Err(AuthnError::MfaInvalid),
                grant => Ok(grant?),
            }
        })?;
        parts.metrics.login_ended(LoginResult::Good);
        parts.sessions.opened(&grant.session).await;
        self.tell_of_new_device(&grant.session, device).await;
        self.signed_in(user, grant).await
    }

    /// Proves anew who the caller is: a fresh session in the place of the one that asks, whose `auth_time` is now.
    /// Who has a second factor proves it too.
    ///
    /// Errors: `InvalidCredentials`, `MfaInvalid` (also where a second factor is missing), `TooManyAttempts`,
    /// `LoginLocked`, `Overloaded`, `UserGone`, `Storage`, `Entropy`.
    /// Source: RFC 9470 §4.
    pub async fn step_up(
        &self,
        caller: &UserCaller,
        step_up: &StepUp,
        request_id: Option<&str>,
    ) -> Result<SignedIn, AuthnError> {
        let parts = &self.parts;
        let (tenant, id) = (caller.tenant_id, caller.user_id);
        self.throttle.admit(Limit::Password, &[&caller.name], parts.clock.now(), &parts.metrics).await?;
        let known = parts.users.credentials(tenant, id).await?.ok_or(AuthnError::UserGone)?;
        let verdict = parts.passwords.verify(&step_up.password, known.phc.as_ref()).await?;
        let subject = Subject::Device(caller.device_id);
        if !verdict.matches {
            write_tx!(parts.db, "authn.count_failure", |tx| -> Result<(), AuthnError> {
                self.count_failure_in(tx, tenant, &subject, request_id).await
            })?;
            return Err(AuthnError::InvalidCredentials);
        }
        let factor = store::get(&mut &parts.db, tenant, id).await?;
        let has_factor = factor.is_some_and(|factor| factor.confirmed_at_ms.is_some());
        let proof = step_up.proof.as_ref().filter(|_| has_factor);
        match proof {
            Some(proof) => self.prove((tenant, id), proof, request_id).await?,
            None if has_factor => return Err(AuthnError::MfaInvalid),
            None => {}
        }
        let (epoch, device, amr) = (caller.claims.ep, Some(caller.device_id), amr_of(proof));
        let new = NewSession { epoch, amr, device, ..self.session_for(&known.user) };
        let actor = Actor { name: &caller.name, request_id };
        let done = write_tx!(parts.db, "authn.step_up", |tx| -> Result<(Ended, Grant), AuthnError> {
            self.pass_lock_in(tx, tenant, &subject).await?;
            let session = caller.session_id;
            let ended = parts.sessions.revoke_in(tx, (tenant, id, session), "stepped_up", actor).await?;
            match parts.sessions.open_in(tx, &new, &step_up.client, actor).await {
                Err(SessionError::Outdated) => Err(AuthnError::InvalidCredentials),
                grant => Ok((ended, grant?)),
            }
        });
        let (ended, grant) = done?;
        parts.sessions.announce(&ended).await;
        parts.sessions.opened(&grant.session).await;
        self.signed_in(known.user, grant).await
    }

    /// Takes a proof of the second factor, once. A wrong one is counted.
    ///
    /// Errors: `MfaInvalid`, `TooManyAttempts`, `LoginLocked`, `Storage`, `Entropy`.
    pub(super) async fn prove(
        &self,
        (tenant, user): (TenantId, UserId),
        proof: &Proof,
        request_id: Option<&str>,
    ) -> Result<(), AuthnError> {
        let (parts, now) = (&self.parts, self.parts.clock.now());
        self.throttle.admit(Limit::SecondFactor, &[&user.to_string()], now, &parts.metrics).await?;
        let subject = Subject::SecondFactor(user);
        let proven = write_tx!(parts.db, "authn.prove", |tx| -> Result<bool, AuthnError> {
            let proven = match proof {
                Proof::Recovery(code) => {
                    store::use_code(tx, tenant, user, &code_digest(user, code), now).await?
                }
                Proof::Code(code) => match self.step_in(tx, (tenant, user), code).await? {
                    Some(step) => store::use_step(tx, tenant, user, step).await?,
                    None => false,
                },
            };
            if proven {
                self.pass_lock_in(tx, tenant, &subject).await?;
            } else {
                self.count_failure_in(tx, tenant, &subject, request_id).await?;
            }
            Ok(proven)
        })?;
        if proven { Ok(()) } else { Err(AuthnError::MfaInvalid) }
    }

    /// The step that a code of the user's app is of.
    async fn step_in(
        &self,
        tx: &mut Tx,
        (tenant, user): (TenantId, UserId),
        code: &str,
    ) -> Result<Option<i64>, AuthnError> {
        let Some(factor) = store::get(tx, tenant, user).await? else { return Ok(None) };
        match self.mfa_key.open(&place(user), &factor.secret_sealed).map(Zeroizing::new) {
            Ok(secret) => Ok(totp::step_of(&secret, code, self.parts.clock.now())),
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, %user, "the secret of a second factor does not open");
                self.parts.metrics.seal_refused();
                Ok(None)
            }
        }
    }
}

/// How somebody proved who they are, by password and perhaps a second factor.
fn amr_of(proof: Option<&Proof>) -> Vec<String> {
    let words: &[&str] = match proof {
        None => &[BY_PASSWORD],
        Some(Proof::Code(_)) => &[BY_PASSWORD, BY_CODE, BY_TWO],
        Some(Proof::Recovery(_)) => &[BY_PASSWORD, BY_TWO],
    };
    words.iter().map(|word| (*word).to_owned()).collect()
}
