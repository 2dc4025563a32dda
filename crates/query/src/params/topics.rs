//! The list of topics of a filter.

use std::borrow::Cow;

use super::kind::is_blank;

/// The names of a list, separated by commas. One that holds a comma stands in double quotes, in which two quotes are one,
/// as RFC 4180 writes fields; a quote that opens no such name is a character like any other. Blank ones are left out.
pub(super) fn names(list: &str) -> Vec<Cow<'_, str>> {
    let mut names = Vec::new();
    let mut rest = Some(list);
    while let Some(list) = rest {
        if let Some((name, after)) = quoted(list) {
            names.push(name.into());
            rest = after;
        } else {
            let (name, after) = list
                .split_once(',')
                .map_or((list, None), |(name, after)| (name, Some(after)));
            names.extend((!is_blank(name)).then_some(name.into()));
            rest = after;
        }
    }
    names
}

/// The name in quotes that a list begins with, and the list after it.
fn quoted(list: &str) -> Option<(String, Option<&str>)> {
    let mut rest = list.trim_start().strip_prefix('"')?;
    let mut name = String::new();
    loop {
        let (part, after) = rest.split_once('"')?;
        name += part;
        if let Some(after) = after.strip_prefix('"') {
            name.push('"');
            rest = after;
            continue;
        }
        let after = after.trim_start();
        return match after.strip_prefix(',') {
            None if after.is_empty() => Some((name, None)),
            None => None,
            after => Some((name, after)),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_in_quotes_may_hold_a_comma_and_any_other_quote_is_a_character() {
        for (list, expected) in [
            ("", vec![]),
            (", ,,", vec![]),
            ("a,b", vec!["a", "b"]),
            (r#""a, b""#, vec!["a, b"]),
            (r#"x, "a, b" ,y"#, vec!["x", "a, b", "y"]),
            (r#""say ""hi"", then go""#, vec![r#"say "hi", then go"#]),
            (r#""","""#, vec!["", ""]),
            (r#""""""#, vec!["\""]),
            // Not closed, closed too early, or not at the beginning.
            (r#"""#, vec!["\""]),
            (r#""a, b"#, vec!["\"a", " b"]),
            (r#""a"b,c"#, vec!["\"a\"b", "c"]),
            (r#"5" disk,b"c,d"#, vec!["5\" disk", "b\"c", "d"]),
            (r#""a","b"#, vec!["a", "\"b"]),
        ] {
            assert_eq!(names(list), expected, "{list}");
        }
    }
}
