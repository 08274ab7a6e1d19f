//! What every request passes, from the outside in, and why in this order.
//!
//! 1. `envelope`: gives the request its id, removes context headers that only a gateway may set in every
//!    spelling (T24, on the public listener), writes problem bodies with the id, adds the security headers,
//!    counts and logs once (`record`). Outermost, so that nothing below can answer without these.
//! 2. `cross_origin`: answers pages of other origins, and their preflights, before any work is done.
//! 3. `guard`: a bug becomes a problem and the server lives on; an answer that takes too long is a problem
//!    with `Retry-After`.
//!
//! Put on the router as one layer (`stack`): a router boxes each layer that it is given, and copies it for every
//! request. The body is read under its own limit and deadline by the `Json` extractors.

mod cross_origin;
mod envelope;
mod guard;
mod headers;
mod record;
mod stack;

pub(super) use stack::{Audience, wrap};
