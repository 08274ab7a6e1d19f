//! What every other module stands on: ids, time, randomness and secrets.
//!
//! Nothing here knows a table, a request or a policy, and nothing here reads the clock or the
//! operating system's randomness by itself: both arrive as [`Clock`] and [`Entropy`], so that a
//! test moves time by hand and repeats a run from a seed.

mod base62;
mod clock;
mod id;
mod mac;
mod merge_patch;
mod network;
mod page;
mod precondition;
mod random;
mod seal;
mod secret;

pub use base62::{from_base62, to_base62};
pub use clock::{Clock, ManualClock, Millis, SystemClock};
pub use id::{
    ApiKeyId, AuditId, ClientId, DecisionId, DeviceId, EventId, IdError, MailId, NodeId, RequestId,
    RoleBindingId, SessionId, TenantId, UserId,
};
pub use mac::MacKey;
pub use merge_patch::merge_patch;
pub use network::{lets_in, parse_network};
pub use page::{Cursor, CursorError, Limit, Page};
pub use precondition::IfMatch;
pub use random::{Entropy, EntropyError, OsEntropy, SeededEntropy};
pub use seal::{SealError, SealingKey};
pub use secret::{Digest32, MasterKey, PlainToken, constant_time_eq};
