//! Browsers on which somebody has signed in before: they show it by a cookie, which opens nothing.

use std::fmt;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::exchange::secret;
use crate::exchange::secret::NoRandomness;
use crate::name::ReaderName;

const ID_BYTES: usize = 16;

/// Of one browser and one person.
pub(super) type DeviceId = [u8; ID_BYTES];

/// Makes the cookies, and knows its own again, after a restart too.
pub(super) struct Devices(hmac::Key);

impl Devices {
    pub(super) fn new(key: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// A cookie's value for somebody who has just signed in.
    pub(super) fn issue(&self, name: &ReaderName) -> Result<String, NoRandomness> {
        let id = secret::random::<ID_BYTES>()?;
        let tag = hmac::sign(&self.0, &bound(&id, name.as_str()));
        Ok(URL_SAFE_NO_PAD.encode([&id[..], tag.as_ref()].concat()))
    }

    /// The browser, if the one with that name has signed in on it.
    pub(super) fn recognise(&self, shown: &str, name: &str) -> Option<DeviceId> {
        let shown = URL_SAFE_NO_PAD.decode(shown).ok()?;
        let (id, tag) = shown.split_first_chunk::<ID_BYTES>()?;
        hmac::verify(&self.0, &bound(id, name), tag).ok()?;
        Some(*id)
    }
}

fn bound(id: &DeviceId, name: &str) -> Vec<u8> {
    [&id[..], name.as_bytes()].concat()
}

impl fmt::Debug for Devices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Devices")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_is_known_again_for_its_own_person_alone() {
        let devices = Devices::new(&[1; 32]);
        let lin = "lin".parse().unwrap();
        let shown = devices.issue(&lin).unwrap();
        assert!(devices.recognise(&shown, "lin").is_some());
        assert!(devices.recognise(&shown, "wei").is_none());
        assert!(Devices::new(&[2; 32]).recognise(&shown, "lin").is_none());
        for made_up in [
            "",
            "AAAA",
            &shown.replace(char::is_alphabetic, "A"),
            shown.split_at(1).1,
        ] {
            assert!(devices.recognise(made_up, "lin").is_none(), "{made_up}");
        }
        assert_ne!(shown, devices.issue(&lin).unwrap());
    }
}
