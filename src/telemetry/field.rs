//! Names of log fields: the same thing has the same name in every line.
//!
//! ```
//! use bailiwick::telemetry::field;
//! tracing::info!({ field::REQUEST_ID } = "req_…", { field::LATENCY_MS } = 12, "answered");
//! ```

/// Id of the request, as in the `x-request-id` header.
pub const REQUEST_ID: &str = "request_id";
/// Id of the tenant.
pub const TENANT_ID: &str = "tenant_id";
/// Id of the user. Never an address or a name.
pub const USER_ID: &str = "user_id";
/// Id of the session.
pub const SESSION_ID: &str = "session_id";
/// HTTP method.
pub const METHOD: &str = "method";
/// Route as it is declared, never the path as it was sent.
pub const ROUTE: &str = "route";
/// HTTP status of the answer.
pub const STATUS: &str = "status";
/// Stable code of a problem.
pub const CODE: &str = "code";
/// Time taken, milliseconds.
pub const LATENCY_MS: &str = "latency_ms";
/// Action that was decided on.
pub const ACTION: &str = "action";
/// Name of a policy store.
pub const STORE: &str = "store";
/// Number of a policy version.
pub const VERSION: &str = "version";
/// Outcome of a decision: `allow` or `deny`.
pub const DECISION: &str = "decision";
/// An error with its causes.
pub const ERROR: &str = "error";
