//! ClickHouse's tokens, as far as the interface must tell them apart: over bytes, of which more may follow.

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A keyword, a bare name or a number.
    Word,
    /// A name in backticks or double quotes.
    Name,
    /// A string, or a heredoc.
    Text,
    /// Any other single byte.
    Mark(u8),
}

/// A token and where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// Why there is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoToken {
    /// What follows may still belong to it.
    Unfinished,
    /// The text ends.
    End,
    /// A quote or a comment is not closed.
    Unclosed,
}

/// Walks over a text, passing over space and comments.
#[derive(Debug, Clone)]
pub(super) struct Lexer<'a> {
    text: &'a [u8],
    at: usize,
    complete: bool,
}

impl<'a> Lexer<'a> {
    /// Reads `text`; unless it is `complete`, more may follow.
    pub(super) const fn new(text: &'a [u8], complete: bool) -> Self {
        Self {
            text,
            at: 0,
            complete,
        }
    }

    /// Goes on at `at`.
    pub(super) const fn seek(&mut self, at: usize) {
        self.at = at;
    }

    /// Where it is.
    pub(super) const fn position(&self) -> usize {
        self.at
    }

    /// The next token.
    pub(super) fn next(&mut self) -> Result<Token, NoToken> {
        self.skip_blank()?;
        let start = self.at;
        let Some(first) = self.peek(0) else {
            return Err(self.at_end(NoToken::End));
        };
        let (kind, end) = match first {
            b'\'' => (Kind::Text, self.quoted(first)?),
            b'`' | b'"' => (Kind::Name, self.quoted(first)?),
            b'$' => match self.heredoc()? {
                Some(end) => (Kind::Text, end),
                None => (Kind::Word, self.word()?),
            },
            _ if is_word(first) => (Kind::Word, self.word()?),
            _ => (Kind::Mark(first), start + 1),
        };
        self.at = end;
        Ok(Token { kind, start, end })
    }

    /// The next token if it is the mark; otherwise the place is kept.
    pub(super) fn take_mark(&mut self, mark: u8) -> Result<bool, NoToken> {
        let before = self.at;
        match self.next() {
            Ok(Token {
                kind: Kind::Mark(found),
                ..
            }) if found == mark => Ok(true),
            Ok(_) | Err(NoToken::End) => {
                self.at = before;
                Ok(false)
            }
            Err(none) => Err(none),
        }
    }

    /// The bytes of a token.
    pub(super) fn bytes(&self, token: Token) -> &'a [u8] {
        self.text.get(token.start..token.end).unwrap_or_default()
    }

    /// Whether the token is the keyword.
    pub(super) fn is(&self, token: Token, keyword: &str) -> bool {
        token.kind == Kind::Word && self.bytes(token).eq_ignore_ascii_case(keyword.as_bytes())
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.text.get(self.at + ahead).copied()
    }

    const fn at_end(&self, otherwise: NoToken) -> NoToken {
        if self.complete {
            otherwise
        } else {
            NoToken::Unfinished
        }
    }

    fn skip_blank(&mut self) -> Result<(), NoToken> {
        while let Some(byte) = self.peek(0) {
            match (byte, self.peek(1)) {
                (b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c, _) => self.at += 1,
                (b'-' | b'/' | b'#', None) if !self.complete => return Err(NoToken::Unfinished),
                (b'-', Some(b'-')) | (b'#', Some(b' ' | b'!')) => self.skip_past(b"\n", true)?,
                (b'/', Some(b'*')) => {
                    self.at += 2;
                    self.skip_past(b"*/", false)?;
                }
                _ => break,
            }
        }
        Ok(())
    }

    /// Goes behind the next `mark`; where there is none, to the end if that will do.
    fn skip_past(&mut self, mark: &[u8], end_will_do: bool) -> Result<(), NoToken> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        match rest.windows(mark.len()).position(|window| window == mark) {
            Some(found) => self.at += found + mark.len(),
            None if !self.complete => return Err(NoToken::Unfinished),
            None if end_will_do => self.at = self.text.len(),
            None => return Err(NoToken::Unclosed),
        }
        Ok(())
    }

    /// The end of what `quote` opens here. A backslash escapes any byte; a doubled quote stands for itself.
    fn quoted(&self, quote: u8) -> Result<usize, NoToken> {
        let mut at = self.at + 1;
        while let Some(&byte) = self.text.get(at) {
            if byte == b'\\' {
                at += 2;
            } else if byte != quote {
                at += 1;
            } else {
                match self.text.get(at + 1) {
                    Some(&next) if next == quote => at += 2,
                    None if !self.complete => return Err(NoToken::Unfinished),
                    _ => return Ok(at + 1),
                }
            }
        }
        Err(self.at_end(NoToken::Unclosed))
    }

    fn word(&self) -> Result<usize, NoToken> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        match rest.iter().position(|&byte| !is_word(byte)) {
            Some(length) => Ok(self.at + length),
            None if self.complete => Ok(self.text.len()),
            None => Err(NoToken::Unfinished),
        }
    }

    /// The end of the heredoc `$tag$…$tag$` that begins here, if one does.
    fn heredoc(&self) -> Result<Option<usize>, NoToken> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let inner = rest.get(1..).unwrap_or_default();
        let Some(length) = inner
            .iter()
            .position(|&byte| !(byte.is_ascii_alphanumeric() || byte == b'_'))
        else {
            return if self.complete {
                Ok(None)
            } else {
                Err(NoToken::Unfinished)
            };
        };
        if inner.get(length) != Some(&b'$') {
            return Ok(None);
        }
        let tag = rest.get(..length + 2).unwrap_or_default();
        let body = rest.get(tag.len()..).unwrap_or_default();
        match body.windows(tag.len()).position(|window| window == tag) {
            Some(found) => Ok(Some(self.at + tag.len() + found + tag.len())),
            None => Err(self.at_end(NoToken::Unclosed)),
        }
    }
}

const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80
}
