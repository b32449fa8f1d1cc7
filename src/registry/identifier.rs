//! Which spellings of an identifier are one.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;

use crate::text::is_unseen;

/// How the values of an identifying field are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdentifierForm {
    /// Width, case, white space around it and invisible characters make no other identifier.
    Plain,
    /// The number counts, not how it is written: of fields that are integers.
    Number,
    /// Every character counts.
    Exact,
}

impl IdentifierForm {
    /// The one form of all spellings: what a tag is made of.
    pub fn written(self, identifier: &str) -> Cow<'_, str> {
        match self {
            Self::Plain => plain(identifier),
            Self::Number => match plain(identifier).parse::<i128>() {
                Ok(number) => Cow::Owned(number.to_string()),
                Err(_) => plain(identifier),
            },
            Self::Exact => Cow::Borrowed(identifier),
        }
    }

    /// What to look for when it is asked for: the one form, and the spellings under which it may have been put on record
    /// before there was one form.
    pub fn asked(self, identifier: &str) -> Vec<String> {
        let written = self.written(identifier).into_owned();
        let mut all = vec![identifier.to_owned()];
        if self != Self::Exact {
            all.extend([identifier.trim().to_owned(), written.to_lowercase()]);
        }
        all.retain(|one| *one != written && !one.is_empty());
        all.sort();
        all.dedup();
        all.insert(0, written);
        all
    }
}

fn plain(identifier: &str) -> Cow<'_, str> {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !byte.is_ascii_lowercase();
    if identifier.bytes().all(is_plain) {
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

#[cfg(test)]
mod tests {
    use super::IdentifierForm::Exact;
    use super::IdentifierForm::Number;
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
    fn a_number_is_one_however_it_is_written() {
        for spelling in ["42", " 42", "0042", "+42", "４２"] {
            assert_eq!(Number.written(spelling), "42", "{spelling:?}");
        }
        assert_eq!(Number.written("-7"), "-7");
        assert_eq!(Number.written("42a"), "42A");
    }

    #[test]
    fn of_an_exact_identifier_every_character_counts() {
        assert_eq!(Exact.written(" aB"), " aB");
        assert_eq!(Exact.asked(" aB"), [" aB"]);
    }
}
