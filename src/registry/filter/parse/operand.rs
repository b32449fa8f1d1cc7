//! The parts of a condition: fields, functions, values and lists.

use std::mem;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::Form;
use super::MAX_ELEMENTS;
use super::MAX_PATH;
use super::Node;
use super::Parser;
use super::Value;
use crate::registry::filter::Fault;
use crate::registry::filter::lex::Token;

struct Path<'t> {
    joined: String,
    last: &'t str,
    last_at: usize,
}

impl<'t> Parser<'t> {
    pub(super) fn primary(&mut self) -> Result<Form, Fault> {
        if let Token::Name(name) = self.token
            && !matches!(name, "true" | "false" | "null" | "in")
        {
            return self.path_or_call(name);
        }
        self.value().map(Form::Value)
    }

    fn path_or_call(&mut self, first: &'t str) -> Result<Form, Fault> {
        let start = self.at;
        let path = self.path(first)?;
        if !self.sees("(") {
            return Ok(Form::Path(path.joined));
        }
        match path.joined.rsplit_once('.') {
            None => self.function(first, start),
            Some((field, _)) => self.method(field.to_owned(), path.last, path.last_at),
        }
    }

    /// Names joined by dots, of which `first` is looked at.
    fn path(&mut self, first: &'t str) -> Result<Path<'t>, Fault> {
        let start = self.at;
        self.advance()?;
        let mut path = Path {
            joined: first.to_owned(),
            last: first,
            last_at: start,
        };
        while self.takes(".")? {
            let Token::Name(name) = self.token else {
                return Err(self.unexpected());
            };
            path.joined.push('.');
            path.joined.push_str(name);
            (path.last, path.last_at) = (name, self.at);
            self.advance()?;
        }
        if path.joined.len() > MAX_PATH {
            return Err(Fault::new(start, "the field's path is too long"));
        }
        Ok(path)
    }

    fn function(&mut self, name: &str, at: usize) -> Result<Form, Fault> {
        match name {
            "has" => self.has(),
            "timestamp" => self.time().map(Form::Value),
            _ => Err(unknown_function(name, at)),
        }
    }

    fn has(&mut self) -> Result<Form, Fault> {
        self.expect("(")?;
        let at = self.at;
        let Token::Name(first) = self.token else {
            return Err(self.unexpected());
        };
        let path = self.path(first)?.joined;
        if self.sees("(") {
            return Err(Fault::new(at, "`has` asks about a field"));
        }
        self.expect(")")?;
        Ok(Form::Has { path, at })
    }

    fn method(&mut self, path: String, name: &str, at: usize) -> Result<Form, Fault> {
        if name != "startsWith" {
            return Err(unknown_function(name, at));
        }
        let prefix = self.quoted_argument()?;
        Ok(Form::StartsWith { path, prefix })
    }

    fn quoted_argument(&mut self) -> Result<String, Fault> {
        self.expect("(")?;
        let Token::Text(text) = &mut self.token else {
            return Err(self.fault("a quoted text belongs here"));
        };
        let text = mem::take(text);
        self.advance()?;
        self.expect(")")?;
        Ok(text)
    }

    /// `("RFC 3339")`, after `timestamp`.
    fn time(&mut self) -> Result<Value, Fault> {
        let at = self.at;
        let text = self.quoted_argument()?;
        let time = OffsetDateTime::parse(&text, &Rfc3339)
            .ok()
            .filter(|time| time.to_utc().year() >= 1)
            .ok_or_else(|| Fault::new(at, "a time is written as in \"2026-01-31T08:00:00Z\""))?;
        Ok(Value::Time {
            seconds: time.unix_timestamp(),
            nanos: i32::try_from(time.nanosecond()).unwrap_or_default(),
        })
    }

    fn value(&mut self) -> Result<Value, Fault> {
        let at = self.at;
        let negative = self.takes("-")?;
        let range = || Fault::new(at, "the whole number is out of range");
        let value = match &mut self.token {
            Token::Int(v) if negative => {
                Value::Int(0_i64.checked_sub_unsigned(*v).ok_or_else(range)?)
            }
            Token::Float(v) if negative => Value::Float(-*v),
            _ if negative => {
                return Err(Fault::new(at, "`-` stands only before a number"));
            }
            Token::Int(v) => Value::Int(i64::try_from(*v).map_err(|_| {
                Fault::new(at, "the whole number is out of range; without a sign, up to 64 bits, it is written with a `u` after it")
            })?),
            Token::Uint(v) => Value::Uint(*v),
            Token::Float(v) => Value::Float(*v),
            Token::Text(v) => Value::Text(mem::take(v)),
            Token::Data(v) => Value::Data(mem::take(v)),
            Token::Name("true") => Value::Bool(true),
            Token::Name("false") => Value::Bool(false),
            Token::Name("null") => {
                return Err(self.fault("a filter has no `null`; use `has(field)`"));
            }
            Token::Sign("[") => return Err(self.fault("a list stands only after `in`")),
            Token::Sign("{") => return Err(self.fault("a filter builds no messages and maps")),
            Token::Name(_) | Token::Sign(_) | Token::End => return Err(self.unexpected()),
        };
        self.advance()?;
        Ok(value)
    }

    pub(super) fn list(&mut self) -> Result<Vec<Node>, Fault> {
        let start = self.at;
        if !self.takes("[")? {
            return Err(Fault::new(
                start,
                "after `in` stands a list such as `[\"a\", \"b\"]`",
            ));
        }
        let mut list = Vec::new();
        while !self.sees("]") {
            list.push(self.element()?);
            if !self.takes(",")? {
                break;
            }
        }
        self.expect("]")?;
        if list.is_empty() {
            return Err(Fault::new(start, "the list is empty"));
        }
        Ok(list)
    }

    fn element(&mut self) -> Result<Node, Fault> {
        let at = self.at;
        self.elements += 1;
        if self.elements > MAX_ELEMENTS {
            let message = format!("the filter's lists have more than {MAX_ELEMENTS} elements");
            return Err(Fault::new(at, message));
        }
        let form = self.primary()?;
        match form {
            Form::Value(_) | Form::Path(_) => Ok(Node { at, form }),
            _ => Err(Fault::new(at, "a list holds values only")),
        }
    }
}

fn unknown_function(name: &str, at: usize) -> Fault {
    let name = if name.len() <= 64 { name } else { "…" };
    let message =
        format!("a filter has no function `{name}`, only `has`, `startsWith` and `timestamp`");
    Fault::new(at, message)
}
