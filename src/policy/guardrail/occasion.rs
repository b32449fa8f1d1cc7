//! One exchange as the guardrails see it.

use std::collections::BTreeSet;

use cedar_policy::Context;
use cedar_policy::Entities;
use cedar_policy::Entity;
use cedar_policy::Request;
use cedar_policy::RestrictedExpression as Value;
use time::OffsetDateTime;

use super::vocabulary;
use crate::identity::Caller;
use crate::name::AgreementId;
use crate::name::Purpose;
use crate::name::SystemName;
use crate::pb::SharingClass;
use crate::policy::decision::Denial;
use crate::registry::field::Field;
use crate::registry::query::Mode;
use crate::registry::schema::RecordSchema;

/// An exchange that an agreement permits.
#[derive(Debug)]
pub(in crate::policy) struct Occasion<'a> {
    pub(in crate::policy) caller: &'a Caller,
    pub(in crate::policy) mode: Mode,
    pub(in crate::policy) schema: &'a RecordSchema,
    pub(in crate::policy) purpose: &'a Purpose,
    pub(in crate::policy) agreement: &'a AgreementId,
    pub(in crate::policy) max_records: u32,
    pub(in crate::policy) touched: Vec<TouchedField>,
    /// At the gateway's own offset.
    pub(in crate::policy) at: OffsetDateTime,
}

/// A field that an exchange releases, confirms or asks about.
#[derive(Debug)]
pub(in crate::policy) struct TouchedField {
    pub(in crate::policy) field: Field,
    /// Whether the grant releases it unmasked.
    pub(in crate::policy) clear: bool,
}

/// A set of fields as a guardrail reads it.
#[derive(Default)]
struct Fields<'a> {
    paths: BTreeSet<&'a str>,
    sensitivity: i64,
}

impl Occasion<'_> {
    pub(super) fn request(&self) -> Result<(Request, Entities), Denial> {
        let department = self.caller.department().as_str();
        let system = self.caller.system().map_or("", SystemName::as_str);
        let principal = vocabulary::system(&format!("{department}/{system}"));
        let within = [vocabulary::department(department)].into();
        let entities =
            Entities::from_entities([Entity::new_no_attrs(principal.clone(), within)], None)
                .map_err(failed)?;
        // Not checked against the schema again: that takes longer than the decision, and a context that did not fit
        // would make a policy fail, which denies. A test checks that it fits.
        let request = Request::new(
            principal,
            vocabulary::action(self.mode),
            vocabulary::record(self.schema.name().as_str()),
            self.context()?,
            None,
        );
        Ok((request.map_err(failed)?, entities))
    }

    pub(super) fn context(&self) -> Result<Context, Denial> {
        let leaves = self.schema.leaves();
        let fields = Fields::of(self.touched.iter(), &leaves);
        let unmasked = Fields::of(self.touched.iter().filter(|t| t.clear), &leaves);
        let text = |s: &str| Value::new_string(s.to_owned());
        let day = self.at.date();
        let date = i64::from(day.year()) * 10_000
            + i64::from(u8::from(day.month())) * 100
            + i64::from(day.day());
        let pairs = [
            ("agreement", text(self.agreement.as_str())),
            ("purpose", text(self.purpose.as_str())),
            (
                "owner",
                Value::new_entity_uid(vocabulary::department(self.schema.owner().as_str())),
            ),
            ("sharing", text(sharing(self.schema.sharing()))),
            ("fields", Value::new_set(fields.paths.into_iter().map(text))),
            (
                "unmasked",
                Value::new_set(unmasked.paths.into_iter().map(text)),
            ),
            ("sensitivity", Value::new_long(fields.sensitivity)),
            (
                "unmasked_sensitivity",
                Value::new_long(unmasked.sensitivity),
            ),
            ("max_records", Value::new_long(i64::from(self.max_records))),
            ("date", Value::new_long(date)),
            (
                "weekday",
                Value::new_long(i64::from(day.weekday().number_from_monday())),
            ),
            ("hour", Value::new_long(i64::from(self.at.hour()))),
        ];
        Context::from_pairs(pairs.map(|(name, value)| (name.to_owned(), value))).map_err(failed)
    }
}

impl<'a> Fields<'a> {
    fn of(touched: impl Iterator<Item = &'a TouchedField>, leaves: &'a [Field]) -> Self {
        let mut fields = Self::default();
        for TouchedField { field, .. } in touched {
            fields.add(field);
            for leaf in leaves
                .iter()
                .filter(|leaf| leaf.path().within(field.path()))
            {
                fields.add(leaf);
            }
        }
        fields
    }

    fn add(&mut self, field: &'a Field) {
        let path = field.path().as_str();
        let ends = path.match_indices('.').map(|(dot, _)| dot);
        let ancestors = ends.filter_map(|end| path.get(..end));
        self.paths.extend(ancestors.chain([path]));
        self.sensitivity = self.sensitivity.max(i64::from(field.sensitivity() as i32));
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` calls")]
fn failed(error: impl ToString) -> Denial {
    Denial::GuardrailFailed(error.to_string())
}

pub(super) const SHARING: [&str; 3] = ["UNCONDITIONAL", "CONDITIONAL", "PROHIBITED"];

fn sharing(class: SharingClass) -> &'static str {
    match class {
        SharingClass::Unconditional => "UNCONDITIONAL",
        SharingClass::Conditional | SharingClass::Unspecified => "CONDITIONAL",
        SharingClass::Prohibited => "PROHIBITED",
    }
}
