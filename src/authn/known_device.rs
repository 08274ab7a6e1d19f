//! Devices that signed in before, and can prove it.
//!
//! A sign-in answers a device token beside the others: the device's id under a tag of ours, bound to the user
//! and their epoch. At a later sign-in it says "this user was here with me before" and nothing else: it opens
//! no session and names none. So it may be kept for long, and dies with the user's epoch.
//!
//! The id alone would not do: it stands in access tokens and lists of sessions.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

use super::{AuthnError, AuthnService};
use crate::{
    base::{DeviceId, PlainToken, TenantId, UserId},
    mail::Kind,
    sessions::LiveSession,
    users::User,
    write_tx,
};

/// What a device token begins with.
const PREFIX: &str = "bwk_dt_";
/// Bytes of its tag.
const TAG_BYTES: usize = 16;

impl AuthnService {
    /// The token by which the device of a session is known from now on.
    #[must_use]
    pub fn device_token(&self, session: &LiveSession) -> PlainToken {
        let tag = self.device_tag(session.tenant_id, session.user_id, session.epoch, session.device_id);
        let tag = BASE64_URL_SAFE_NO_PAD.encode(tag.get(..TAG_BYTES).unwrap_or(&tag));
        PlainToken::new(format!("{PREFIX}{}.{tag}", session.device_id))
    }

    /// Tells a user of a sign-in from a device that is not the one they are `known` on; not of their first. Failing is
    /// no error: they are signed in.
    ///
    /// Source: ASVS 5.0 §6.3.5.
    pub(super) async fn tell_of_new_device(&self, session: &LiveSession, known: Option<DeviceId>) {
        let parts = &self.parts;
        if known == Some(session.device_id) || !parts.mail.is_on() {
            return;
        }
        let (tenant, user) = (session.tenant_id, session.user_id);
        let told = async {
            if parts.sessions.devices(tenant, user).await?.len() < 2 {
                return Ok(());
            }
            write_tx!(parts.db, "authn.new_device", |tx| -> Result<(), AuthnError> {
                Ok(parts.mail.queue_in(tx, tenant, Kind::NewDevice, Some(user), None).await?)
            })
        };
        if let Err(error) = told.await {
            tracing::warn!(error = &error as &dyn std::error::Error, "a user is not told of a new device");
        }
    }

    /// The device of `user` that a token proves; none when it proves nothing.
    pub(super) fn known_device(&self, user: &User, token: &str) -> Option<DeviceId> {
        let (device, tag) = token.strip_prefix(PREFIX)?.split_once('.')?;
        let device = device.parse().ok()?;
        let tag = BASE64_URL_SAFE_NO_PAD.decode(tag).ok().filter(|tag| tag.len() == TAG_BYTES)?;
        let parts = device_parts(user.tenant_id, user.id, user.token_epoch, device);
        self.device_key.verify(&parts.each_ref().map(String::as_bytes), &tag).then_some(device)
    }

    fn device_tag(&self, tenant: TenantId, user: UserId, epoch: i64, device: DeviceId) -> [u8; 32] {
        self.device_key.tag(&device_parts(tenant, user, epoch, device).each_ref().map(String::as_bytes))
    }
}

fn device_parts(tenant: TenantId, user: UserId, epoch: i64, device: DeviceId) -> [String; 4] {
    [tenant.to_string(), user.to_string(), epoch.to_string(), device.to_string()]
}
