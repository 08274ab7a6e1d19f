//! ★ The policy engine: versioned stores of Cedar policies, compiled to snapshots that decide.

mod bundle;
mod model;

pub use bundle::{Bundle, BundleError};
pub use model::{
    Determining, Effect, Finding, Findings, IdentityTypes, NameError, PolicyError, PolicyId, Severity,
    StoreName, Verdict, VersionNumber,
};
