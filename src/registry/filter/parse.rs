//! From CEL text to a tree, within bounds that a hostile text cannot pass.
//!
//! The grammar is CEL's, without what no filter has. The `cel` crate's own parser is not used: for a text of a few kilobytes
//! from outside, such as a chain of `.` or of parentheses, it overflows the stack whatever recursion limit it is given.

mod operand;

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
