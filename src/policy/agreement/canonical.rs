//! The canonical form of an agreement, which is hashed: every part with its length, lists in one order.

use aws_lc_rs::digest::Context;
use aws_lc_rs::digest::SHA256;

use super::Agreement;
use super::Grant;
use crate::digest::Digest;
use crate::registry::filter::Expr;
use crate::registry::filter::Filter;
use crate::registry::filter::Op;
use crate::registry::value::Literal;

/// Changes whenever the form does: both parties must hash the same.
const VERSION: &str = "landbridge agreement 2";

pub(super) fn digest(agreement: &Agreement) -> Digest {
    let mut form = Canonical::new(VERSION);
    form.text(agreement.id.as_str());
    form.text(&agreement.title);
    form.text(agreement.provider.as_str());
    form.text(agreement.consumer.as_str());
    form.text(&agreement.legal_basis);
    form.text(&agreement.accountable);
    form.text(&agreement.valid_from.to_string());
    form.text(&agreement.valid_until.to_string());
    form.set(agreement.purposes.iter().map(ToString::to_string));
    // The order of grants means something: journals name them by number.
    form.number(agreement.grants.len() as u64);
    for line in &agreement.grants {
        grant(&mut form, line);
    }
    form.finish()
}

fn grant(form: &mut Canonical, grant: &Grant) {
    form.text(grant.schema.name().as_str());
    form.set(grant.modes.iter().map(|m| m.as_str().to_owned()));
    form.set(grant.fields.iter().map(|f| f.path().to_string()));
    form.set(grant.released.iter().map(|r| match r.mask {
        Some(mask) => format!("{}:{mask}", r.field.path()),
        None => r.field.path().to_string(),
    }));
    form.set(grant.lookup.iter().map(|f| f.path().to_string()));
    expression(
        form,
        grant
            .rows
            .as_ref()
            .map_or(&Expr::Constant(true), Filter::expr),
    );
    form.set(grant.systems.iter().map(ToString::to_string));
    form.number(grant.max_records.into());
    form.number(grant.rate.unwrap_or(0).into());
    form.number(grant.daily.unwrap_or(0));
    form.number(grant.smallest_group);
    form.number(grant.count_step);
    form.number(grant.distinct_counts.unwrap_or(0).into());
    form.number(grant.verify_tries.into());
    form.number(grant.lookup_misses.into());
}

fn expression(form: &mut Canonical, expr: &Expr) {
    match expr {
        Expr::All(parts) => expressions(form, "all", parts),
        Expr::Any(parts) => expressions(form, "any", parts),
        Expr::Not(inner) => {
            form.text("not");
            expression(form, inner);
        }
        Expr::Compare { field, op, value } => {
            form.text(operator(*op));
            form.text(field.path().as_str());
            literal(form, value);
        }
        Expr::In { field, values } => {
            form.text("in");
            form.text(field.path().as_str());
            form.number(values.len() as u64);
            values.iter().for_each(|value| literal(form, value));
        }
        Expr::StartsWith { field, prefix } => {
            form.text("startsWith");
            form.text(field.path().as_str());
            form.text(prefix);
        }
        Expr::Has { field } => {
            form.text("has");
            form.text(field.path().as_str());
        }
        Expr::Constant(value) => form.text(if *value { "true" } else { "false" }),
    }
}

fn expressions(form: &mut Canonical, name: &str, parts: &[Expr]) {
    form.text(name);
    form.number(parts.len() as u64);
    parts.iter().for_each(|part| expression(form, part));
}

fn operator(op: Op) -> &'static str {
    match op {
        Op::Eq => "==",
        Op::Ne => "!=",
        Op::Lt => "<",
        Op::Le => "<=",
        Op::Gt => ">",
        Op::Ge => ">=",
    }
}

fn literal(form: &mut Canonical, value: &Literal) {
    match value {
        Literal::Text(text) => form.tagged("text", text.as_bytes()),
        Literal::Decimal(decimal) => form.tagged("decimal", decimal.as_str().as_bytes()),
        Literal::Integer(n) => form.tagged("integer", &n.to_be_bytes()),
        Literal::Unsigned(n) => form.tagged("unsigned", &n.to_be_bytes()),
        Literal::Number(n) => form.tagged("number", &n.to_bits().to_be_bytes()),
        Literal::Boolean(b) => form.tagged("boolean", &[u8::from(*b)]),
        Literal::Data(data) => form.tagged("data", data),
        Literal::Enum { name, number } => {
            form.tagged("enum", name.as_bytes());
            form.bytes(&number.to_be_bytes());
        }
        Literal::Time { seconds, nanos } => {
            form.tagged("time", &seconds.to_be_bytes());
            form.bytes(&nanos.to_be_bytes());
        }
    }
}

/// Hashes parts so that no two different lists of parts give the same bytes.
pub(in crate::policy) struct Canonical(Context);

impl Canonical {
    /// Begins a form of that name and version.
    pub(in crate::policy) fn new(version: &str) -> Self {
        let mut form = Self(Context::new(&SHA256));
        form.text(version);
        form
    }

    pub(in crate::policy) fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.update(bytes);
    }

    pub(in crate::policy) fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    pub(in crate::policy) fn number(&mut self, number: u64) {
        self.0.update(&number.to_be_bytes());
    }

    fn tagged(&mut self, tag: &str, bytes: &[u8]) {
        self.text(tag);
        self.bytes(bytes);
    }

    /// Parts whose order means nothing.
    fn set(&mut self, parts: impl Iterator<Item = String>) {
        let mut parts: Vec<_> = parts.collect();
        parts.sort_unstable();
        self.number(parts.len() as u64);
        parts.iter().for_each(|part| self.text(part));
    }

    pub(in crate::policy) fn finish(self) -> Digest {
        let mut digest = [0; 32];
        digest.copy_from_slice(self.0.finish().as_ref());
        digest
    }
}
