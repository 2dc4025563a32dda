//! Reading JSON so that errors can be reported field by field.
//!
//! A member is first kept as raw text, by [`RawValue`], which checks that it is JSON; its type is checked by the
//! code that reads its field.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::rejection::{Field, Rejection};

/// A member of an object: `None` where it is absent or null.
pub(super) type Member<'a> = Option<&'a RawValue>;

pub(super) const NULL: &str = "null";
pub(super) const BOOLEAN: &str = "a boolean";
pub(super) const NUMBER: &str = "a number";
pub(super) const STRING: &str = "a string";
pub(super) const ARRAY: &str = "an array";
pub(super) const OBJECT: &str = "an object";

/// The type of a JSON value, which its first byte shows.
pub(super) fn type_name(raw: &RawValue) -> &'static str {
    match raw.get().as_bytes().first() {
        Some(b'n') => NULL,
        Some(b't' | b'f') => BOOLEAN,
        Some(b'"') => STRING,
        Some(b'[') => ARRAY,
        Some(b'{') => OBJECT,
        _ => NUMBER,
    }
}

/// The first byte that is not JSON's white space.
pub(super) fn first_byte(json: &[u8]) -> Option<u8> {
    json.iter()
        .copied()
        .find(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r'))
}

/// Reads the whole of a text as `T`.
pub(super) fn parse<'a, T: Deserialize<'a>>(field: Field, json: &'a str) -> Result<T, Rejection> {
    serde_json::from_str(json).map_err(|error| Rejection::MalformedJson {
        field,
        reason: error.to_string(),
    })
}

/// Reads a JSON object as `T`, a struct: serde alone would take an array of its fields too.
pub(super) fn object<'a, T: Deserialize<'a>>(field: Field, json: &'a str) -> Result<T, Rejection> {
    if first_byte(json.as_bytes()) == Some(b'{') {
        return parse(field, json);
    }
    match type_name(parse(field, json)?) {
        NULL => Err(Rejection::Missing(field)),
        found => Err(Rejection::WrongType {
            field,
            expected: OBJECT,
            found,
        }),
    }
}

/// The member, which must be there.
pub(super) fn required(field: Field, member: Member<'_>) -> Result<&RawValue, Rejection> {
    member.ok_or(Rejection::Missing(field))
}

/// The member as a string, which must be there.
pub(super) fn text(field: Field, member: Member<'_>) -> Result<Cow<'_, str>, Rejection> {
    string(field, required(field, member)?)
}

/// The member as a string, or `None` where it is absent or null.
pub(super) fn optional_text(field: Field, member: Member<'_>) -> Result<Option<Cow<'_, str>>, Rejection> {
    member.map(|raw| string(field, raw)).transpose()
}

/// The value as a string, borrowed unless it has escapes.
pub(super) fn string(field: Field, raw: &RawValue) -> Result<Cow<'_, str>, Rejection> {
    match raw
        .get()
        .strip_prefix('"')
        .and_then(|json| json.strip_suffix('"'))
    {
        // Without escapes the text between the quotes is the string itself.
        Some(text) if !text.contains('\\') => Ok(Cow::Borrowed(text)),
        Some(_) => parse(field, raw.get()).map(Cow::Owned),
        None => Err(Rejection::WrongType {
            field,
            expected: STRING,
            found: type_name(raw),
        }),
    }
}

/// The JSON with each escape of half a surrogate pair replaced by that of U+FFFD, which is as long. `None` if it has
/// no such escape.
pub fn mend_surrogates(json: &[u8]) -> Option<Vec<u8>> {
    const ESCAPE: usize = r"\uXXXX".len();
    let mut mended: Option<Vec<u8>> = None;
    let mut at = 0;
    while let Some(found) = json.iter().skip(at).position(|byte| *byte == b'\\') {
        let escape = at + found;
        at = match code_unit(json, escape) {
            Some(0xD800..=0xDBFF) if matches!(code_unit(json, escape + ESCAPE), Some(0xDC00..=0xDFFF)) => {
                escape + 2 * ESCAPE
            }
            Some(0xD800..=0xDFFF) => {
                let mended = mended.get_or_insert_with(|| json.to_vec());
                mended.splice(escape..escape + ESCAPE, *br"\ufffd");
                escape + ESCAPE
            }
            Some(_) => escape + ESCAPE,
            // Of one character, which may be a backslash.
            None => escape + 2,
        };
    }
    mended
}

/// What the escape `\uXXXX` at this place stands for; `None` if it is another.
fn code_unit(json: &[u8], at: usize) -> Option<u16> {
    let digits = json.get(at..at + 6)?.strip_prefix(br"\u")?;
    digits.iter().try_fold(0, |unit, digit| {
        let digit = char::from(*digit).to_digit(16)?;
        Some(unit << 4 | u16::try_from(digit).ok()?)
    })
}
