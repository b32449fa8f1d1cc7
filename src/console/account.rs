//! Local accounts: people who may sign in with a password and a one-time code, for an office without an identity provider.
//!
//! They stand in a file of their own, for its owner's eyes only, which is read at each sign-in:
//!
//! ```toml
//! [[account]]
//! name = "lin.auditor"
//! role = "auditor"
//! password = "$argon2id$v=19$…"   # RFC 9106, in the PHC string format
//! totp = "JBSWY3DPEHPK3PXP…"      # RFC 6238: base 32, 6 digits, 30 seconds, SHA-1, as authenticator apps expect
//! ```

use std::fmt;
use std::path::Path;
use std::path::PathBuf;

use argon2::ARGON2ID_IDENT;
use argon2::Argon2;
use argon2::PasswordHash;
use argon2::PasswordHasher;
use argon2::PasswordVerifier;
use argon2::password_hash::SaltString;
use serde::Deserialize;
use totp_rs::Algorithm;
use totp_rs::TOTP;
use zeroize::Zeroizing;

use super::private;
use super::private::NotPrivate;
use super::role::Role;
use crate::clock::Moment;
use crate::exchange::secret;
use crate::exchange::secret::NoRandomness;
use crate::name::ReaderName;

const DIGITS: usize = 6;
const STEP_SECONDS: u64 = 30;
/// A code is good one step before and after its own: clocks differ.
const SKEW: u8 = 1;
/// Verified against when there is no account at all, so that both answers take as long. Nobody knows its password.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5bm9ib2R5bm9ibw$uS1vRk0Wk3pO4mGmJ4m6cZ0QzY0S7iH9Yw1m6o4y2bE";

/// Everybody who may sign in.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accounts {
    #[serde(default)]
    account: Vec<Account>,
}

/// Somebody who may sign in.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    pub name: ReaderName,
    pub role: Role,
    password: String,
    totp: Zeroizing<String>,
}

/// Somebody who has shown a password and a code that are right. The code's step is used up by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ProvenCredentials {
    pub(super) name: ReaderName,
    pub(super) role: Role,
    pub(super) step: u64,
}

/// What a new account's holder is given, this once.
pub struct NewAccount {
    pub password: Zeroizing<String>,
    /// For an authenticator app: `otpauth://totp/…`.
    pub uri: Zeroizing<String>,
    /// What goes into the file.
    pub stanza: Zeroizing<String>,
}

/// Why the accounts cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum AccountsError {
    #[error(transparent)]
    NotPrivate(#[from] NotPrivate),
    #[error("`{}` is no file of accounts: {why}", path.display())]
    Malformed { path: PathBuf, why: String },
}

/// Why no account was made.
#[derive(Debug, thiserror::Error)]
pub enum NotMade {
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    #[error("the password could not be hashed: {0}")]
    Unhashed(argon2::password_hash::Error),
}

impl Accounts {
    /// Reads the file, which others than its owner must not be able to read.
    pub fn load(path: &Path) -> Result<Self, AccountsError> {
        let text = private::read(path)?;
        let malformed = |why: String| AccountsError::Malformed {
            path: path.to_owned(),
            why,
        };
        // The error's own text would quote the line, and the line may be a secret.
        let accounts: Self =
            toml::from_str(&text).map_err(|error| malformed(error.message().to_owned()))?;
        for (place, account) in accounts.account.iter().enumerate() {
            let name = &account.name;
            if accounts
                .account
                .iter()
                .take(place)
                .any(|other| other.name == *name)
            {
                return Err(malformed(format!("`{name}` is there twice")));
            }
            if !account.is_hashed() {
                return Err(malformed(format!(
                    "the `password` of `{name}` is no argon2id hash"
                )));
            }
            if account.codes().is_none() {
                return Err(malformed(format!(
                    "the `totp` of `{name}` is not base 32 of at least 16 bytes"
                )));
            }
        }
        Ok(accounts)
    }

    /// The account's name, if what was typed is one.
    pub(super) fn name(&self, typed: &str) -> Option<&ReaderName> {
        let mut names = self.account.iter().map(|account| &account.name);
        names.find(|name| name.as_str() == typed)
    }

    /// The role of an account that is still there.
    pub fn role(&self, name: &ReaderName) -> Option<Role> {
        let account = self.account.iter().find(|account| account.name == *name)?;
        Some(account.role)
    }

    /// Judges a password and a code. Blocks for about a tenth of a second, whoever asks.
    pub(super) fn prove(
        &self,
        name: &str,
        password: &str,
        code: &str,
        now: Moment,
    ) -> Option<ProvenCredentials> {
        let account = self
            .account
            .iter()
            .find(|account| account.name.as_str() == name);
        // Of the first account, since its cost is what a try takes here.
        let decoy = self
            .account
            .first()
            .map_or(NOBODY, |first| first.password.as_str());
        let hash = account.map_or(decoy, |account| account.password.as_str());
        let right = PasswordHash::new(hash)
            .and_then(|hash| Argon2::default().verify_password(password.as_bytes(), &hash));
        let account = account.filter(|_| right.is_ok())?;
        Some(ProvenCredentials {
            name: account.name.clone(),
            role: account.role,
            step: account.step_of(code, now)?,
        })
    }
}

impl Account {
    fn is_hashed(&self) -> bool {
        PasswordHash::new(&self.password).is_ok_and(|hash| hash.algorithm == ARGON2ID_IDENT)
    }

    fn codes(&self) -> Option<TOTP> {
        let secret = totp_rs::Secret::Encoded(self.totp.to_string())
            .to_bytes()
            .ok()?;
        TOTP::new(Algorithm::SHA1, DIGITS, SKEW, STEP_SECONDS, secret).ok()
    }

    /// The step to which a code belongs, among those that are good now.
    fn step_of(&self, code: &str, now: Moment) -> Option<u64> {
        let codes = self.codes()?;
        let now = u64::try_from(now.seconds()).ok()? / STEP_SECONDS;
        let skew = u64::from(SKEW);
        (now.saturating_sub(skew)..=now + skew).find(|step| {
            let right = codes.generate(step * STEP_SECONDS);
            aws_lc_rs::constant_time::verify_slices_are_equal(right.as_bytes(), code.as_bytes())
                .is_ok()
        })
    }
}

impl NewAccount {
    /// Makes a password and a secret for one-time codes.
    pub fn fresh(name: &ReaderName, role: Role, issuer: &str) -> Result<Self, NotMade> {
        let password = Zeroizing::new(base32(secret::random::<15>()?).to_lowercase());
        let totp = Zeroizing::new(base32(secret::random::<20>()?));
        let salt = secret::random::<16>()?;
        let hash = SaltString::encode_b64(&salt)
            .and_then(|salt| {
                Ok(Argon2::default()
                    .hash_password(password.as_bytes(), &salt)?
                    .to_string())
            })
            .map_err(NotMade::Unhashed)?;
        let uri = format!(
            "otpauth://totp/{issuer}:{name}?secret={}&issuer={issuer}",
            totp.as_str()
        );
        let stanza = format!(
            "[[account]]\nname = \"{name}\"\nrole = \"{role}\"\npassword = \"{hash}\"\ntotp = \"{}\"\n",
            totp.as_str()
        );
        Ok(Self {
            password,
            uri: uri.into(),
            stanza: stanza.into(),
        })
    }
}

fn base32<const N: usize>(bytes: [u8; N]) -> String {
    totp_rs::Secret::Raw(bytes.to_vec())
        .to_encoded()
        .to_string()
}

/// Neither the password's hash nor the secret is shown.
impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Account({}, {})", self.name, self.role)
    }
}

impl fmt::Debug for NewAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handed(..)")
    }
}

#[cfg(test)]
mod tests;
