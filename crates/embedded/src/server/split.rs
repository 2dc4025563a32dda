//! Where the text of a statement ends and its data begins, and which format its rows come back in.

use super::lexer::{Kind, Lexer, NoToken, Token};

/// How far behind the format's name a `SETTINGS` is looked for, in bytes of space.
const SETTINGS_WITHIN: usize = 1024;

/// What the beginning of a request's text is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Split {
    /// More of it is needed to tell.
    Undecided,
    /// A statement that the engine takes as a whole, data or no.
    Whole,
    /// An insert whose data begins at byte `data` of the text.
    Insert {
        /// Its text without `FORMAT`.
        statement: Vec<u8>,
        /// The format of its data.
        format: String,
        /// Where its data begins.
        data: usize,
    },
}

/// Splits a text of which more may follow unless it is `complete`.
///
/// Data is split off `INSERT INTO table … FORMAT name` alone, where the table may be a function. Everything else, and
/// whatever does not look like ClickHouse's grammar, is the engine's to judge as a whole.
pub(super) fn split(text: &[u8], complete: bool) -> Split {
    match insert(&mut Lexer::new(text, complete), text, complete) {
        Ok(split) => split,
        Err(NoToken::Unfinished) => Split::Undecided,
        Err(NoToken::End | NoToken::Unclosed) => Split::Whole,
    }
}

/// The format that the text names for the rows that come back: the last `FORMAT name` outside of parentheses
/// that nothing but settings follows. An insert gives none back.
pub(super) fn output_format(text: &str) -> Option<String> {
    let mut lexer = Lexer::new(text.as_bytes(), true);
    if matches!(lexer.clone().next(), Ok(first) if lexer.is(first, "INSERT")) {
        return None;
    }
    let mut depth = 0_usize;
    let mut format = None;
    while let Ok(token) = lexer.next() {
        match token.kind {
            Kind::Mark(b'(' | b'[' | b'{') => depth += 1,
            Kind::Mark(b')' | b']' | b'}') => depth = depth.saturating_sub(1),
            Kind::Word if depth == 0 && lexer.is(token, "FORMAT") => {
                let name = lexer.next().ok()?;
                let after = lexer.clone().next();
                let ends = match after {
                    Ok(after) => after.kind == Kind::Mark(b';') || lexer.is(after, "SETTINGS"),
                    Err(_) => true,
                };
                if ends && name.kind == Kind::Word {
                    format = str::from_utf8(lexer.bytes(name)).ok().map(str::to_owned);
                }
            }
            _ => {}
        }
    }
    format
}

/// Whether the text is an insert that selects from its data by the table function `input`.
pub(super) fn selects_from_data(text: &str) -> bool {
    let mut lexer = Lexer::new(text.as_bytes(), true);
    let (mut inserts, mut selects) = (false, false);
    while let Ok(token) = lexer.next() {
        if lexer.is(token, "VALUES") && !selects {
            return false;
        }
        inserts |= lexer.is(token, "INSERT");
        selects |= lexer.is(token, "SELECT");
        if selects && lexer.is(token, "INPUT") && lexer.take_mark(b'(') == Ok(true) {
            return inserts;
        }
    }
    false
}

fn insert(lexer: &mut Lexer<'_>, text: &[u8], complete: bool) -> Result<Split, NoToken> {
    let first = lexer.next()?;
    if !lexer.is(first, "INSERT") {
        return Ok(Split::Whole);
    }
    let mut token = lexer.next()?;
    for keyword in ["INTO", "TABLE"] {
        if lexer.is(token, keyword) {
            token = lexer.next()?;
        }
    }
    if !table(lexer, token)? {
        return Ok(Split::Whole);
    }
    loop {
        let token = lexer.next()?;
        if token.kind == Kind::Mark(b'(') {
            if !columns(lexer)? {
                return Ok(Split::Whole);
            }
        } else if lexer.is(token, "SETTINGS") {
            if !settings(lexer)? {
                return Ok(Split::Whole);
            }
        } else if lexer.is(token, "FORMAT") {
            return formatted(lexer, text, complete, token.start);
        } else {
            return Ok(Split::Whole);
        }
    }
}

/// Passes over a table's name or a table function, of which `first` is the first token.
fn table(lexer: &mut Lexer<'_>, first: Token) -> Result<bool, NoToken> {
    let mut part = first;
    loop {
        match part.kind {
            Kind::Word if lexer.is(part, "FUNCTION") => {
                let next = lexer.clone().next()?;
                if matches!(next.kind, Kind::Word | Kind::Name) && !lexer.is(next, "FORMAT") {
                    lexer.next()?;
                    if !lexer.take_mark(b'(')? {
                        return Ok(false);
                    }
                    close(lexer, 1)?;
                    return Ok(true);
                }
            }
            Kind::Word | Kind::Name => {}
            // A name as a parameter: `{name:Identifier}`.
            Kind::Mark(b'{') => close(lexer, 1)?,
            _ => return Ok(false),
        }
        if !lexer.take_mark(b'.')? {
            return Ok(true);
        }
        part = lexer.next()?;
    }
}

/// Passes over a list of columns whose parenthesis is open. A query in parentheses is none.
fn columns(lexer: &mut Lexer<'_>) -> Result<bool, NoToken> {
    let first = lexer.clone().next()?;
    if lexer.is(first, "SELECT") || lexer.is(first, "WITH") || first.kind == Kind::Mark(b'(') {
        return Ok(false);
    }
    close(lexer, 1)?;
    Ok(true)
}

/// Passes over everything up to the end of the parentheses that are open.
fn close(lexer: &mut Lexer<'_>, mut depth: usize) -> Result<(), NoToken> {
    while depth > 0 {
        match lexer.next()?.kind {
            Kind::Mark(b'(' | b'[' | b'{') => depth += 1,
            Kind::Mark(b')' | b']' | b'}') => depth -= 1,
            _ => {}
        }
    }
    Ok(())
}

/// Passes over `name = value, …`; false where the text is something else.
fn settings(lexer: &mut Lexer<'_>) -> Result<bool, NoToken> {
    loop {
        let name = lexer.next()?;
        if !matches!(name.kind, Kind::Word | Kind::Name) || !lexer.take_mark(b'=')? {
            return Ok(false);
        }
        let mut value = lexer.next()?;
        while matches!(value.kind, Kind::Mark(b'-' | b'+')) {
            value = lexer.next()?;
        }
        match value.kind {
            Kind::Mark(b'(' | b'[' | b'{') => close(lexer, 1)?,
            Kind::Mark(_) => return Ok(false),
            Kind::Word if lexer.take_mark(b'.')? => {
                lexer.next()?;
            }
            Kind::Word | Kind::Name | Kind::Text => {}
        }
        if !lexer.take_mark(b',')? {
            return Ok(true);
        }
    }
}

/// The insert whose keyword `FORMAT`, at byte `keyword`, has just been read.
fn formatted(lexer: &mut Lexer<'_>, text: &[u8], complete: bool, keyword: usize) -> Result<Split, NoToken> {
    let name = lexer.next()?;
    let bytes = lexer.bytes(name);
    let bytes = match name.kind {
        Kind::Word => bytes,
        Kind::Name => bytes.get(1..bytes.len() - 1).unwrap_or_default(),
        Kind::Text | Kind::Mark(_) => return Ok(Split::Whole),
    };
    let Ok(format) = str::from_utf8(bytes) else {
        return Ok(Split::Whole);
    };
    let mut statement = text.get(..keyword).unwrap_or_default().trim_ascii_end().to_vec();
    let mut end = name.end;
    if let Some((start, settings_end)) = settings_behind(lexer, text, complete, end)? {
        statement.push(b' ');
        statement.extend_from_slice(text.get(start..settings_end).unwrap_or_default());
        end = settings_end;
    }
    let Some(data) = data_start(text, complete, end)? else {
        return Ok(Split::Whole);
    };
    Ok(Split::Insert {
        statement,
        format: format.to_owned(),
        data,
    })
}

/// Where settings behind the format's name stand, if there are any. Data is not lexed: it may be anything.
fn settings_behind(
    lexer: &mut Lexer<'_>,
    text: &[u8],
    complete: bool,
    from: usize,
) -> Result<Option<(usize, usize)>, NoToken> {
    const KEYWORD: &[u8] = b"SETTINGS";
    let rest = text.get(from..).unwrap_or_default();
    let Some(space) = rest
        .iter()
        .take(SETTINGS_WITHIN)
        .position(|byte| !byte.is_ascii_whitespace())
    else {
        let may_come = !complete && rest.len() < SETTINGS_WITHIN;
        return if may_come {
            Err(NoToken::Unfinished)
        } else {
            Ok(None)
        };
    };
    let found: Vec<u8> = rest.iter().skip(space).take(KEYWORD.len()).copied().collect();
    let expected = KEYWORD.get(..found.len()).unwrap_or_default();
    if space == 0 || !found.eq_ignore_ascii_case(expected) {
        return Ok(None);
    }
    if found.len() < KEYWORD.len() {
        return if complete {
            Ok(None)
        } else {
            Err(NoToken::Unfinished)
        };
    }
    let start = from + space;
    lexer.seek(start);
    let word = lexer.next()?;
    if !lexer.is(word, "SETTINGS") {
        return Ok(None);
    }
    // The end is behind the last value, before any space.
    let mut before = lexer.clone();
    match settings(lexer) {
        Ok(true) => {}
        Ok(false) | Err(NoToken::End | NoToken::Unclosed) => return Ok(None),
        Err(NoToken::Unfinished) => return Err(NoToken::Unfinished),
    }
    let mut end = start;
    let stop = lexer.position();
    while before.position() < stop {
        end = before.next()?.end;
    }
    Ok(Some((start, end)))
}

/// Where data begins behind `from`: after spaces and at most one line break, as in ClickHouse. A semicolon there
/// is an error for the engine to tell.
fn data_start(text: &[u8], complete: bool, from: usize) -> Result<Option<usize>, NoToken> {
    let mut at = from;
    if text.get(at) == Some(&b';') {
        return Ok(None);
    }
    while matches!(text.get(at), Some(b' ' | b'\t' | 0x0c)) {
        at += 1;
    }
    if text.get(at) == Some(&b'\r') {
        at += 1;
    }
    match text.get(at) {
        Some(b'\n') => Ok(Some(at + 1)),
        Some(_) => Ok(Some(at)),
        None if complete => Ok(Some(at)),
        None => Err(NoToken::Unfinished),
    }
}

#[cfg(test)]
mod tests;
