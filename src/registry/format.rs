//! The layout of `.proto` files: indentation by two blanks a level, at most one empty line, no blanks at an end.

/// The text as it should be laid out. Words, comments and the division into lines stay as they are.
pub fn formatted(text: &str) -> String {
    let mut layout = Layout::default();
    let mut out = String::with_capacity(text.len());
    let mut blank = true;
    for line in text.lines() {
        let within_comment = layout.in_comment;
        let line = if within_comment {
            line.trim_end()
        } else {
            line.trim()
        };
        if line.is_empty() {
            if !blank {
                out.push('\n');
            }
            blank = true;
            continue;
        }
        let closing = line.chars().take_while(|c| is_closing(*c)).count();
        if !within_comment {
            for _ in 0..layout.levels(closing) {
                out.push_str("  ");
            }
        }
        layout.read(line);
        out.push_str(line);
        out.push('\n');
        blank = false;
    }
    while out.ends_with("\n\n") {
        out.pop();
    }
    out
}

/// How deep a line stands, read from all lines before it.
#[derive(Default)]
struct Layout {
    /// The line of each bracket that is open.
    open: Vec<usize>,
    line: usize,
    in_comment: bool,
}

impl Layout {
    /// The levels of a line that begins with so many closing brackets: those opened on one line make one level.
    fn levels(&self, closing: usize) -> usize {
        let mut open = self.open.clone();
        open.truncate(open.len().saturating_sub(closing));
        open.dedup();
        open.len()
    }

    fn read(&mut self, line: &str) {
        self.line += 1;
        let mut quote = None;
        let mut letters = line.chars().peekable();
        while let Some(letter) = letters.next() {
            let next = letters.peek().copied();
            if self.in_comment {
                if (letter, next) == ('*', Some('/')) {
                    self.in_comment = false;
                    letters.next();
                }
                continue;
            }
            match (quote, letter) {
                (Some(_), '\\') => drop(letters.next()),
                (Some(open), _) if letter == open => quote = None,
                (Some(_), _) => {}
                (None, '"' | '\'') => quote = Some(letter),
                (None, '/') if next == Some('/') => return,
                (None, '/') if next == Some('*') => {
                    self.in_comment = true;
                    letters.next();
                }
                (None, '{' | '[' | '(') => self.open.push(self.line),
                (None, _) if is_closing(letter) => drop(self.open.pop()),
                (None, _) => {}
            }
        }
    }
}

fn is_closing(letter: char) -> bool {
    matches!(letter, '}' | ']' | ')')
}

#[cfg(test)]
mod tests;
