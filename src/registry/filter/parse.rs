//! From CEL text to the typed form.
