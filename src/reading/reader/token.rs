//! A reader's token, and the digest of it that the settings keep.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use crate::exchange::secret::NoRandomness;
use crate::exchange::secret::random;

/// By this, scanners for leaked secrets know one.
const PREFIX: &str = "lbr_";
/// A longer header is no token, and is not hashed.
const MAX_BYTES: usize = 256;

/// A reader's secret: `lbr_` and 32 random bytes in base64url. Shown once, to whoever makes it; kept nowhere.
pub struct Token(String);

/// The SHA-256 of a token's text, all that a gateway knows of it. Of 32 random bytes, it gives nothing away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct TokenDigest([u8; 32]);

/// A text that is no SHA-256.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a SHA-256 as 64 hexadecimal digits, as `landbridge audit token` prints it")]
pub struct BadTokenDigest;

impl Token {
    pub fn fresh() -> Result<Self, NoRandomness> {
        let bytes = random::<32>()?;
        Ok(Self(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))))
    }

    /// To be shown to its owner, and to nobody else.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    pub fn digest(&self) -> TokenDigest {
        TokenDigest::of(self.0.as_bytes())
    }
}

/// The token of an `authorization` header: <https://www.rfc-editor.org/rfc/rfc6750#section-2.1>.
pub(super) fn bearer(authorization: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = authorization.split_at_checked("Bearer ".len())?;
    let is_token = scheme.eq_ignore_ascii_case(b"Bearer ")
        && token.starts_with(PREFIX.as_bytes())
        && token.len() <= MAX_BYTES;
    is_token.then_some(token)
}

impl TokenDigest {
    pub(super) fn of(token: &[u8]) -> Self {
        let digest = digest::digest(&digest::SHA256, token);
        // A SHA-256 has 32 bytes.
        Self(digest.as_ref().first_chunk().copied().unwrap_or_default())
    }

    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl FromStr for TokenDigest {
    type Err = BadTokenDigest;

    fn from_str(s: &str) -> Result<Self, BadTokenDigest> {
        let (pairs, rest) = s.as_bytes().as_chunks::<2>();
        if pairs.len() != 32 || !rest.is_empty() {
            return Err(BadTokenDigest);
        }
        let mut bytes = [0; 32];
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            *byte = digit(*high)? << 4 | digit(*low)?;
        }
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for TokenDigest {
    type Error = BadTokenDigest;

    fn try_from(s: String) -> Result<Self, BadTokenDigest> {
        s.parse()
    }
}

fn digit(hex: u8) -> Result<u8, BadTokenDigest> {
    let digit = char::from(hex).to_digit(16).ok_or(BadTokenDigest)?;
    u8::try_from(digit).map_err(|_| BadTokenDigest)
}

impl fmt::Display for TokenDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}
