//! The composition root: a [`Config`](crate::config::Config) in, an [`App`] out, and the life of the
//! process around it. Nothing else constructs services.

mod devices;
mod observe;
mod serve;
mod services;
mod start;

pub use devices::{connect, open_database};
pub use serve::serve;
pub use start::{App, Overrides, ReadinessReport};
