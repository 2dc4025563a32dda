//! Joins what the engine streams into one result.
//!
//! The engine writes each chunk of a stream as a document of its own, from the format's head to its foot. Where
//! documents are rows alone they follow each other; where they begin with the columns' names these are left out
//! of all but the first; in any other format a result is one document or it is refused, never wrong.

use bytes::Bytes;

use crate::engine::{Rows, Statement};

use super::exception::{Exception, Refusal};

/// How the documents of a format become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Joining {
    /// They follow each other.
    Rows,
    /// Each begins with so many lines, of names and perhaps of types.
    Lines(u8),
    /// The same, and a line may break within double quotes.
    QuotedLines(u8),
    /// Each begins with a count of columns, and with so many strings for each, in `RowBinary`.
    Binary(u8),
    /// There is no way.
    Single,
}

impl Joining {
    /// The way of a format.
    pub(super) fn of(format: &str, statement: &Statement) -> Self {
        let format = format.to_ascii_lowercase();
        let (kind, names) = match format.strip_suffix("withnamesandtypes") {
            Some(kind) => (kind, 2),
            None => format
                .strip_suffix("withnames")
                .map_or((format.as_str(), 0), |kind| (kind, 1)),
        };
        match (kind, names) {
            // As an array of rows, the chunks would be several arrays.
            ("jsoneachrow" | "jsonlines" | "ndjson", 0) if asks_for_an_array(statement) => Self::Single,
            (
                "tabseparated"
                | "tsv"
                | "tabseparatedraw"
                | "tsvraw"
                | "raw"
                | "csv"
                | "jsoneachrow"
                | "jsonlines"
                | "ndjson"
                | "jsonstringseachrow"
                | "jsoncompacteachrow"
                | "jsoncompactstringseachrow"
                | "tskv"
                | "rowbinary"
                | "native"
                | "msgpack"
                | "rawblob"
                | "null",
                0,
            ) => Self::Rows,
            ("tabseparated" | "tsv" | "jsoncompacteachrow" | "jsoncompactstringseachrow", lines) => {
                Self::Lines(lines)
            }
            ("csv", lines) => Self::QuotedLines(lines),
            ("rowbinary", strings) => Self::Binary(strings),
            _ => Self::Single,
        }
    }

    /// The head of a document; none where the document does not have one as expected.
    fn head(self, document: &Bytes) -> Option<Bytes> {
        let end = match self {
            Self::Rows | Self::Single => 0,
            Self::Lines(lines) => end_of_lines(document, lines, false)?,
            Self::QuotedLines(lines) => end_of_lines(document, lines, true)?,
            Self::Binary(strings) => end_of_strings(document, strings)?,
        };
        Some(document.slice(..end))
    }
}

/// The rows of a statement as one result.
#[derive(Debug)]
pub(super) struct Documents {
    rows: Rows,
    joining: Joining,
    head: Option<Bytes>,
}

impl Documents {
    /// Joins these rows.
    pub(super) const fn new(rows: Rows, joining: Joining) -> Self {
        Self {
            rows,
            joining,
            head: None,
        }
    }

    /// The next piece; none at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Exception> {
        while let Some(document) = self.rows.next().await? {
            let piece = self.join(document)?;
            if !piece.is_empty() {
                return Ok(Some(piece));
            }
        }
        Ok(None)
    }

    fn join(&mut self, document: Bytes) -> Result<Bytes, Exception> {
        if document.is_empty() || self.joining == Joining::Rows {
            return Ok(document);
        }
        match &self.head {
            None => {
                self.head = Some(self.joining.head(&document).ok_or_else(several)?);
                Ok(document)
            }
            Some(head) if self.joining != Joining::Single && document.starts_with(head) => {
                Ok(document.slice(head.len()..))
            }
            Some(_) => Err(several()),
        }
    }
}

fn several() -> Exception {
    Exception::new(
        Refusal::NotImplemented,
        "The embedded engine gives this result in several blocks, which its format cannot join: ask for fewer \
         rows, or for a format of rows such as JSONEachRow, CSV or RowBinary",
    )
}

fn asks_for_an_array(statement: &Statement) -> bool {
    const SETTING: &str = "output_format_json_array_of_rows";
    statement.settings.contains_key(SETTING) || statement.sql.contains(SETTING)
}

fn end_of_lines(document: &[u8], lines: u8, quotes: bool) -> Option<usize> {
    let mut left = lines;
    let mut within = false;
    for (at, &byte) in document.iter().enumerate() {
        match byte {
            b'"' if quotes => within = !within,
            b'\n' if !within => {
                left -= 1;
                if left == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
    }
    None
}

fn end_of_strings(document: &[u8], strings: u8) -> Option<usize> {
    let mut at = 0;
    let columns = varint(document, &mut at)?;
    for _ in 0..columns.checked_mul(usize::from(strings))? {
        let length = varint(document, &mut at)?;
        at = at.checked_add(length).filter(|&end| end <= document.len())?;
    }
    Some(at)
}

fn varint(document: &[u8], at: &mut usize) -> Option<usize> {
    let mut value = 0_usize;
    for shift in (0..63).step_by(7) {
        let byte = *document.get(*at)?;
        *at += 1;
        value |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joining(format: &str) -> Joining {
        Joining::of(format, &Statement::default())
    }

    fn head(format: &str, document: &'static [u8]) -> Option<Bytes> {
        joining(format).head(&Bytes::from_static(document))
    }

    #[test]
    fn a_format_is_joined_its_own_way() {
        for (format, expected) in [
            ("RowBinary", Joining::Rows),
            ("native", Joining::Rows),
            ("TSV", Joining::Rows),
            ("RowBinaryWithNamesAndTypes", Joining::Binary(2)),
            ("TSVWithNames", Joining::Lines(1)),
            ("CSVWithNamesAndTypes", Joining::QuotedLines(2)),
            ("JSONCompactEachRowWithNames", Joining::Lines(1)),
            ("TSVRawWithNames", Joining::Single),
            ("JSON", Joining::Single),
            ("Parquet", Joining::Single),
            ("WithNames", Joining::Single),
        ] {
            assert_eq!(joining(format), expected, "{format}");
        }
        let array = Statement {
            sql: "SELECT 1 SETTINGS output_format_json_array_of_rows = 1".to_owned(),
            ..Statement::default()
        };
        assert_eq!(Joining::of("JSONEachRow", &array), Joining::Single);
    }

    #[test]
    fn the_head_of_a_document_ends_before_its_rows() {
        for (format, document, expected) in [
            ("TSVWithNames", &b"a\tb\n1\t2\n"[..], Some(&b"a\tb\n"[..])),
            ("TSVWithNamesAndTypes", b"a\nUInt8\n1\n", Some(b"a\nUInt8\n")),
            (
                "CSVWithNames",
                b"\"a\n\"\"b\",\"c\"\n1,2\n",
                Some(b"\"a\n\"\"b\",\"c\"\n"),
            ),
            (
                "RowBinaryWithNames",
                b"\x02\x01a\x02bc\x07",
                Some(b"\x02\x01a\x02bc"),
            ),
            (
                "RowBinaryWithNamesAndTypes",
                b"\x01\x01a\x05UInt8\x07",
                Some(b"\x01\x01a\x05UInt8"),
            ),
            ("RowBinaryWithNames", b"\x02\x01a\x02b", None),
            (
                "RowBinaryWithNames",
                b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
                None,
            ),
            (
                "RowBinaryWithNames",
                b"\x01\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
                None,
            ),
            ("TSVWithNames", b"a", None),
        ] {
            assert_eq!(head(format, document).as_deref(), expected, "{format}");
        }
    }
}
