//! What every request passes, from the outside in, and why in this order.
//!
//! 1. `envelope`: gives the request its id, writes problem bodies with it, logs once. Outermost, so
//!    that nothing below can answer without an id or a log line.
//! 2. `headers`: security headers on every answer; on the public listener, context headers that only
//!    a gateway may set are removed from the request in every spelling (T24).
//! 3. CORS: only when origins are configured; answers preflights before any work is done.
//! 4. panic guard: a bug becomes a problem, with the headers of the above, and the server lives on.
//! 5. `deadline`: an answer that takes too long is a problem with `Retry-After`.
//!
//! The body is read under its own limit and deadline by the `Json` extractors.

mod deadline;
mod envelope;
mod headers;
mod stack;

pub(super) use stack::{Audience, wrap};
