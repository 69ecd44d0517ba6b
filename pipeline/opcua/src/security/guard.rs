//! Who may log in to the server, and what they may do there. async-opcua asks it at every log-in, call and access.

use super::{
    attempts::Attempts,
    config::OpcUaServerConfig,
    policy::{Openness, ServerSecurity},
    user::{LONGEST, Role, UserConfig, hash_password, is_password},
};
use async_trait::async_trait;
use opcua::{
    crypto::Thumbprint,
    server::{
        ServerEndpoint,
        address_space::AccessLevel,
        authenticator::{
            AuthManager, CoreServerPermissions, Password, UserToken, user_pass_security_policy_id,
        },
    },
    types::{Error, NodeId, StatusCode, UserTokenPolicy, UserTokenType},
};
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError, RwLock},
    time::{Duration, Instant},
};
use tokio::{sync::Semaphore, time::sleep};

/// How long a refusal takes at least: nobody tries a dictionary at this pace.
const REFUSAL: Duration = Duration::from_secs(1);

/// The id that the library wants for certificates, letter for letter.
const X509_POLICY_ID: &str = "x509";
const ANONYMOUS_POLICY_ID: &str = "anonymous";

/// The server's users, and which method needs which role.
#[derive(Debug)]
pub struct Guard {
    users: Vec<UserConfig>,
    open: Option<Openness>,
    methods: RwLock<HashMap<NodeId, Role>>,
    attempts: Mutex<HashMap<String, Attempts>>,
    /// Hashing takes a core for some ten milliseconds and 19 MiB: one at a time, whoever knocks.
    hashing: Semaphore,
    /// Compared with where there is no such user, so that the time does not tell.
    nobody: String,
}

impl Guard {
    /// As configured. No method is named yet: all but the standard ones need an engineer.
    pub fn new(config: &OpcUaServerConfig) -> Self {
        let open = match config.security {
            ServerSecurity::Encrypted(_) => None,
            ServerSecurity::Open(open) => Some(open),
        };
        Self {
            users: config.users.clone(),
            open,
            methods: RwLock::default(),
            attempts: Mutex::default(),
            hashing: Semaphore::new(1),
            nobody: hash_password("nobody has this password").expect("it is long enough"),
        }
    }

    /// `role` and those above it may call `method`: the id of the method node on the object, or of its declaration
    /// in the type if clients may call it by that.
    pub fn allow(&self, method: NodeId, role: Role) {
        self.methods.write().unwrap_or_else(PoisonError::into_inner).insert(method, role);
    }

    /// Who somebody is, by the token of their session: name and role. `None` for a token that is not the server's.
    pub fn who(&self, token: &UserToken) -> Option<(&str, Role)> {
        if token.is_anonymous() {
            let role = match self.open? {
                Openness::Read => Role::Observer,
                Openness::ReadAndCommand => Role::Operator,
            };
            return Some(("anonymous", role));
        }
        self.users.iter().find(|user| user.name == token.0).map(|user| (user.name.as_str(), user.role))
    }

    /// Standard methods (namespace 0: GetMonitoredItems and its like) need no role; what nobody named, an engineer.
    fn needs(&self, method: &NodeId) -> Role {
        let methods = self.methods.read().unwrap_or_else(PoisonError::into_inner);
        let unnamed = if method.namespace == 0 { Role::Observer } else { Role::Engineer };
        methods.get(method).copied().unwrap_or(unnamed)
    }

    fn role(&self, token: &UserToken) -> Option<Role> {
        self.who(token).map(|(_, role)| role)
    }

    fn attempts(&self) -> MutexGuard<'_, HashMap<String, Attempts>> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn has_password(&self, user: Option<&UserConfig>, password: &Password) -> bool {
        let hash = user.and_then(|user| user.password.clone());
        let (known, hash) = (hash.is_some(), hash.unwrap_or_else(|| self.nobody.clone()));
        let password = password.get().to_owned();
        let _one = self.hashing.acquire().await.expect("it is never closed");
        let compared =
            tokio::task::spawn_blocking(move || password.len() <= LONGEST && is_password(&password, &hash));
        compared.await.unwrap_or(false) && known
    }

    /// Counts a wrong password of a user there is. Names that nobody has are not kept: there are too many.
    fn count(&self, user: &UserConfig, right: bool) {
        let mut attempts = self.attempts();
        let attempts = attempts.entry(user.name.clone()).or_default();
        if right { attempts.right() } else { attempts.wrong(Instant::now()) }
    }
}

#[async_trait]
impl AuthManager for Guard {
    async fn authenticate_anonymous_token(&self, _: &ServerEndpoint) -> Result<(), Error> {
        match self.open {
            Some(_) => Ok(()),
            None => Err(refused("anonymous log-in is not allowed here")),
        }
    }

    async fn authenticate_username_identity_token(
        &self,
        _: &ServerEndpoint,
        name: &str,
        password: &Password,
    ) -> Result<UserToken, Error> {
        let user = self.users.iter().find(|user| user.name == name);
        if let Some(wait) = user.and_then(|user| self.attempts().get(&user.name)?.wait(Instant::now())) {
            tracing::warn!(
                user = name,
                wait_s = wait.as_secs(),
                "Too many wrong passwords; this OPC UA user must wait."
            );
            sleep(REFUSAL).await;
            return Err(refused("too many wrong passwords; wait and try again"));
        }
        let right = self.has_password(user, password).await;
        if let Some(user) = user {
            self.count(user, right);
        }
        match user {
            Some(user) if right => Ok(UserToken(user.name.clone())),
            _ => {
                let shown: String = name.chars().take(64).collect();
                tracing::warn!(user = ?shown, "An OPC UA log-in was refused: no such user, or a wrong password.");
                sleep(REFUSAL).await;
                Err(refused("no such user, or a wrong password"))
            }
        }
    }

    async fn authenticate_x509_identity_token(
        &self,
        _: &ServerEndpoint,
        signing_thumbprint: &Thumbprint,
    ) -> Result<UserToken, Error> {
        // The client has proved that it has the key; whether that is a user's certificate is asked here.
        let thumbprint = signing_thumbprint.as_hex_string().to_lowercase();
        let user =
            self.users.iter().find(|user| user.thumbprint().is_some_and(|theirs| theirs == thumbprint));
        match user {
            Some(user) => Ok(UserToken(user.name.clone())),
            None => {
                tracing::warn!(thumbprint, "An OPC UA log-in was refused: no user has this certificate.");
                sleep(REFUSAL).await;
                Err(refused("no user has this certificate"))
            }
        }
    }

    fn effective_user_access_level(
        &self,
        token: &UserToken,
        user_access_level: AccessLevel,
        _: &NodeId,
    ) -> AccessLevel {
        match self.role(token) {
            Some(Role::Engineer) => user_access_level,
            Some(_) => user_access_level & (AccessLevel::CURRENT_READ | AccessLevel::HISTORY_READ),
            None => AccessLevel::empty(),
        }
    }

    fn is_user_executable(&self, token: &UserToken, method_id: &NodeId) -> bool {
        self.role(token).is_some_and(|role| role >= self.needs(method_id))
    }

    fn user_token_policies(&self, endpoint: &ServerEndpoint) -> Vec<UserTokenPolicy> {
        // A null policy URI is refused by some clients, and the library's own answer is SHA-1: the endpoint's it is.
        let policy = |policy_id, token_type| UserTokenPolicy {
            policy_id,
            token_type,
            security_policy_uri: endpoint.security_policy().to_uri().into(),
            ..UserTokenPolicy::default()
        };
        if self.open.is_some() {
            return vec![policy(ANONYMOUS_POLICY_ID.into(), UserTokenType::Anonymous)];
        }
        let mut policies = Vec::new();
        if self.users.iter().any(|user| user.password.is_some()) {
            policies.push(policy(user_pass_security_policy_id(endpoint), UserTokenType::UserName));
        }
        if self.users.iter().any(|user| user.certificate.is_some()) {
            policies.push(policy(X509_POLICY_ID.into(), UserTokenType::Certificate));
        }
        policies
    }

    fn core_permissions(&self, token: &UserToken) -> CoreServerPermissions {
        CoreServerPermissions { read_diagnostics: self.role(token) == Some(Role::Engineer) }
    }
}

fn refused(why: &'static str) -> Error {
    Error::new(StatusCode::BadIdentityTokenRejected, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(security: &str) -> Guard {
        let text = format!(
            "{security}\n[[user]]\nname = 'o'\nrole = 'observer'\ncertificate = '00'\n[[user]]\nname = 'p'\nrole = 'operator'\ncertificate = '01'\n[[user]]\nname = 'e'\nrole = 'engineer'\ncertificate = '02'\n"
        );
        Guard::new(&toml::from_str(&text).unwrap())
    }

    fn token(name: &str) -> UserToken {
        UserToken(name.to_owned())
    }

    #[test]
    fn a_method_is_for_its_role_and_those_above_and_one_that_nobody_named_for_engineers() {
        let guard = guard("");
        let (read, start, unnamed, standard) =
            (NodeId::new(2, 1), NodeId::new(2, 2), NodeId::new(2, 3), NodeId::new(0, 11_492));
        guard.allow(read.clone(), Role::Observer);
        guard.allow(start.clone(), Role::Operator);
        let may = |name| {
            [&read, &start, &unnamed, &standard].map(|method| guard.is_user_executable(&token(name), method))
        };
        assert_eq!(may("o"), [true, false, false, true]);
        assert_eq!(may("p"), [true, true, false, true]);
        assert_eq!(may("e"), [true, true, true, true]);
        assert_eq!(may("nobody"), [false; 4]);
        assert_eq!(may("ANONYMOUS"), [false; 4]);
    }

    #[test]
    fn only_an_engineer_writes_values() {
        let guard = guard("");
        let all = AccessLevel::all();
        let writes = |name| {
            guard
                .effective_user_access_level(&token(name), all, &NodeId::null())
                .contains(AccessLevel::CURRENT_WRITE)
        };
        assert_eq!(["o", "p", "e", "nobody"].map(writes), [false, false, true, false]);
    }

    #[test]
    fn anonymous_may_what_the_sentence_says() {
        let anonymous = token("ANONYMOUS");
        assert!(anonymous.is_anonymous());
        let role = |security| guard(security).role(&anonymous);
        assert_eq!(
            role("security = 'none: anyone on the network may read this station'"),
            Some(Role::Observer)
        );
        assert_eq!(
            role("security = 'none: anyone on the network may read and command this station'"),
            Some(Role::Operator)
        );
        assert_eq!(role(""), None);
    }
}
