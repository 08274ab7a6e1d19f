//! The threats of the threat model, each with the test that proves its defence, named after its row.

mod histories;
mod t05_token_kinds;
pub(crate) mod t09_enumeration;
mod t10_hash_storm;
mod t17_cross_site;
mod t18_mass_assignment;
mod t19_tenant_crossing;
mod t20_api_keys;
mod t29_revoked_keys;
mod t33_hash_bombs;
mod t41_link_poisoning;
mod t42_links;
mod t43_second_factor;
mod t44_lockout;
mod t46_origins;
mod t47_key_rotation;
mod t48_sealed_profiles;
mod t48_stolen_database;
mod t53_issuance;
mod t54_stuffing;
mod t55_device_theft;
mod t56_widening;
mod t57_client_secrets;
mod t58_step_up;
mod t60_erasure;
