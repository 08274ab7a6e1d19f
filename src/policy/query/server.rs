//! The part of the context that belongs to the server.

use std::{cell::RefCell, collections::BTreeMap, net::IpAddr, sync::Arc};

use serde_json::{Value, json};
use smol_str::SmolStr;

use crate::{
    base::Millis,
    policy::engine::{
        RecordShape, Shape, ValueShape,
        cedar::{ExtensionFunction, Literal, Value as CoreValue},
        extension_from_text,
    },
};

/// The attribute of the context that belongs to the server.
pub const SERVER_CONTEXT: &str = "bailiwick";

/// What the server knows of a request by itself. What is `None` is left out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ServerContext<'a> {
    /// The time of the request.
    pub now: Option<Millis>,
    /// The address of the client.
    pub ip: Option<IpAddr>,
    /// How the user proved who they are (RFC 8176).
    pub amr: Option<&'a [String]>,
    /// When they did.
    pub auth_time: Option<Millis>,
    /// The session.
    pub session_id: Option<&'a str>,
    /// The client program.
    pub client_id: Option<&'a str>,
    /// The web origin.
    pub origin: Option<&'a str>,
    /// Whether the address is on the list of the tenant that is spoken to, where it has one.
    pub ip_allowed: Option<bool>,
    /// Whether the origin is on the list of the tenant that is spoken to, where it has one.
    pub origin_allowed: Option<bool>,
    /// Whether the user proved who they are by a second factor too.
    pub mfa: Option<bool>,
    /// Whether the user signs in from a device that they signed in from before.
    pub device_known: Option<bool>,
    /// Wrong passwords in a row before the right one.
    pub failed_attempts: Option<i64>,
}

/// The attributes of the server's context, each with the type that a schema must declare it with.
pub(in crate::policy) fn server_attributes() -> [(&'static str, ValueShape); 12] {
    let extension = |name: &str| ValueShape::Extension(name.to_owned());
    [
        ("now", extension("datetime")),
        ("ip", extension("ipaddr")),
        ("amr", ValueShape::Set(Box::new(ValueShape::Text))),
        ("auth_time", extension("datetime")),
        ("session_id", ValueShape::Text),
        ("client_id", ValueShape::Text),
        ("origin", ValueShape::Text),
        ("ip_allowed", ValueShape::Bool),
        ("origin_allowed", ValueShape::Bool),
        ("mfa", ValueShape::Bool),
        ("device_known", ValueShape::Bool),
        ("failed_attempts", ValueShape::Long),
    ]
}

impl ServerContext<'_> {
    /// Which attributes are known, one bit each.
    #[must_use]
    pub fn known(&self) -> u16 {
        let Self { now, ip, amr, auth_time, session_id, client_id, origin, .. } = self;
        let Self { ip_allowed, origin_allowed, mfa, device_known, failed_attempts, .. } = self;
        let known = [
            now.is_some(),
            ip.is_some(),
            amr.is_some(),
            auth_time.is_some(),
            session_id.is_some(),
            client_id.is_some(),
            origin.is_some(),
            ip_allowed.is_some(),
            origin_allowed.is_some(),
            mfa.is_some(),
            device_known.is_some(),
            failed_attempts.is_some(),
        ];
        known.into_iter().fold(0, |bits, is_known| bits << 1 | u16::from(is_known))
    }

    /// One attribute in Cedar's JSON form, if it is known.
    pub(super) fn value(&self, attribute: &str) -> Option<Value> {
        let moment = |at: Millis| extension("datetime", &at.to_string());
        match attribute {
            "now" => self.now.map(moment),
            "ip" => self.ip.map(|ip| extension("ip", &ip.to_string())),
            "amr" => self.amr.map(|amr| json!(amr)),
            "auth_time" => self.auth_time.map(moment),
            "session_id" => self.session_id.map(|id| json!(id)),
            "client_id" => self.client_id.map(|id| json!(id)),
            "origin" => self.origin.map(|origin| json!(origin)),
            "ip_allowed" => self.ip_allowed.map(|allowed| json!(allowed)),
            "origin_allowed" => self.origin_allowed.map(|allowed| json!(allowed)),
            "mfa" => self.mfa.map(|proven| json!(proven)),
            "device_known" => self.device_known.map(|known| json!(known)),
            "failed_attempts" => self.failed_attempts.map(|count| json!(count)),
            _ => None,
        }
    }
}

/// A value of an extension type in Cedar's JSON form.
fn extension(function: &str, argument: &str) -> Value {
    json!({"__extn": {"fn": function, "arg": argument}})
}

/// What the server puts into the context of an action.
#[derive(Debug)]
pub(in crate::policy) struct ServerShape(Vec<(SmolStr, Known, bool)>);

/// An attribute that the server knows.
#[derive(Debug, Clone, Copy)]
enum Known {
    Now(&'static ExtensionFunction),
    Ip(&'static ExtensionFunction),
    Amr,
    AuthTime(&'static ExtensionFunction),
    SessionId,
    ClientId,
    Origin,
    IpAllowed,
    OriginAllowed,
    Mfa,
    Device,
    FailedAttempts,
}

impl ServerShape {
    /// The declared attributes; `None` when the server cannot always fill them, so that a problem is to be told.
    pub(in crate::policy) fn new(declared: &RecordShape) -> Option<Self> {
        let mut filled = Vec::new();
        for name in declared.names() {
            let (shape, required) = declared.attribute(name)?;
            let known = match (name.as_str(), shape) {
                ("now", Shape::Extension(made, by)) if **by == *"datetime" => Known::Now(made),
                ("auth_time", Shape::Extension(made, by)) if **by == *"datetime" => Known::AuthTime(made),
                ("ip", Shape::Extension(made, by)) if **by == *"ip" => Known::Ip(made),
                ("amr", Shape::Set(of)) if matches!(**of, Shape::Text) => Known::Amr,
                ("session_id", Shape::Text) => Known::SessionId,
                ("client_id", Shape::Text) => Known::ClientId,
                ("origin", Shape::Text) => Known::Origin,
                ("ip_allowed", Shape::Bool) => Known::IpAllowed,
                ("origin_allowed", Shape::Bool) => Known::OriginAllowed,
                ("mfa", Shape::Bool) => Known::Mfa,
                ("device_known", Shape::Bool) => Known::Device,
                ("failed_attempts", Shape::Long) => Known::FailedAttempts,
                _ => return None,
            };
            filled.push((name.clone(), known, required));
        }
        Some(Self(filled))
    }

    /// The record of what is known; `None` when something required is not.
    pub(super) fn fill(&self, server: &ServerContext<'_>) -> Option<CoreValue> {
        let mut record = BTreeMap::new();
        for (name, known, required) in &self.0 {
            match known.value(server) {
                Found::Value(value) => {
                    record.insert(name.clone(), value);
                }
                Found::Unknown if !required => {}
                Found::Unknown | Found::Unsure => return None,
            }
        }
        Some(CoreValue::record_arc(Arc::new(record), None))
    }
}

enum Found {
    Value(CoreValue),
    Unknown,
    /// There is one that Cedar must judge.
    Unsure,
}

impl Known {
    fn value(self, server: &ServerContext<'_>) -> Found {
        let truth = |truth: Option<bool>| truth.map(|truth| Some(CoreValue::new(truth, None)));
        let text = |text: Option<&str>| text.map(|text| Some(CoreValue::new(text, None)));
        let known = match self {
            Self::Now(by) => return server.now.map_or(Found::Unknown, |at| moment(by, at)),
            Self::AuthTime(by) => return server.auth_time.map_or(Found::Unknown, |at| moment(by, at)),
            Self::Ip(by) => server.ip.map(|ip| extension_from_text(by, &ip.to_string())),
            Self::Amr => server.amr.map(|amr| {
                let methods = amr.iter().map(|method| Literal::from(method.as_str()));
                Some(CoreValue::set_of_lits(methods, None))
            }),
            Self::SessionId => text(server.session_id),
            Self::ClientId => text(server.client_id),
            Self::Origin => text(server.origin),
            Self::IpAllowed => truth(server.ip_allowed),
            Self::OriginAllowed => truth(server.origin_allowed),
            Self::Mfa => truth(server.mfa),
            Self::Device => truth(server.device_known),
            Self::FailedAttempts => server.failed_attempts.map(|count| Some(CoreValue::new(count, None))),
        };
        match known {
            None => Found::Unknown,
            Some(None) => Found::Unsure,
            Some(Some(value)) => Found::Value(value),
        }
    }
}

/// How many moments a thread remembers.
const MOMENTS: usize = 8;

thread_local! {
    // Cedar makes a moment from text alone, with three regular expressions; requests of one millisecond, and
    // those of one session, share theirs.
    static MADE: RefCell<[Option<(Millis, CoreValue)>; MOMENTS]> = const { RefCell::new([const { None }; MOMENTS]) };
}

fn moment(by: &ExtensionFunction, at: Millis) -> Found {
    let place = usize::try_from(at.0).unwrap_or_default() % MOMENTS;
    let made = MADE.with_borrow(|made| {
        let made = made.get(place)?.as_ref().filter(|(known, _)| *known == at)?;
        Some(made.1.clone())
    });
    if let Some(value) = made {
        return Found::Value(value);
    }
    let Some(value) = extension_from_text(by, &at.to_string()) else { return Found::Unsure };
    MADE.with_borrow_mut(|made| {
        if let Some(slot) = made.get_mut(place) {
            *slot = Some((at, value.clone()));
        }
    });
    Found::Value(value)
}
