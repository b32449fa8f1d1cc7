//! Signing in by an identity provider: OpenID Connect Core 1.0, code flow with PKCE (RFC 7636).

mod transport;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::PoisonError;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openidconnect::AuthenticationFlow;
use openidconnect::AuthorizationCode;
use openidconnect::ClientId;
use openidconnect::ClientSecret;
use openidconnect::CsrfToken;
use openidconnect::EndpointMaybeSet;
use openidconnect::EndpointNotSet;
use openidconnect::EndpointSet;
use openidconnect::IssuerUrl;
use openidconnect::Nonce;
use openidconnect::PkceCodeChallenge;
use openidconnect::PkceCodeVerifier;
use openidconnect::RedirectUrl;
use openidconnect::Scope;
use openidconnect::TokenResponse;
use openidconnect::core::CoreClient;
use openidconnect::core::CoreProviderMetadata;
use openidconnect::core::CoreResponseType;
use serde_json::Value;

use super::private;
use super::private::NotPrivate;
use super::role::Role;
use super::session::SignInMethod;
use super::session::User;
use crate::clock::Moment;
use crate::fault::chain;
use transport::Transport;

/// Somebody may take so long at the provider.
const PATIENCE_SECONDS: i64 = 10 * 60;
/// Sign-ins that are under way; the oldest is given up when there is one more.
const MAX_UNDER_WAY: usize = 1_000;

/// A provider, and what its claims mean here.
#[derive(Debug, Clone)]
pub struct OpenIdConfig {
    /// Where `/.well-known/openid-configuration` is found.
    pub issuer: String,
    pub client_id: String,
    /// A file, for its owner's eyes only; none for a public client.
    pub client_secret: Option<PathBuf>,
    /// The CAs of the provider's certificate, PEM; the system's if none.
    pub ca: Option<PathBuf>,
    /// The claim of the ID token that has a person's name.
    pub name: String,
    /// The claim that has what makes their role: a text, or a list of them.
    pub roles: String,
    /// What stands in it for each role.
    pub values: BTreeMap<Role, String>,
}

/// Why the provider has not signed somebody in.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotProven {
    #[error("the provider cannot be asked: {0}")]
    Provider(String),
    #[error(transparent)]
    Secret(#[from] NotPrivate),
    #[error("the provider refused: {0}")]
    Declined(String),
    #[error("nobody has begun to sign in like that, or it took too long")]
    Unexpected,
    #[error("the ID token is not good: {0}")]
    Token(String),
    #[error(
        "the claim `{0}` is no reader's name: 1 to 64 of a-z, 0-9, `-`, `_` and `.`, beginning with a letter"
    )]
    Name(String),
    #[error("the claim `{0}` gives no role here")]
    NoRole(String),
    #[error(
        "the claim `{0}` makes an auditor of an administrator: one of them is another person's part"
    )]
    TwoRoles(String),
}

/// What a browser is to do next.
pub(super) struct SignInStart {
    /// Where it goes.
    pub(super) url: String,
    /// What it must bring back, and show as a cookie.
    pub(super) state: String,
}

/// What must fit when somebody comes back.
struct PendingSignIn {
    at: Moment,
    nonce: Nonce,
    verifier: PkceCodeVerifier,
}

/// The provider, and who is there now.
pub(super) struct OpenId {
    config: OpenIdConfig,
    transport: Transport,
    /// Where the provider sends people back to.
    back: String,
    under_way: Mutex<BTreeMap<String, PendingSignIn>>,
}

type Client = CoreClient<
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

impl OpenId {
    pub(super) fn new(config: OpenIdConfig, back: String) -> Self {
        Self {
            transport: Transport {
                ca: config.ca.clone(),
            },
            config,
            back,
            under_way: Mutex::default(),
        }
    }

    /// As the button names it.
    pub(super) fn issuer(&self) -> &str {
        &self.config.issuer
    }

    pub(super) async fn begin(&self, now: Moment) -> Result<SignInStart, NotProven> {
        let client = self.client().await?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let (url, state, nonce) = client
            .authorize_url(
                AuthenticationFlow::<CoreResponseType>::AuthorizationCode,
                CsrfToken::new_random,
                Nonce::new_random,
            )
            .add_scope(Scope::new("profile".to_owned()))
            .set_pkce_challenge(challenge)
            .url();
        let state = state.secret().clone();
        self.remember(
            state.clone(),
            PendingSignIn {
                at: now,
                nonce,
                verifier,
            },
        );
        Ok(SignInStart {
            url: url.to_string(),
            state,
        })
    }

    /// Takes the code with which somebody came back.
    pub(super) async fn finish(
        &self,
        state: &str,
        code: String,
        now: Moment,
    ) -> Result<User, NotProven> {
        let begun = self.recall(state, now).ok_or(NotProven::Unexpected)?;
        let client = self.client().await?;
        let answer = client
            .exchange_code(AuthorizationCode::new(code))
            .map_err(|error| NotProven::Provider(error.to_string()))?
            .set_pkce_verifier(begun.verifier)
            .request_async(&self.transport)
            .await
            .map_err(|error| NotProven::Declined(error.to_string()))?;
        let token = answer
            .id_token()
            .ok_or_else(|| NotProven::Token("there is none".to_owned()))?;
        token
            .claims(&client.id_token_verifier(), &begun.nonce)
            .map_err(|error| NotProven::Token(error.to_string()))?;
        self.who(&payload(&token.to_string()).unwrap_or_default())
    }

    /// What the claims of a token that has been verified say.
    fn who(&self, claims: &Value) -> Result<User, NotProven> {
        let OpenIdConfig {
            name,
            roles,
            values,
            ..
        } = &self.config;
        let called = claims.get(name).and_then(Value::as_str);
        let called = called.and_then(|text| text.parse().ok());
        let given: Vec<&str> = match claims.get(roles) {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        let has = |role| {
            let value = values.get(&role);
            value.is_some_and(|value| given.contains(&value.as_str()))
        };
        let role = match (has(Role::Auditor), has(Role::Administrator)) {
            (true, true) => return Err(NotProven::TwoRoles(roles.clone())),
            (true, false) => Role::Auditor,
            (false, true) => Role::Administrator,
            (false, false) if has(Role::Viewer) => Role::Viewer,
            (false, false) => return Err(NotProven::NoRole(roles.clone())),
        };
        Ok(User {
            name: called.ok_or_else(|| NotProven::Name(name.clone()))?,
            role,
            means: SignInMethod::OpenId,
        })
    }

    /// Asked for anew each time: keys change, and people sign in seldom.
    async fn client(&self) -> Result<Client, NotProven> {
        let asked = |error: &dyn std::error::Error| NotProven::Provider(chain(error));
        let issuer = IssuerUrl::new(self.config.issuer.clone()).map_err(|error| asked(&error))?;
        let back = RedirectUrl::new(self.back.clone()).map_err(|error| asked(&error))?;
        let secret = match &self.config.client_secret {
            None => None,
            Some(path) => Some(ClientSecret::new(private::read(path)?.trim().to_owned())),
        };
        let metadata = CoreProviderMetadata::discover_async(issuer, &self.transport)
            .await
            .map_err(|error| asked(&error))?;
        let id = ClientId::new(self.config.client_id.clone());
        Ok(CoreClient::from_provider_metadata(metadata, id, secret).set_redirect_uri(back))
    }

    fn remember(&self, state: String, begun: PendingSignIn) {
        let mut under_way = self
            .under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        under_way.retain(|_, other| is_fresh(other, begun.at));
        while under_way.len() >= MAX_UNDER_WAY {
            let oldest = under_way.iter().min_by_key(|(_, other)| other.at);
            let Some(oldest) = oldest.map(|(state, _)| state.clone()) else {
                break;
            };
            under_way.remove(&oldest);
        }
        under_way.insert(state, begun);
    }

    /// Once only.
    fn recall(&self, state: &str, now: Moment) -> Option<PendingSignIn> {
        let mut under_way = self
            .under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        under_way.remove(state).filter(|begun| is_fresh(begun, now))
    }
}

impl std::fmt::Debug for OpenId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenId")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

fn is_fresh(begun: &PendingSignIn, now: Moment) -> bool {
    now.seconds() < begun.at.seconds() + PATIENCE_SECONDS
}

/// The claims of a JWT (RFC 7519) that has been verified.
fn payload(token: &str) -> Option<Value> {
    let bytes = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    serde_json::from_slice(&bytes).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn provider() -> OpenId {
        let config = OpenIdConfig {
            issuer: "https://id.gov.example".to_owned(),
            client_id: "landbridge".to_owned(),
            client_secret: None,
            ca: None,
            name: "preferred_username".to_owned(),
            roles: "groups".to_owned(),
            values: [
                (Role::Auditor, "audit"),
                (Role::Administrator, "admin"),
                (Role::Viewer, "staff"),
            ]
            .map(|(role, value)| (role, value.to_owned()))
            .into(),
        };
        OpenId::new(config, "http://127.0.0.1/back".to_owned())
    }

    #[test]
    fn claims_give_a_name_and_one_role() {
        let role = |claims: Value| {
            let who = provider().who(&claims);
            who.map(|who| who.role).map_err(|error| error.to_string())
        };
        let lin = |groups: Value| json!({ "preferred_username": "lin", "groups": groups });
        assert_eq!(role(lin(json!(["staff", "audit"]))), Ok(Role::Auditor));
        assert_eq!(role(lin(json!("admin"))), Ok(Role::Administrator));
        assert_eq!(role(lin(json!(["staff"]))), Ok(Role::Viewer));
        for (claims, why) in [
            (
                lin(json!(["audit", "admin"])),
                "makes an auditor of an administrator",
            ),
            (lin(json!(["other"])), "gives no role"),
            (lin(json!({ "audit": true })), "gives no role"),
            (json!({ "groups": ["audit"] }), "no reader's name"),
            (
                json!({ "preferred_username": "<b>", "groups": ["audit"] }),
                "no reader's name",
            ),
            (Value::Null, "gives no role"),
        ] {
            let told = role(claims).unwrap_err();
            assert!(told.contains(why), "{told}");
        }
    }

    #[test]
    fn a_sign_in_is_finished_once_and_not_too_late() {
        let at = |seconds| Moment::from_micros(seconds * 1_000_000);
        let provider = provider();
        let begun = |seconds| PendingSignIn {
            at: at(seconds),
            nonce: Nonce::new("n".to_owned()),
            verifier: PkceCodeVerifier::new("v".repeat(43)),
        };
        provider.remember("a".to_owned(), begun(0));
        assert!(provider.recall("b", at(1)).is_none());
        assert!(provider.recall("a", at(1)).is_some());
        assert!(provider.recall("a", at(1)).is_none());
        provider.remember("c".to_owned(), begun(0));
        assert!(provider.recall("c", at(PATIENCE_SECONDS)).is_none());
        for number in 0..=MAX_UNDER_WAY as i64 {
            provider.remember(number.to_string(), begun(number / 10));
        }
        assert!(
            provider.recall("0", at(200)).is_none(),
            "the oldest is given up"
        );
        assert!(provider.recall("1000", at(200)).is_some());
    }
}
