//! What a connection is told before a statement, and what its errors mean.

use super::{
    EngineError, Statement,
    ffi::{Call, Connection},
};

/// How the engine says that it streams rows of `SELECT` alone. It says so before it does anything.
const NOT_STREAMED: &str = "Code: 36. DB::Exception: Streaming query is not supported for query";

/// Whether an error means that the statement has to be run without streaming.
pub(super) fn not_streamed(error: &str) -> bool {
    error.starts_with(NOT_STREAMED)
}

/// Whether the text begins with `INSERT`, whose data can be large and would be named in the refusal to stream it.
pub(super) fn is_insert(sql: &str) -> bool {
    sql.trim_start()
        .get(..6)
        .is_some_and(|word| word.eq_ignore_ascii_case("insert"))
}

/// The engine's text as an error, with the number that it begins with.
pub(super) fn exception(message: String) -> EngineError {
    let code = message
        .strip_prefix("Code: ")
        .and_then(|rest| rest.split_once('.'))
        .and_then(|(code, _)| code.parse().ok())
        .unwrap_or(0);
    EngineError::Exception { code, message }
}

/// The call that runs the statement.
pub(super) fn call<'a>(statement: &'a Statement, format: &'a str) -> Call<'a> {
    Call {
        sql: &statement.sql,
        format,
        parameters: statement
            .parameters
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect(),
    }
}

/// Gives the connection the statement's database and settings, and the tag by which a cancel finds it.
pub(super) fn prepare(
    connection: &mut Connection,
    statement: &Statement,
    tag: &str,
) -> Result<(), EngineError> {
    let mut run = |sql: &str| {
        let call = Call {
            sql,
            format: "Null",
            parameters: Vec::new(),
        };
        connection.query(&call).map(drop).map_err(exception)
    };
    if !matches!(statement.database.as_str(), "" | "default") {
        run(&format!("USE {}", quoted(&statement.database, '`')))?;
    }
    run(&settings(statement, tag)?)?;
    // The engine would run several, one after the other, which the HTTP interface of a server never does.
    if connection
        .statements(&statement.sql)
        .is_some_and(|count| count > 1)
    {
        return Err(exception(
            "Code: 62. DB::Exception: Multi-statements are not allowed. (SYNTAX_ERROR)".to_owned(),
        ));
    }
    Ok(())
}

/// One `SET` of all settings. The tag follows what the client has as its own `log_comment`.
fn settings(statement: &Statement, tag: &str) -> Result<String, EngineError> {
    let comment = statement
        .settings
        .get("log_comment")
        .map_or(tag.to_owned(), |own| format!("{own} {tag}"));
    let mut sql = format!("SET log_comment = {}", quoted(&comment, '\''));
    for (name, value) in statement
        .settings
        .iter()
        .filter(|(name, _)| *name != "log_comment")
    {
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            let message = format!("Code: 115. DB::Exception: Unknown setting '{name}'. (UNKNOWN_SETTING)");
            return Err(exception(message));
        }
        sql.push_str(", ");
        sql.push_str(name);
        sql.push_str(" = ");
        sql.push_str(&quoted(value, '\''));
    }
    Ok(sql)
}

/// The text between quotes, with a backslash before what would end it.
pub(super) fn quoted(text: &str, quote: char) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push(quote);
    for c in text.chars() {
        if c == quote || c == '\\' {
            out.push('\\');
        }
        out.push(c);
    }
    out.push(quote);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exception_keeps_its_code_and_its_text() {
        let text = "Code: 60. DB::Exception: Unknown table. (UNKNOWN_TABLE)";
        let EngineError::Exception { code, message } = exception(text.to_owned()) else {
            panic!("no exception")
        };
        assert_eq!((code, message.as_str()), (60, text));
    }

    #[test]
    fn a_text_without_a_code_has_code_zero() {
        let EngineError::Exception { code, .. } = exception("Invalid insert stream".to_owned()) else {
            panic!("no exception")
        };
        assert_eq!(code, 0);
    }

    #[test]
    fn quotes_and_backslashes_cannot_end_a_value() {
        assert_eq!(quoted(r"a'b\", '\''), r"'a\'b\\'");
    }

    #[test]
    fn a_setting_whose_name_is_no_name_is_unknown() {
        let mut statement = Statement::default();
        statement.settings.insert("a = 1, b".to_owned(), "2".to_owned());
        assert!(matches!(
            settings(&statement, "t"),
            Err(EngineError::Exception { code: 115, .. })
        ));
    }
}
