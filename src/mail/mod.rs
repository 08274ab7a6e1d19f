//! Mail to users: what is to be told, queued in the transaction that it is about, and a server that takes it.
//!
//! ```text
//!  transaction ─► `mails`: kind, to whom ─► claimed, with a lease ─► written ─► SMTP ─► forgotten
//!                                              ▲                               │ fails
//!                                              └──── 1 min, 2, 4, … 8 times ◄──┘
//! ```
//! - The queue holds no text and no token: only what a mail is about. `authn` writes it when its turn has come,
//!   with a token made then, so that nothing in a stolen database opens an account (threat T48), and a request
//!   for an unknown address costs what one for a known address costs (threat T9).
//! - A mail may be sent twice, after a crash between sending and forgetting; its links are then two, and
//!   using one ends the other.
//! - Without a server nothing is queued.
//!
//! It does not know users, links or languages.

mod error;
mod letters;
mod model;
mod service;
mod smtp;
mod store;

pub use error::{DeliveryError, MailError};
pub use letters::{Letter, Pages};
pub use model::{Kind, Notice};
pub use service::MailService;
pub use smtp::{Smtp, SmtpError};
