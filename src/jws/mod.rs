//! Reading signed tokens (JWS compact serialisation, RFC 7515 §7.1): one function, one order, no panics.
//!
//! Pure, and on its own: `tokens` reads what this server issued with it, `enforce` what reaches another
//! service. Signatures are Ed25519's or those of ECDSA on P-256, and each key has its algorithm, so nothing
//! can be confused with it: no symmetric key, no `none`, no choice of the token's.
//!
//! INVARIANT: [`verify`] is the only way from a token's text to its claims. It is total: any text is
//! accepted or refused.

mod key;
mod verify;

pub use key::{Algorithm, VerifyingKey};
pub use verify::{Audience, Expected, Kind, Refusal, unverified_claim, verify, verify_assertion};
