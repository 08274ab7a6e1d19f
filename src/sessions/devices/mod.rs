//! Devices: what a user signs in from, for as long as they keep it (R51).
//!
//! ```text
//! sign-in without a device token ──→ new device ──→ kept ──→ removed by its user: its sessions end with it
//! sign-in with one ───────────────→ the same device again, seen now
//! ```
//! A device is recognised by a token that we handed to it, never by an id that a request names (threat T16). Its
//! public key is what it said of itself; it is kept for proof of possession and proves nothing yet.

mod model;
mod service;
mod store;

pub use model::{Device, DeviceChange, DeviceName, PublicKey, PublicKeyError};
pub(super) use store::{add, forget_unused, see, used};
