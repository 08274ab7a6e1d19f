//! The part of the context that belongs to the server.

use std::net::IpAddr;

use serde_json::{Value, json};

use crate::{base::Millis, policy::engine::ValueShape};

/// The attribute of the context that belongs to the server.
pub const SERVER_CONTEXT: &str = "bailiwick";

/// What the server knows of a request by itself. What is `None` is left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerContext {
    /// The time of the request.
    pub now: Option<Millis>,
    /// The address of the client.
    pub ip: Option<IpAddr>,
    /// How the user proved who they are (RFC 8176).
    pub amr: Option<Vec<String>>,
    /// When they did.
    pub auth_time: Option<Millis>,
    /// The session.
    pub session_id: Option<String>,
    /// The client program.
    pub client_id: Option<String>,
    /// The web origin.
    pub origin: Option<String>,
}

/// The attributes of the server's context, each with the type that a schema must declare it with.
pub(in crate::policy) fn server_attributes() -> [(&'static str, ValueShape); 7] {
    let extension = |name: &str| ValueShape::Extension(name.to_owned());
    [
        ("now", extension("datetime")),
        ("ip", extension("ipaddr")),
        ("amr", ValueShape::Set(Box::new(ValueShape::Text))),
        ("auth_time", extension("datetime")),
        ("session_id", ValueShape::Text),
        ("client_id", ValueShape::Text),
        ("origin", ValueShape::Text),
    ]
}

impl ServerContext {
    /// One attribute in Cedar's JSON form, if it is known.
    pub(super) fn value(&self, attribute: &str) -> Option<Value> {
        let moment = |at: Millis| extension("datetime", &at.to_string());
        match attribute {
            "now" => self.now.map(moment),
            "ip" => self.ip.map(|ip| extension("ip", &ip.to_string())),
            "amr" => self.amr.as_ref().map(|amr| json!(amr)),
            "auth_time" => self.auth_time.map(moment),
            "session_id" => self.session_id.as_ref().map(|id| json!(id)),
            "client_id" => self.client_id.as_ref().map(|id| json!(id)),
            "origin" => self.origin.as_ref().map(|origin| json!(origin)),
            _ => None,
        }
    }
}

/// A value of an extension type in Cedar's JSON form.
fn extension(function: &str, argument: &str) -> Value {
    json!({"__extn": {"fn": function, "arg": argument}})
}
