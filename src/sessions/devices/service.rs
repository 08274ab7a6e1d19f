//! A user's devices.

use serde_json::json;

use super::{Device, DeviceChange, store};
use crate::{
    audit::{self, Actor},
    base::{DeviceId, TenantId, UserId},
    revocations::{self, Ended as Revoked},
    sessions::{Ended, SessionError, SessionService, store as sessions},
    write_tx,
};

impl SessionService {
    /// The devices of a user, the last used first, 200 at most.
    ///
    /// Errors: `Storage`.
    pub async fn devices(&self, tenant: TenantId, user: UserId) -> Result<Vec<Device>, SessionError> {
        Ok(store::list(&mut &self.db, tenant, user, self.clock.now()).await?)
    }

    /// Whether a user still has a device that they signed in from.
    ///
    /// Errors: `Storage`.
    pub async fn has_device(
        &self,
        tenant: TenantId,
        user: UserId,
        device: DeviceId,
    ) -> Result<bool, SessionError> {
        Ok(store::has(&mut &self.db, tenant, user, device).await?)
    }

    /// Changes a device of a user, with its audit record.
    ///
    /// Errors: `NotFound`, `Storage`, `Entropy`.
    pub async fn change_device(
        &self,
        (tenant, user): (TenantId, UserId),
        device: DeviceId,
        change: &DeviceChange,
        actor: Actor<'_>,
    ) -> Result<(), SessionError> {
        write_tx!(self.db, "sessions.change_device", |tx| -> Result<(), SessionError> {
            let now = self.clock.now();
            if !store::change(tx, (tenant, user), device, change, now).await? {
                return Err(SessionError::NotFound);
            }
            let (subject, detail) = (device.to_string(), json!({ "trusted": change.is_trusted }));
            let entry = actor.does(tenant, "device_changed", &subject, detail);
            Ok(audit::record(tx, now, &*self.entropy, entry).await?)
        })
    }

    /// Removes a device of a user and ends its sessions, with one audit record. Its token is good for nothing from
    /// now on.
    ///
    /// Errors: `NotFound`, `Storage`, `Entropy`.
    pub async fn remove_device(
        &self,
        (tenant, user): (TenantId, UserId),
        device: DeviceId,
        actor: Actor<'_>,
    ) -> Result<(), SessionError> {
        let ended = write_tx!(self.db, "sessions.remove_device", |tx| -> Result<Ended, SessionError> {
            let now = self.clock.now();
            if !store::remove(tx, tenant, user, device).await? {
                return Err(SessionError::NotFound);
            }
            revocations::record(tx, now, Some(tenant), &Revoked::Device(device)).await?;
            let mut ended = Ended::default();
            for (id,) in sessions::revoke_of_device(tx, (tenant, user), device, "device_removed", now).await?
            {
                revocations::record(tx, now, Some(tenant), &Revoked::Session(id)).await?;
                ended.sessions.push((id, user, device));
            }
            let (subject, detail) = (device.to_string(), json!({ "user_id": user, "ended": ended.count() }));
            let entry = actor.does(tenant, "device_removed", &subject, detail);
            audit::record(tx, now, &*self.entropy, entry).await?;
            Ok(ended)
        })?;
        self.announce(&ended).await;
        Ok(())
    }
}
