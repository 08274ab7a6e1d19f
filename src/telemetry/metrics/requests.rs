//! What is counted of requests, route by route.

use std::{borrow::Cow, sync::OnceLock, time::Duration};

use prometheus_client::{metrics::family::Family, registry::Registry};

use super::{
    catalog::HTTP_REQUESTS,
    histogram::{Histogram, REQUEST_TIME},
    resolved::Resolved,
};

/// The methods that are told apart; the rest share a label, since a caller may invent more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// GET
    Get,
    /// POST
    Post,
    /// PUT
    Put,
    /// PATCH
    Patch,
    /// DELETE
    Delete,
    /// HEAD
    Head,
    /// OPTIONS
    Options,
    /// Any other.
    Other,
}

/// The words of [`Method`], in its order.
const METHODS: [&str; 8] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "other"];
/// Classes of status.
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

type Labels = [(&'static str, Cow<'static, str>); 3];

/// The family of requests.
#[derive(Debug)]
pub(super) struct Requests {
    family: Family<Labels, Histogram, fn() -> Histogram>,
    known: Resolved<RouteSeries>,
}

/// The series of one route, made as they are needed.
#[derive(Debug)]
struct RouteSeries([[OnceLock<Histogram>; CLASSES.len()]; METHODS.len()]);

impl Default for RouteSeries {
    fn default() -> Self {
        Self(std::array::from_fn(|_| std::array::from_fn(|_| OnceLock::new())))
    }
}

impl Requests {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let family = Family::new_with_constructor((|| Histogram::new(&REQUEST_TIME)) as fn() -> Histogram);
        HTTP_REQUESTS.register(registry, family.clone());
        Self { family, known: Resolved::default() }
    }

    /// Counts a request to a route of the router.
    pub(super) fn answered(&self, route: &str, method: Method, status: u16, took: Duration) {
        let class = usize::from(status / 100).clamp(1, CLASSES.len()) - 1;
        let method = method as usize;
        self.known.with(route, RouteSeries::default, |series| {
            let Some(cell) = series.0.get(method).and_then(|classes| classes.get(class)) else { return };
            let histogram = cell.get_or_init(|| {
                let word = |words: &[&'static str], at: usize| words.get(at).copied().unwrap_or("other");
                self.family.get_or_create_owned(&[
                    ("route", Cow::Owned(route.to_owned())),
                    ("method", Cow::Borrowed(word(&METHODS, method))),
                    ("status", Cow::Borrowed(word(&CLASSES, class))),
                ])
            });
            histogram.observe(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
        });
    }
}

impl From<&str> for Method {
    fn from(word: &str) -> Self {
        match word {
            "GET" => Self::Get,
            "POST" => Self::Post,
            "PUT" => Self::Put,
            "PATCH" => Self::Patch,
            "DELETE" => Self::Delete,
            "HEAD" => Self::Head,
            "OPTIONS" => Self::Options,
            _ => Self::Other,
        }
    }
}
