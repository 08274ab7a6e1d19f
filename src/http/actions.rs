//! The actions of the system store, as types: what each operation asks the engine before it runs.

use std::fmt;

/// An action of `policies/system`.
pub trait Action: fmt::Debug + Send + Sync + 'static {
    /// Its name in the policies and in `x-bailiwick-action`.
    const NAME: &'static str;
    /// What it is done to.
    const RESOURCE: ResourceOf;
}

/// Where the resource of an action comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResourceOf {
    /// The caller's tenant.
    Tenant,
    /// The caller itself.
    Caller,
    /// The policy store that the path names.
    PolicyStore,
    /// The API key that the path names.
    ApiKey,
    /// The user that the path names; the caller's tenant where it has no such user.
    User,
    /// The installation: its own tenant, whichever the caller's is.
    Installation,
}

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident $text:literal $resource:ident;)+) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, Copy)]
            pub struct $name;

            impl Action for $name {
                const NAME: &'static str = $text;
                const RESOURCE: ResourceOf = ResourceOf::$resource;
            }
        )+

        /// The name of every action, for the tests that compare them with the system store.
        pub const ALL: &[&str] = &[$($text,)+];
    };
}

actions! {
    /// Giving a scope to an API key or a token.
    GrantScope "grantScope" Tenant;
    /// Sign-up.
    Register "register" Tenant;
    /// Sign-in.
    Login "login" Tenant;
    /// A new pair of tokens for a refresh token.
    Refresh "refresh" Tenant;
    /// Sign-out.
    Logout "logout" Tenant;
    /// Going on with a sign-in by the second factor.
    CompleteMfaLogin "completeMfaLogin" Tenant;
    /// Proving an address by a link.
    VerifyEmail "verifyEmail" Tenant;
    /// Having that link mailed again.
    ResendVerification "resendVerification" Tenant;
    /// Having a link mailed to choose a new password.
    ForgotPassword "forgotPassword" Tenant;
    /// Choosing a new password by a link.
    ResetPassword "resetPassword" Tenant;
    /// Making the first administrator.
    CompleteSetup "completeSetup" Tenant;
    /// Reading what is public by nature, such as the JWKS.
    ReadPublicDocument "readPublicDocument" Tenant;
    /// Asking whether the server is well.
    ReadHealth "readHealth" Tenant;
    /// Reading what the server counts.
    ReadMetrics "readMetrics" Tenant;
    /// Reading one's own account.
    ReadOwnProfile "readOwnProfile" Caller;
    /// Changing one's own names.
    UpdateOwnAccount "updateOwnAccount" Caller;
    /// Getting a copy of what is kept about oneself.
    ExportOwnData "exportOwnData" Caller;
    /// Closing one's own account.
    DeactivateOwnAccount "deactivateOwnAccount" Caller;
    /// Erasing one's own account.
    DeleteOwnAccount "deleteOwnAccount" Caller;
    /// Changing one's own password.
    ChangeOwnPassword "changeOwnPassword" Caller;
    /// Reading one's own second factor.
    ReadOwnMfa "readOwnMfa" Caller;
    /// Turning one's own second factor on or off.
    ChangeOwnMfa "changeOwnMfa" Caller;
    /// Proving again who one is.
    StepUp "stepUp" Caller;
    /// Changing one's own address.
    ChangeOwnEmail "changeOwnEmail" Caller;
    /// Listing one's own sessions.
    ListOwnSessions "listOwnSessions" Caller;
    /// Ending one of one's own sessions.
    RevokeOwnSession "revokeOwnSession" Caller;
    /// Ending all of one's own sessions but this one.
    RevokeOtherSessions "revokeOtherSessions" Caller;
    /// Listing one's own devices.
    ListOwnDevices "listOwnDevices" Caller;
    /// Naming one of one's own devices, and trusting it.
    UpdateOwnDevice "updateOwnDevice" Caller;
    /// Removing one of one's own devices.
    RemoveOwnDevice "removeOwnDevice" Caller;
    /// Registering a tenant.
    RegisterClient "registerClient" Tenant;
    /// Reading about one's own tenant.
    ReadClient "readClient" Tenant;
    /// Reading the settings of one's own tenant.
    ReadClientSettings "readClientSettings" Tenant;
    /// Changing the settings of one's own tenant.
    UpdateClientSettings "updateClientSettings" Tenant;
    /// Making the tenant's secondary API key.
    RotateClientKey "rotateClientKey" Tenant;
    /// Making the tenant's secondary API key the primary one.
    PromoteClientKey "promoteClientKey" Tenant;
    /// Listing all tenants.
    ListTenants "listTenants" Installation;
    /// Making a tenant.
    CreateTenant "createTenant" Installation;
    /// Reading about any tenant.
    ReadTenant "readTenant" Installation;
    /// Changing, suspending and resuming any tenant.
    UpdateTenant "updateTenant" Installation;
    /// Making an API key for oneself.
    CreateApiKey "createApiKey" Caller;
    /// Listing one's own API keys.
    ListApiKeys "listApiKeys" Caller;
    /// Reading about an API key.
    ReadApiKey "readApiKey" ApiKey;
    /// Changing an API key.
    UpdateApiKey "updateApiKey" ApiKey;
    /// Revoking an API key.
    RevokeApiKey "revokeApiKey" ApiKey;
    /// Using an API key from where it is used.
    UseApiKey "useApiKey" Tenant;
    /// Opening a session for a user of one's own application.
    OpenSession "openSession" Tenant;
    /// Asking for a decision about oneself.
    Authorize "authorize" PolicyStore;
    /// Asking for a decision about someone else.
    AuthorizeOthers "authorizeOthers" PolicyStore;
    /// Being told why; reveals policy.
    Explain "explain" PolicyStore;
    /// Listing the policy stores.
    ListPolicyStores "listPolicyStores" Tenant;
    /// Reading a store's versions and status.
    ReadPolicyStore "readPolicyStore" PolicyStore;
    /// Publishing a version.
    PublishPolicyVersion "publishPolicyVersion" PolicyStore;
    /// Making a version the active one.
    ActivatePolicyVersion "activatePolicyVersion" PolicyStore;
    /// Going back to an earlier version.
    RollbackPolicyVersion "rollbackPolicyVersion" PolicyStore;
    /// Reading the entities that were pushed into a store.
    ReadEntities "readEntities" PolicyStore;
    /// Pushing entities into a store, and removing them.
    WriteEntities "writeEntities" PolicyStore;
    /// Reading a profile.
    ReadProfile "readProfile" User;
    /// Changing a profile.
    UpdateProfile "updateProfile" User;
    /// Listing users.
    ListUsers "listUsers" Tenant;
    /// Reading about a user.
    ReadUser "readUser" Tenant;
    /// Erasing an account.
    DeleteUser "deleteUser" Tenant;
    /// Taking users over from elsewhere.
    ImportUsers "importUsers" Tenant;
    /// Giving all users away.
    ExportUsers "exportUsers" Tenant;
    /// Locking an account.
    LockUser "lockUser" Tenant;
    /// Lifting a lock.
    UnlockUser "unlockUser" Tenant;
    /// Listing the sessions of a user.
    ListUserSessions "listUserSessions" Tenant;
    /// Ending sessions of a user.
    RevokeUserSessions "revokeUserSessions" Tenant;
    /// Making a link for a user.
    MakeUserLink "makeUserLink" Tenant;
    /// Listing roles.
    ListRoles "listRoles" Tenant;
    /// Making a role.
    CreateRole "createRole" Tenant;
    /// Removing a role.
    DeleteRole "deleteRole" Tenant;
    /// Listing who has which role.
    ListRoleBindings "listRoleBindings" Tenant;
    /// Granting a role.
    GrantRole "grantRole" Tenant;
    /// Taking a role away.
    RevokeRole "revokeRole" Tenant;
    /// Listing the keys that sign tokens.
    ListSigningKeys "listSigningKeys" Installation;
    /// Having the signing key replaced.
    RotateSigningKey "rotateSigningKey" Installation;
    /// Dropping a signing key at once.
    RevokeSigningKey "revokeSigningKey" Installation;
    /// Getting a token as a client of OAuth 2.0; what else it asks for is asked by `oauth`.
    IssueToken "issueToken" Tenant;
    /// Being told about a token.
    IntrospectToken "introspectToken" Tenant;
    /// Ending a token.
    RevokeToken "revokeToken" Tenant;
    /// Looking at a token that a service was given.
    ValidateToken "validateToken" Tenant;
    /// Looking at an API key that a service was given, and counting its use.
    ValidateApiKey "validateApiKey" Tenant;
    /// Letting a socket of a user's stand, by the token that a service was given.
    ValidateSocket "validateSocket" Tenant;
    /// Reading what was revoked.
    ReadRevocations "readRevocations" Tenant;
    /// Being told what is revoked, as it is.
    FollowRevocations "followRevocations" Tenant;
    /// Listing clients of OAuth 2.0.
    ListOAuthClients "listOAuthClients" Tenant;
    /// Making a client.
    CreateOAuthClient "createOAuthClient" Tenant;
    /// Reading one.
    ReadOAuthClient "readOAuthClient" Tenant;
    /// Changing one.
    UpdateOAuthClient "updateOAuthClient" Tenant;
    /// Giving one another secret.
    RotateOAuthClientSecret "rotateOAuthClientSecret" Tenant;
    /// Removing one.
    DeleteOAuthClient "deleteOAuthClient" Tenant;
}
