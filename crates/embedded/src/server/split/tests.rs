use proptest::prelude::*;

use super::*;

/// The insert's statement, format and data, or what the text is else.
fn parts(text: &str) -> Result<(String, String, String), Split> {
    match split(text.as_bytes(), true) {
        Split::Insert {
            statement,
            format,
            data,
        } => Ok((
            String::from_utf8(statement).unwrap(),
            format,
            text.get(data..).unwrap().to_owned(),
        )),
        other => Err(other),
    }
}

#[test]
fn data_is_split_off_behind_the_format() {
    for (text, statement, format, data) in [
        ("INSERT INTO t FORMAT CSV\n1,2\n", "INSERT INTO t", "CSV", "1,2\n"),
        ("insert into t format TSV 1\t2", "insert into t", "TSV", "1\t2"),
        ("INSERT INTO t FORMAT TSV", "INSERT INTO t", "TSV", ""),
        ("INSERT INTO t FORMAT TSV\r\n\n1", "INSERT INTO t", "TSV", "\n1"),
        ("INSERT t FORMAT TSV\n1", "INSERT t", "TSV", "1"),
        (
            "INSERT INTO TABLE d.t (a, `b)c`) FORMAT Native\nx",
            "INSERT INTO TABLE d.t (a, `b)c`)",
            "Native",
            "x",
        ),
        (
            "INSERT INTO `d``b` . \"t\\\"(\" (a) FORMAT `CSV`\n1",
            "INSERT INTO `d``b` . \"t\\\"(\" (a)",
            "CSV",
            "1",
        ),
        (
            "INSERT INTO format FORMAT CSV\n1",
            "INSERT INTO format",
            "CSV",
            "1",
        ),
        (
            "INSERT INTO function FORMAT CSV\n1",
            "INSERT INTO function",
            "CSV",
            "1",
        ),
        (
            "INSERT INTO t (* EXCEPT(b)) FORMAT CSV\n1",
            "INSERT INTO t (* EXCEPT(b))",
            "CSV",
            "1",
        ),
        (
            "INSERT INTO TABLE FUNCTION file('f', 'x Int8') (x) FORMAT CSV\n1",
            "INSERT INTO TABLE FUNCTION file('f', 'x Int8') (x)",
            "CSV",
            "1",
        ),
        (
            "INSERT INTO {t:Identifier} FORMAT CSV\n1",
            "INSERT INTO {t:Identifier}",
            "CSV",
            "1",
        ),
        (
            "INSERT INTO t FORMAT Values (1),(2)",
            "INSERT INTO t",
            "Values",
            "(1),(2)",
        ),
        (
            "/* FORMAT X */ INSERT -- FORMAT Y\n INTO t # it's\n FORMAT CSV\n1",
            "/* FORMAT X */ INSERT -- FORMAT Y\n INTO t # it's",
            "CSV",
            "1",
        ),
        (
            "INSERT INTO t SETTINGS a = 1, format = 'x FORMAT y', c=-1.5 FORMAT CSV\n1",
            "INSERT INTO t SETTINGS a = 1, format = 'x FORMAT y', c=-1.5",
            "CSV",
            "1",
        ),
        (
            "INSERT INTO t FORMAT CSV SETTINGS a = 1, b='2' \n1,2",
            "INSERT INTO t SETTINGS a = 1, b='2'",
            "CSV",
            "1,2",
        ),
        (
            "INSERT INTO t FORMAT TSV SETTINGS\tx\n",
            "INSERT INTO t",
            "TSV",
            "SETTINGS\tx\n",
        ),
        (
            "INSERT INTO t FORMAT TSV\n'unclosed",
            "INSERT INTO t",
            "TSV",
            "'unclosed",
        ),
    ] {
        assert_eq!(
            parts(text),
            Ok((statement.to_owned(), format.to_owned(), data.to_owned())),
            "{text}"
        );
    }
}

#[test]
fn everything_else_is_a_whole() {
    for text in [
        "",
        "SELECT 1 FORMAT CSV",
        "INSERT",
        "INSERT INTO t",
        "INSERT INTO t VALUES (1)",
        "INSERT INTO t (a) VALUES ('FORMAT CSV')",
        "INSERT INTO t SELECT 1 FORMAT CSV",
        "INSERT INTO t (a) WITH 1 AS x SELECT x FORMAT CSV",
        "INSERT INTO t (SELECT 1) FORMAT CSV",
        "INSERT INTO t ((SELECT 1)) FORMAT CSV",
        "INSERT INTO t FROM INFILE 'f' FORMAT CSV",
        "INSERT INTO FUNCTION null('x Int8') VALUES (1)",
        "INSERT INTO t FORMAT CSV;\n1",
        "INSERT INTO t FORMAT 'CSV'",
        "INSERT INTO t (a FORMAT CSV",
        "INSERT INTO `t FORMAT CSV",
        "EXPLAIN INSERT INTO t FORMAT CSV",
        "/* INSERT INTO t FORMAT CSV",
    ] {
        assert_eq!(parts(text), Err(Split::Whole), "{text}");
    }
}

#[test]
fn a_text_that_goes_on_is_undecided_until_its_data_begins() {
    let text = b"/* c */ INSERT INTO d.`t` (a) SETTINGS a = 'x' FORMAT CSV \r\n1,2";
    let data = text.len() - 3;
    for end in 0..=text.len() {
        let expected = if end > data {
            Split::Insert {
                statement: b"/* c */ INSERT INTO d.`t` (a) SETTINGS a = 'x'".to_vec(),
                format: "CSV".to_owned(),
                data,
            }
        } else {
            Split::Undecided
        };
        assert_eq!(split(&text[..end], false), expected, "{end} bytes");
    }
    assert_eq!(split(b"SELECT ", false), Split::Whole);
    assert_eq!(split(b"INSERT INTO t VALUES ", false), Split::Whole);
}

#[test]
fn binary_data_is_never_read_as_text() {
    let mut text = b"INSERT INTO t FORMAT RowBinary\n".to_vec();
    let data = text.len();
    text.extend_from_slice(b"\n'`\"/*\xff\x00");
    let split = split(&text, false);
    assert!(
        matches!(split, Split::Insert { data: found, .. } if found == data),
        "{split:?}"
    );
}

#[test]
fn the_format_of_rows_is_the_last_that_is_named() {
    for (text, format) in [
        ("SELECT 1", None),
        ("SELECT 1 FORMAT JSON", Some("JSON")),
        ("SELECT 1 format JSON;", Some("JSON")),
        ("SELECT 1 FORMAT CSV SETTINGS a = 1", Some("CSV")),
        ("SELECT 'FORMAT CSV' -- FORMAT TSV", None),
        ("SELECT * FROM (SELECT 1 FORMAT CSV)", None),
        ("SELECT format FROM t", None),
        ("SHOW TABLES FORMAT Pretty", Some("Pretty")),
        ("INSERT INTO t SELECT 1 FORMAT CSV", None),
    ] {
        assert_eq!(output_format(text).as_deref(), format, "{text}");
    }
}

#[test]
fn an_insert_that_selects_from_its_data_is_told() {
    for (text, expected) in [
        (
            "INSERT INTO t SELECT a + 1 FROM input('a Int8') FORMAT CSV\n1",
            true,
        ),
        (
            "WITH 1 AS x INSERT INTO t SELECT x FROM Input ('a Int8') FORMAT CSV\n1",
            true,
        ),
        ("INSERT INTO t SELECT input FROM u", false),
        ("INSERT INTO t SELECT 'input(' FROM u -- input('a')", false),
        ("INSERT INTO t (input) VALUES (1)", false),
        ("SELECT * FROM input('a Int8')", false),
    ] {
        assert_eq!(selects_from_data(text), expected, "{text}");
    }
}

fn fragments() -> impl Strategy<Value = Vec<u8>> {
    let fragment = prop_oneof![
        Just("INSERT".to_owned()),
        Just(" INTO ".to_owned()),
        Just(" FORMAT ".to_owned()),
        Just(" SETTINGS ".to_owned()),
        Just("a=1".to_owned()),
        "[(){}.,;'`\"$\\\\/*# \n-]{1,4}",
        "[a-zA-Zé]{1,4}",
    ];
    prop_oneof![
        proptest::collection::vec(fragment, 0..20).prop_map(|fragments| fragments.concat().into_bytes()),
        proptest::collection::vec(any::<u8>(), 0..100),
    ]
}

proptest! {
    #[test]
    fn any_text_is_split_without_a_panic(text in fragments(), complete: bool) {
        let outcome = split(&text, complete);
        if complete {
            prop_assert_ne!(&outcome, &Split::Undecided);
        }
        if let Split::Insert { data, .. } = outcome {
            prop_assert!(data <= text.len());
        }
        let text = String::from_utf8_lossy(&text);
        output_format(&text);
        selects_from_data(&text);
    }

    #[test]
    fn what_is_decided_early_is_what_the_whole_text_says(text in fragments(), cut in 0_usize..100) {
        let early = split(text.get(..cut.min(text.len())).unwrap(), false);
        if early != Split::Undecided {
            prop_assert_eq!(early, split(&text, true));
        }
    }
}
