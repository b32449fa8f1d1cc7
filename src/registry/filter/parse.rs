//! From CEL text to a tree, within bounds that a hostile text cannot pass.
//!
//! The grammar is CEL's, without what no filter has. The `cel` crate's own parser is not used: for a text of a few kilobytes
//! from outside, such as a chain of `.` or of parentheses, it overflows the stack whatever recursion limit it is given.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::Fault;
use super::Op;
use super::lex::Lexer;
use super::lex::Token;

/// Parentheses and negations within one another.
const MAX_DEPTH: usize = 32;
/// Operators, fields and values, those in lists aside.
const MAX_NODES: usize = 200;
/// Elements of all lists together.
const MAX_ELEMENTS: usize = 1000;
/// As for a `FieldPath`.
const MAX_PATH: usize = 256;

pub(super) struct Node {
    /// Byte offset in the text.
    pub(super) at: usize,
    pub(super) form: Form,
}

pub(super) enum Form {
    All(Vec<Node>),
    Any(Vec<Node>),
    Not(Box<Node>),
    Compare(Op, Box<[Node; 2]>),
    In(Box<Node>, Vec<Node>),
    StartsWith {
        path: String,
        prefix: String,
    },
    Has {
        path: String,
        at: usize,
    },
    /// A field, or the name of an enum's value.
    Path(String),
    Value(Value),
}

pub(super) enum Value {
    Text(String),
    Data(Vec<u8>),
    Int(i64),
    Uint(u64),
    Float(f64),
    Bool(bool),
    Time { seconds: i64, nanos: i32 },
}

pub(super) fn parse(text: &str) -> Result<Node, Fault> {
    let mut parser = Parser {
        lexer: Lexer::new(text),
        token: Token::End,
        at: 0,
        depth: 0,
        nodes: 0,
        elements: 0,
    };
    parser.advance()?;
    if parser.token == Token::End {
        return Err(Fault::new(0, "the filter is empty"));
    }
    let node = parser.any()?;
    match parser.token {
        Token::End => Ok(node),
        _ => Err(parser.unexpected()),
    }
}

struct Parser<'t> {
    lexer: Lexer<'t>,
    /// The token that is looked at, and its offset.
    token: Token<'t>,
    at: usize,
    depth: usize,
    nodes: usize,
    elements: usize,
}

struct Path<'t> {
    joined: String,
    last: &'t str,
    last_at: usize,
}

impl<'t> Parser<'t> {
    fn any(&mut self) -> Result<Node, Fault> {
        self.joined("||", Self::all, Form::Any)
    }

    fn all(&mut self) -> Result<Node, Fault> {
        self.joined("&&", Self::relation, Form::All)
    }

    fn joined(
        &mut self,
        sign: &'static str,
        part: impl Fn(&mut Self) -> Result<Node, Fault>,
        form: impl FnOnce(Vec<Node>) -> Form,
    ) -> Result<Node, Fault> {
        let first = part(self)?;
        if !self.sees(sign) {
            return Ok(first);
        }
        let at = first.at;
        let mut parts = vec![first];
        while self.takes(sign)? {
            parts.push(part(self)?);
        }
        self.node(at, form(parts))
    }

    fn relation(&mut self) -> Result<Node, Fault> {
        let left = self.unary()?;
        let at = left.at;
        let node = if self.token == Token::Name("in") {
            self.advance()?;
            let list = self.list()?;
            self.node(at, Form::In(Box::new(left), list))?
        } else if let Some(op) = self.operator() {
            self.advance()?;
            let right = self.unary()?;
            self.node(at, Form::Compare(op, Box::new([left, right])))?
        } else {
            left
        };
        if self.operator().is_some() || self.token == Token::Name("in") {
            return Err(self.fault("comparisons cannot be chained; join them with `&&`"));
        }
        Ok(node)
    }

    fn operator(&self) -> Option<Op> {
        let Token::Sign(sign) = self.token else {
            return None;
        };
        Some(match sign {
            "==" => Op::Eq,
            "!=" => Op::Ne,
            "<" => Op::Lt,
            "<=" => Op::Le,
            ">" => Op::Gt,
            ">=" => Op::Ge,
            _ => return None,
        })
    }

    fn unary(&mut self) -> Result<Node, Fault> {
        let at = self.at;
        if !self.takes("!")? {
            return self.operand();
        }
        let inner = self.deeper(at, Self::unary)?;
        self.node(at, Form::Not(Box::new(inner)))
    }

    /// Every recursion passes here.
    fn deeper(
        &mut self,
        at: usize,
        inner: impl FnOnce(&mut Self) -> Result<Node, Fault>,
    ) -> Result<Node, Fault> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            let message = format!("the filter is nested deeper than {MAX_DEPTH} levels");
            return Err(Fault::new(at, message));
        }
        let node = inner(self)?;
        self.depth -= 1;
        Ok(node)
    }

    fn operand(&mut self) -> Result<Node, Fault> {
        let at = self.at;
        let node = if self.takes("(")? {
            let node = self.deeper(at, Self::any)?;
            self.expect(")")?;
            node
        } else {
            let form = self.primary()?;
            self.node(at, form)?
        };
        match self.token {
            Token::Sign("+" | "-" | "*" | "/" | "%") => {
                Err(self.fault("a filter does not calculate; compare a field with a value"))
            }
            Token::Sign("?") => Err(self.fault("a filter has no `? :`; use `&&` and `||`")),
            Token::Sign("[") => Err(self.fault("a filter does not look into lists and maps")),
            Token::Sign(".") => Err(self.fault("only the names of a path are joined by dots")),
            Token::Sign("{") => Err(self.fault("a filter builds no messages and maps")),
            _ => Ok(node),
        }
    }

    fn primary(&mut self) -> Result<Form, Fault> {
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
        let text = std::mem::take(text);
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
                Fault::new(at, "the whole number is out of range; without a sign, up to 64 bits, it is written with a `u` behind it")
            })?),
            Token::Uint(v) => Value::Uint(*v),
            Token::Float(v) => Value::Float(*v),
            Token::Text(v) => Value::Text(std::mem::take(v)),
            Token::Data(v) => Value::Data(std::mem::take(v)),
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

    fn list(&mut self) -> Result<Vec<Node>, Fault> {
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

    fn node(&mut self, at: usize, form: Form) -> Result<Node, Fault> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            let message = format!("the filter has more than {MAX_NODES} parts");
            return Err(Fault::new(at, message));
        }
        Ok(Node { at, form })
    }

    fn advance(&mut self) -> Result<(), Fault> {
        (self.token, self.at) = self.lexer.next()?;
        Ok(())
    }

    fn sees(&self, sign: &str) -> bool {
        matches!(self.token, Token::Sign(seen) if seen == sign)
    }

    fn takes(&mut self, sign: &str) -> Result<bool, Fault> {
        let there = self.sees(sign);
        if there {
            self.advance()?;
        }
        Ok(there)
    }

    fn expect(&mut self, sign: &'static str) -> Result<(), Fault> {
        if self.takes(sign)? {
            return Ok(());
        }
        Err(self.fault(format!("`{sign}` is missing")))
    }

    fn fault(&self, message: impl Into<String>) -> Fault {
        Fault::new(self.at, message)
    }

    /// Names what stands there, unless it is a value.
    fn unexpected(&self) -> Fault {
        self.fault(match self.token {
            Token::End => "the filter ends too early".to_owned(),
            Token::Sign(sign) => format!("`{sign}` does not belong here"),
            Token::Name(name) if name.len() <= 64 => format!("`{name}` does not belong here"),
            _ => "this does not belong here".to_owned(),
        })
    }
}

fn unknown_function(name: &str, at: usize) -> Fault {
    let name = if name.len() <= 64 { name } else { "…" };
    let message =
        format!("a filter has no function `{name}`, only `has`, `startsWith` and `timestamp`");
    Fault::new(at, message)
}
