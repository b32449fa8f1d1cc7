//! Which spellings of an identifier are one.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;

use crate::text::is_unseen;

/// How the values of an identifying field are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdentifierForm {
    /// Width, case, white space around it and invisible characters make no other identifier.
    Plain,
    /// Every character counts.
    Exact,
}

impl IdentifierForm {
    /// The one form of all spellings: what a tag is made of.
    pub fn written(self, identifier: &str) -> Cow<'_, str> {
        let is_written = |byte: u8| byte.is_ascii_graphic() && !byte.is_ascii_lowercase();
        if self == Self::Exact || identifier.bytes().all(is_written) {
            return Cow::Borrowed(identifier);
        }
        let folded: String = identifier
            .nfkc()
            .filter(|&c| !is_unseen(c))
            .flat_map(char::to_uppercase)
            .nfkc()
            .collect();
        Cow::Owned(folded.trim().to_owned())
    }

    /// What to look for when it is asked for: the one form, and the spellings under which it may have been put on record
    /// before there was one form.
    pub fn asked(self, identifier: &str) -> Vec<String> {
        let written = self.written(identifier).into_owned();
        let mut all = vec![identifier.to_owned()];
        if self == Self::Plain {
            all.extend([identifier.trim().to_owned(), written.to_lowercase()]);
        }
        all.retain(|one| *one != written && !one.is_empty());
        all.sort();
        all.dedup();
        all.insert(0, written);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::IdentifierForm::Exact;
    use super::IdentifierForm::Plain;

    #[test]
    fn spellings_of_one_identifier_have_one_form() {
        let one = "99000119860101123X";
        for spelling in [
            one,
            "99000119860101123x",
            " 99000119860101123X\t",
            "９９０００１１９８６０１０１１２３Ｘ",
            "９９０００１１９８６０１０１１２３ｘ\u{3000}",
            "\u{feff}99000119860101123\u{200b}x",
            "\u{202a}99000119860101123x\u{202c}",
        ] {
            assert_eq!(Plain.written(spelling), one, "{spelling:?}");
            assert!(Plain.asked(spelling).contains(&spelling.to_owned()));
        }
        assert_eq!(
            Plain.asked(" 99000119860101123X"),
            [one, " 99000119860101123X", "99000119860101123x"]
        );
        assert_eq!(Plain.written("straße"), Plain.written("STRASSE"));
        assert_eq!(Plain.written(" \u{200b} "), "");
    }

    #[test]
    fn of_an_exact_identifier_every_character_counts() {
        assert_eq!(Exact.written(" aB"), " aB");
        assert_eq!(Exact.asked(" aB"), [" aB"]);
    }
}
