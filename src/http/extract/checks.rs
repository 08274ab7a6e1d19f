//! What a caller may do: the questions that are asked of our own engine.

use crate::{
    api_keys::Scopes,
    authn::Caller,
    authorize::{Denial, Guard, Permission},
    http::{
        actions::Action,
        codes::Code,
        problem::{Problem, Result},
        state::AppState,
    },
    policy::ServerContext,
};

/// What one caller may do to one resource, asked action by action on the same policies.
#[derive(Debug)]
pub struct Checks<'a> {
    caller: &'a Caller,
    guard: Guard<'a>,
}

impl<'a> Checks<'a> {
    pub(super) async fn new(
        app: &'a AppState,
        caller: &'a Caller,
        server: &'a ServerContext<'a>,
        resource: (&'a str, &'a str),
    ) -> Result<Self> {
        let guard = app.authorize.guarding(caller.tenant(), caller.entity(), resource, server).await?;
        Ok(Self { caller, guard })
    }

    /// Asks the engine whether the caller may do `A` to the resource.
    pub async fn may<A: Action>(&mut self) -> Result<()> {
        // What a key or a token may be used for at most comes before what its holder may do.
        let is_in_scope = match self.caller {
            Caller::Key(key) => key.scopes.allow(A::NAME),
            Caller::Service(service) => Scopes::read(&service.claims.scope).allow(A::NAME),
            Caller::Anonymous | Caller::User(_) => true,
        };
        if !is_in_scope {
            let said = format!("the scopes of the credential do not hold `{}`", A::NAME);
            return Err(Problem::new(Code::InsufficientPermissions).detail(said));
        }
        let Permission::Denied(denial) = self.guard.may(A::NAME).await? else {
            return Ok(());
        };
        let is_of_policies = matches!(self.caller, Caller::Anonymous) || is_issuing(A::NAME);
        let code = if is_of_policies { Code::PolicyViolation } else { Code::InsufficientPermissions };
        Err(denied(code, A::NAME, &denial))
    }
}

/// Asks one question.
pub(super) async fn ask<A: Action>(
    app: &AppState,
    caller: &Caller,
    server: &ServerContext<'_>,
    resource: (&str, &str),
) -> Result<()> {
    Checks::new(app, caller, server, resource).await?.may::<A>().await
}

/// Whether an action gives out a credential. It is decided with what the lists of the caller's tenant say (R98), and
/// what the policies do not allow of it is a `policy_violation` (R135).
pub(super) fn is_issuing(action: &str) -> bool {
    matches!(action, "createApiKey" | "grantScope" | "rotateClientKey" | "openSession")
}

/// The refusal of an action.
pub(super) fn denied(code: Code, action: &str, denial: &Denial) -> Problem {
    let problem = match &denial.step_up {
        Some(wanted) => Problem::step_up(wanted.acr.as_deref(), wanted.max_age_secs),
        None => Problem::new(code),
    };
    problem.detail(format!("the policies do not allow `{action}` here")).decided_by(denial.decision_id)
}
