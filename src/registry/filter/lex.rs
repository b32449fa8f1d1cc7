//! The tokens of a filter, by CEL's lexical rules.
//!
//! Rules: <https://github.com/google/cel-spec/blob/master/doc/langdef.md#syntax>.

use super::Fault;

#[derive(Clone, PartialEq)]
pub(super) enum Token<'t> {
    Name(&'t str),
    Int(u64),
    Uint(u64),
    Float(f64),
    Text(String),
    Data(Vec<u8>),
    Sign(&'static str),
    End,
}

/// Longer signs stand before those that they begin with.
const SIGNS: [&str; 24] = [
    "&&", "||", "==", "!=", "<=", ">=", "<", ">", "!", "(", ")", "[", "]", "{", "}", ",", ".", "-",
    "+", "*", "/", "%", "?", ":",
];

pub(super) struct Lexer<'t> {
    rest: &'t str,
    /// The byte offset of `rest` in the text.
    at: usize,
}

impl<'t> Lexer<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { rest: text, at: 0 }
    }

    /// The next token and its byte offset.
    pub(super) fn next(&mut self) -> Result<(Token<'t>, usize), Fault> {
        self.skip_blanks();
        let at = self.at;
        let mut chars = self.rest.chars();
        let (Some(first), second) = (chars.next(), chars.next()) else {
            return Ok((Token::End, at));
        };
        let token = if let Some(quoted) = self.quoted(at)? {
            quoted
        } else if first.is_ascii_alphabetic() || first == '_' {
            Token::Name(self.take_while(|c| c.is_ascii_alphanumeric() || c == '_'))
        } else if first.is_ascii_digit()
            || first == '.' && second.is_some_and(|c| c.is_ascii_digit())
        {
            self.number(at)?
        } else {
            self.sign(at)?
        };
        Ok((token, at))
    }

    fn skip_blanks(&mut self) {
        loop {
            self.take_while(|c| matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0c'));
            if !self.rest.starts_with("//") {
                return;
            }
            self.take_while(|c| c != '\n');
        }
    }

    fn take(&mut self, len: usize) -> &'t str {
        let (taken, rest) = self.rest.split_at_checked(len).unwrap_or((self.rest, ""));
        self.rest = rest;
        self.at += taken.len();
        taken
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'t str {
        self.take(self.rest.find(|c| !wanted(c)).unwrap_or(self.rest.len()))
    }

    fn take_if(&mut self, prefix: &str) -> bool {
        let there = self.rest.starts_with(prefix);
        if there {
            self.take(prefix.len());
        }
        there
    }

    fn sign(&mut self, at: usize) -> Result<Token<'t>, Fault> {
        let sign = SIGNS.into_iter().find(|sign| self.take_if(sign));
        match sign {
            Some(sign) => Ok(Token::Sign(sign)),
            None if self.rest.starts_with('=') => Err(Fault::new(at, "equality is written `==`")),
            None if self.rest.starts_with('&') => Err(Fault::new(at, "`and` is written `&&`")),
            None if self.rest.starts_with('|') => Err(Fault::new(at, "`or` is written `||`")),
            None => Err(Fault::new(
                at,
                "a character that no filter has outside of quotes",
            )),
        }
    }

    fn number(&mut self, at: usize) -> Result<Token<'t>, Fault> {
        let start = self.rest;
        let range = || Fault::new(at, "the number is out of range");
        if self.take_if("0x") {
            let digits = self.take_while(|c| c.is_ascii_hexdigit());
            let value = u64::from_str_radix(digits, 16).map_err(|_| range())?;
            return Ok(self.whole(value));
        }
        self.take_while(|c| c.is_ascii_digit());
        let fraction = self.take_fraction();
        let exponent = self.take_exponent();
        let (digits, _) = start
            .split_at_checked(start.len() - self.rest.len())
            .unwrap_or_default();
        if fraction || exponent {
            let value: f64 = digits.parse().map_err(|_| range())?;
            return value
                .is_finite()
                .then_some(Token::Float(value))
                .ok_or_else(range);
        }
        let value = digits.parse().map_err(|_| range())?;
        Ok(self.whole(value))
    }

    fn whole(&mut self, value: u64) -> Token<'t> {
        if self.take_if("u") || self.take_if("U") {
            Token::Uint(value)
        } else {
            Token::Int(value)
        }
    }

    fn take_fraction(&mut self) -> bool {
        let follows = self
            .rest
            .strip_prefix('.')
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
        if follows {
            self.take(1);
            self.take_while(|c| c.is_ascii_digit());
        }
        follows
    }

    fn take_exponent(&mut self) -> bool {
        let follows = self.rest.strip_prefix(['e', 'E']).is_some_and(|rest| {
            rest.strip_prefix(['+', '-'])
                .unwrap_or(rest)
                .starts_with(|c: char| c.is_ascii_digit())
        });
        if follows {
            self.take(1);
            let _sign = self.take_if("+") || self.take_if("-");
            self.take_while(|c| c.is_ascii_digit());
        }
        follows
    }

    /// A text or bytes literal, if one begins here: `"…"`, `'…'`, each tripled, raw with `r`, bytes with `b`.
    fn quoted(&mut self, at: usize) -> Result<Option<Token<'t>>, Fault> {
        let (mut raw, mut data) = (false, false);
        let mut rest = self.rest;
        loop {
            match rest.chars().next() {
                Some('r' | 'R') if !raw => raw = true,
                Some('b' | 'B') if !data => data = true,
                Some('"' | '\'') => break,
                _ => return Ok(None),
            }
            rest = rest.get(1..).unwrap_or_default();
        }
        self.take(self.rest.len() - rest.len());
        let quote = ["\"\"\"", "'''", "\"", "'"]
            .into_iter()
            .find(|quote| self.take_if(quote))
            .unwrap_or_default();
        let body = self.body(at, quote, raw, data)?;
        if data {
            return Ok(Some(Token::Data(body)));
        }
        match String::from_utf8(body) {
            Ok(text) => Ok(Some(Token::Text(text))),
            Err(_) => Err(Fault::new(at, "the text is not UTF-8")),
        }
    }

    fn body(&mut self, at: usize, quote: &str, raw: bool, data: bool) -> Result<Vec<u8>, Fault> {
        let mut body = Vec::new();
        while !self.take_if(quote) {
            match self.rest.chars().next() {
                None => return Err(Fault::new(at, "the quote is not closed")),
                Some('\n' | '\r') if quote.len() == 1 => {
                    return Err(Fault::new(at, "the quote is not closed on its line"));
                }
                Some('\\') if !raw => self.escape(data, &mut body)?,
                Some(c) => body.extend(self.take(c.len_utf8()).bytes()),
            }
        }
        Ok(body)
    }

    fn escape(&mut self, data: bool, body: &mut Vec<u8>) -> Result<(), Fault> {
        let at = self.at;
        self.take(1);
        let fault = || {
            Fault::new(
                at,
                "an unknown escape; a backslash itself is written `\\\\`",
            )
        };
        let kind = self.rest.chars().next().ok_or_else(fault)?;
        let simple = match kind {
            'a' => Some(0x07),
            'b' => Some(0x08),
            'f' => Some(0x0c),
            'n' => Some(b'\n'),
            'r' => Some(b'\r'),
            't' => Some(b'\t'),
            'v' => Some(0x0b),
            '\\' => Some(b'\\'),
            '?' => Some(b'?'),
            '"' => Some(b'"'),
            '\'' => Some(b'\''),
            '`' => Some(b'`'),
            _ => None,
        };
        if let Some(byte) = simple {
            self.take(1);
            body.push(byte);
            return Ok(());
        }
        let (skip, digits, radix) = match kind {
            'x' | 'X' => (1, 2, 16),
            'u' if !data => (1, 4, 16),
            'U' if !data => (1, 8, 16),
            '0'..='3' => (0, 3, 8),
            _ => return Err(fault()),
        };
        self.take(skip);
        let code = self.take(digits);
        let all = code.len() == digits && code.chars().all(|c| c.is_digit(radix));
        let code = u32::from_str_radix(code, radix)
            .ok()
            .filter(|_| all)
            .ok_or_else(fault)?;
        if data {
            body.push(u8::try_from(code).map_err(|_| fault())?);
        } else {
            let c = char::from_u32(code).ok_or_else(fault)?;
            body.extend(c.encode_utf8(&mut [0; 4]).bytes());
        }
        Ok(())
    }
}
