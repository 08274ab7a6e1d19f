//! The items of a batch: read, permitted, decided store by store.

use std::collections::{HashMap, HashSet};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    batch_bodies::{AuthorizeBatchError, AuthorizeBatchItem},
    question::{Text, holder, is_about, is_array, present, principal_of, store},
};
use crate::{
    authn::Caller,
    authorize::{Answer, Ask, AuthorizeError, Pinned},
    http::{
        actions::{Action, Authorize, AuthorizeOthers, Explain},
        codes::Code,
        extract::{Authenticated, problem_of},
        problem::{Problem, Result},
        state::AppState,
    },
    policy::{ServerContext, StoreName},
};

/// The fields that an item may have, and that stand in for those that it lacks.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fields<'a> {
    #[serde(borrow)]
    pub(super) policy_store: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) principal: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) token: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) action: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) resource: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) context: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    pub(super) entities: Option<&'a RawValue>,
    pub(super) explain: Option<bool>,
}

/// What became of an item.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It was decided; with the place of its store.
    Answered(usize, Box<Answer>),
    /// It is wrong.
    Refused(Vec<AuthorizeBatchError>),
}

/// An item that can be decided.
struct Ready<'a> {
    place: usize,
    principal: Principal<'a>,
    action: &'a RawValue,
    resource: &'a RawValue,
    context: Option<&'a RawValue>,
    entities: Option<&'a RawValue>,
    explain: bool,
    about: About,
}

/// Whom an item is about, as far as what the server knows of the request may say something of them.
enum About {
    Caller,
    /// The holder of the token that came with it.
    Holder(Caller),
    Others,
}

enum Principal<'a> {
    Given(&'a RawValue),
    Own(Box<RawValue>),
}

/// Why an item is not decided.
enum Failed {
    /// The item is wrong.
    Item(Problem),
    /// Nothing can be decided, or not for this caller.
    Batch(Problem),
}

/// The work of one batch.
pub(super) struct Items<'w, 'a> {
    app: &'w AppState,
    caller: &'w Authenticated,
    defaults: Fields<'a>,
    permitted: HashSet<(StoreName, &'static str)>,
    known: HashMap<StoreName, usize>,
    stores: Vec<(Pinned, Vec<Ready<'a>>)>,
    outcomes: Vec<Outcome>,
}

impl<'w, 'a> Items<'w, 'a> {
    /// A batch of `count` items, none of which was looked at.
    pub(super) fn new(
        app: &'w AppState,
        caller: &'w Authenticated,
        defaults: Fields<'a>,
        count: usize,
    ) -> Self {
        Self {
            app,
            caller,
            defaults,
            permitted: HashSet::new(),
            known: HashMap::new(),
            stores: Vec::new(),
            outcomes: (0..count).map(|_| Outcome::Refused(Vec::new())).collect(),
        }
    }

    /// Reads an item and finds out whether it may be asked.
    ///
    /// Errors: a permission that the caller lacks, or an outage. An item that is wrong is none.
    pub(super) async fn take(&mut self, place: usize, raw: &'a RawValue) -> Result<()> {
        let item = match serde_json::from_str::<Fields<'a>>(raw.get()) {
            Ok(item) if is_array(item.entities) => item,
            _ => {
                self.refuse(place, None, &problem_of::<AuthorizeBatchItem>(raw.get().as_bytes()));
                return Ok(());
            }
        };
        match self.prepare(place, &item).await {
            Ok(()) => Ok(()),
            Err(Failed::Batch(problem)) => Err(problem),
            Err(Failed::Item(problem)) => {
                self.refuse(place, Some(&item), &problem);
                Ok(())
            }
        }
    }

    async fn prepare(&mut self, place: usize, item: &Fields<'a>) -> std::result::Result<(), Failed> {
        let (app, caller) = (self.app, self.caller);
        let name = item.policy_store.as_ref().or(self.defaults.policy_store.as_ref());
        let name = store(app, name).map_err(Failed::Item)?;
        self.need::<Authorize>(&name).await?;
        let token = item.token.as_ref().or(self.defaults.token.as_ref());
        let holder = match token {
            Some(token) => Some(holder(app, token).await.map_err(sorted)?),
            None => None,
        };
        let at = self.store(&name).await?;
        let Some((pinned, _)) = self.stores.get(at) else { return Ok(()) };
        let given = item.principal.or(self.defaults.principal);
        let (principal, is_callers, is_holders) = if let Some(given) = given {
            let about = |who| is_about(pinned, given, who);
            (Principal::Given(given), about(&caller.caller), holder.as_ref().is_some_and(about))
        } else {
            let subject = holder.as_ref().unwrap_or(&caller.caller);
            let own = principal_of(pinned, subject).map_err(Failed::Batch)?;
            (Principal::Own(own), subject.name() == caller.caller.name(), holder.is_some())
        };
        if !is_callers {
            self.need::<AuthorizeOthers>(&name).await?;
        }
        let explain = item.explain.or(self.defaults.explain).unwrap_or_default();
        if explain {
            self.need::<Explain>(&name).await?;
        }
        let missing = |at: &str| Failed::Item(Problem::new(Code::ValidationFailed).at(at, "is missing"));
        let ready = Ready {
            place,
            principal,
            action: item.action.or(self.defaults.action).ok_or_else(|| missing("/action"))?,
            resource: item.resource.or(self.defaults.resource).ok_or_else(|| missing("/resource"))?,
            context: item.context.or(self.defaults.context),
            entities: item.entities.or(self.defaults.entities),
            explain,
            about: match holder {
                None if is_callers => About::Caller,
                Some(holder) if is_holders => About::Holder(holder),
                _ => About::Others,
            },
        };
        if let Some((_, items)) = self.stores.get_mut(at) {
            items.push(ready);
        }
        Ok(())
    }

    /// Asks once for each store whether the caller may do `A` there.
    async fn need<A: Action>(&mut self, store: &StoreName) -> std::result::Result<(), Failed> {
        let need = (store.clone(), A::NAME);
        if !self.permitted.contains(&need) {
            let resource = ("PolicyStore", store.as_str());
            self.caller.may::<A>(self.app, resource).await.map_err(Failed::Batch)?;
            self.permitted.insert(need);
        }
        Ok(())
    }

    /// The place of a store, pinned once for the whole batch.
    async fn store(&mut self, name: &StoreName) -> std::result::Result<usize, Failed> {
        if let Some(at) = self.known.get(name) {
            return Ok(*at);
        }
        let pinned = self.app.authorize.pin(name).await.map_err(|error| match error {
            AuthorizeError::UnknownStore(_) | AuthorizeError::NoActiveVersion(_) => {
                Failed::Item(error.into())
            }
            error => Failed::Batch(error.into()),
        })?;
        self.stores.push((pinned, Vec::new()));
        self.known.insert(name.clone(), self.stores.len() - 1);
        Ok(self.stores.len() - 1)
    }

    /// Decides what can be decided. Answers the stores, and the outcomes in the order of the items.
    ///
    /// Errors: an outage.
    pub(super) async fn decide(mut self) -> Result<(Vec<Pinned>, Vec<Outcome>)> {
        let stores = std::mem::take(&mut self.stores);
        let mut pinned_stores = Vec::with_capacity(stores.len());
        for (at, (pinned, items)) in stores.into_iter().enumerate() {
            let servers: Vec<ServerContext<'_>> = items.iter().map(|item| self.server(item)).collect();
            let asks = items.iter().zip(&servers).map(|(item, server)| item.ask(server));
            let asks: Vec<Ask<'_>> = asks.collect();
            let answers = self.app.authorize.check_all(self.caller.caller.tenant(), &pinned, &asks).await?;
            for (item, answer) in items.iter().zip(answers) {
                let outcome = match answer {
                    Ok(answer) => Outcome::Answered(at, Box::new(answer)),
                    Err(error) => Outcome::Refused(errors(item.place, &Problem::from(error), |field| {
                        item.has_own(field, &self.defaults)
                    })),
                };
                self.put(item.place, outcome);
            }
            pinned_stores.push(pinned);
        }
        Ok((pinned_stores, self.outcomes))
    }

    fn server<'i>(&self, item: &'i Ready<'a>) -> ServerContext<'i>
    where
        'w: 'i,
    {
        match &item.about {
            About::Caller => self.caller.server(),
            About::Holder(holder) => self.caller.server_for(holder.user().map(|user| &**user)),
            About::Others => self.caller.server_for(None),
        }
    }

    fn refuse(&mut self, place: usize, item: Option<&Fields<'_>>, problem: &Problem) {
        let errors = errors(place, problem, |field| item.is_none_or(|item| item.has(field)));
        self.put(place, Outcome::Refused(errors));
    }

    fn put(&mut self, place: usize, outcome: Outcome) {
        if let Some(slot) = self.outcomes.get_mut(place) {
            *slot = outcome;
        }
    }
}

impl Fields<'_> {
    /// Whether a field is there.
    fn has(&self, field: &str) -> bool {
        match field {
            "policy_store" => self.policy_store.is_some(),
            "principal" => self.principal.is_some(),
            "token" => self.token.is_some(),
            "action" => self.action.is_some(),
            "resource" => self.resource.is_some(),
            "context" => self.context.is_some(),
            "entities" => self.entities.is_some(),
            _ => false,
        }
    }
}

impl Ready<'_> {
    fn ask<'i>(&'i self, server: &'i ServerContext<'i>) -> Ask<'i> {
        Ask {
            principal: match &self.principal {
                Principal::Given(given) => given,
                Principal::Own(own) => own,
            },
            action: self.action,
            resource: self.resource,
            context: self.context,
            entities: self.entities,
            explain: self.explain,
            server,
        }
    }

    /// Whether a field is the item's own, and not the batch's.
    fn has_own(&self, field: &str, defaults: &Fields<'_>) -> bool {
        let differs = |own: Option<&RawValue>, default: Option<&RawValue>| match (own, default) {
            (Some(own), Some(default)) => !std::ptr::eq(own, default),
            (own, _) => own.is_some(),
        };
        match (field, &self.principal) {
            ("principal", Principal::Given(given)) => differs(Some(given), defaults.principal),
            ("action", _) => differs(Some(self.action), defaults.action),
            ("resource", _) => differs(Some(self.resource), defaults.resource),
            ("context", _) => differs(self.context, defaults.context),
            ("entities", _) => differs(self.entities, defaults.entities),
            _ => false,
        }
    }
}

/// An outage, or a permission, fails the batch; anything else the item.
fn sorted(problem: Problem) -> Failed {
    if problem.code().status_number() == 422 { Failed::Item(problem) } else { Failed::Batch(problem) }
}

/// A problem as errors of an item: what it says of the item's own fields is found in the item, the rest beside
/// `requests`.
fn errors(place: usize, problem: &Problem, is_own: impl Fn(&str) -> bool) -> Vec<AuthorizeBatchError> {
    let code = problem.code();
    let mut errors: Vec<AuthorizeBatchError> = Vec::new();
    for error in problem.errors() {
        let field = error.pointer.split('/').nth(1).unwrap_or_default();
        let is_missing = field.is_empty() || error.detail == "is missing";
        let pointer = if is_missing || is_own(field) {
            format!("/requests/{place}{}", error.pointer)
        } else {
            error.pointer.clone()
        };
        let message = error.detail.clone();
        errors.push(AuthorizeBatchError {
            code: Some(code.as_str()),
            pointer: Some(pointer),
            policy_id: None,
            message,
        });
    }
    if errors.is_empty() {
        let message = problem.said().unwrap_or(code.title()).to_owned();
        let pointer = Some(format!("/requests/{place}"));
        errors.push(AuthorizeBatchError { code: Some(code.as_str()), pointer, policy_id: None, message });
    }
    errors
}
