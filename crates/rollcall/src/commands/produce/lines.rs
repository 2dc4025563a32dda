//! The lines of a file, gzipped or not, or of standard input.

use std::{
    borrow::Cow,
    fs::File,
    io::{BufRead, BufReader, Read, stdin},
    path::Path,
};

use anyhow::Context;
use flate2::bufread::MultiGzDecoder;
use indicatif::ProgressBar;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::mpsc;

use crate::progress;

/// The maximum size of a chunk of lines, in lines and in bytes. A chunk is sent on as soon as no other line has been
/// read, and at most two wait.
const CHUNK_LINES: usize = 1_000;
const CHUNK_BYTES: usize = 1 << 20;
/// How much is read at once, in bytes.
const READ_BUFFER_BYTES: usize = 256 << 10;
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

type Lines = Vec<Vec<u8>>;

/// A line that is not blank.
pub(super) struct Line {
    /// Its number, from 1 on.
    pub(super) number: u64,
    pub(super) value: Vec<u8>,
}

impl Line {
    /// The key of its record.
    pub(super) fn key(&self) -> Option<Cow<'_, str>> {
        key(&self.value)
    }
}

/// Chunks of lines as they are read, with their numbers, and a bar that shows how much is read.
pub(super) struct Input<'a> {
    file: &'a Path,
    chunks: mpsc::Receiver<std::io::Result<Lines>>,
    number: u64,
    pub(super) bar: ProgressBar,
}

impl<'a> Input<'a> {
    /// Opens the file (`-` is standard input), whose lines have at most `longest` bytes.
    ///
    /// # Errors
    /// Where it cannot be opened.
    pub(super) fn open(file: &'a Path, longest: usize, verb: &str) -> anyhow::Result<Self> {
        let (input, bar) = open(file, verb)?;
        let gzipped = file.extension().is_some_and(|extension| extension == "gz");
        let (sender, chunks) = mpsc::channel(2);
        // A thread of its own: nothing else can wait on a standard input that never ends.
        std::thread::Builder::new().spawn(move || read_lines(input, gzipped, longest, &sender))?;
        Ok(Self {
            file,
            chunks,
            number: 0,
            bar,
        })
    }

    /// The next lines that are not blank. None at the end.
    ///
    /// # Errors
    /// Where the input cannot be read; what was read before has been returned.
    pub(super) async fn next(&mut self) -> anyhow::Result<Option<Vec<Line>>> {
        let Some(chunk) = self.chunks.recv().await else {
            return Ok(None);
        };
        let chunk = chunk
            .with_context(|| format!("cannot read {} after line {}", self.file.display(), self.number))?;
        let first = self.number + 1;
        self.number += u64::try_from(chunk.len())?;
        let lines = (first..).zip(chunk).map(|(number, value)| Line { number, value });
        let lines = lines.filter(|line| !line.value.iter().all(u8::is_ascii_whitespace));
        Ok(Some(lines.collect()))
    }
}

/// Opens the input, with a bar that shows how much of it is read, or a spinner where its length is unknown.
fn open(path: &Path, verb: &str) -> anyhow::Result<(Box<dyn Read + Send>, ProgressBar)> {
    if path == Path::new("-") {
        let bar = progress::spinner(verb);
        return Ok((Box::new(bar.wrap_read(stdin())), bar));
    }
    let unreadable = || format!("cannot read {}", path.display());
    let file = File::open(path).with_context(unreadable)?;
    let length = file.metadata().with_context(unreadable)?.len();
    let bar = progress::bytes(verb, length);
    Ok((Box::new(bar.wrap_read(file)), bar))
}

/// Sends the lines on, without their ends, until the input or the receiver ends.
fn read_lines(
    input: impl Read + Send + 'static,
    gzipped: bool,
    longest: usize,
    sender: &mpsc::Sender<std::io::Result<Lines>>,
) {
    let mut input = BufReader::with_capacity(READ_BUFFER_BYTES, input);
    let gzipped = gzipped || input.fill_buf().is_ok_and(|start| start.starts_with(&GZIP_MAGIC));
    let input: Box<dyn Read> = if gzipped {
        Box::new(MultiGzDecoder::new(input))
    } else {
        Box::new(input)
    };
    let mut input = BufReader::with_capacity(READ_BUFFER_BYTES, input);
    loop {
        let mut chunk = Vec::new();
        let read = read_chunk(&mut input, longest, &mut chunk);
        // What was read before an error is published before the error is reported.
        let is_last = chunk.is_empty();
        if (!is_last && sender.blocking_send(Ok(chunk)).is_err()) || (is_last && read.is_ok()) {
            return;
        }
        if let Err(error) = read {
            // There is no receiver any more where the command has ended.
            drop(sender.blocking_send(Err(error)));
            return;
        }
    }
}

/// Reads a line, and those that have been read with it. None where the input is at its end.
fn read_chunk(input: &mut BufReader<impl Read>, longest: usize, lines: &mut Lines) -> std::io::Result<()> {
    let limit = u64::try_from(longest).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = 0;
    loop {
        let mut line = Vec::new();
        let read = input.by_ref().take(limit).read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(());
        }
        if line.last() == Some(&b'\n') {
            line.pop();
        } else if read > longest {
            return Err(std::io::Error::other(format!(
                "a line has more than {longest} bytes"
            )));
        }
        bytes += read;
        lines.push(line);
        if lines.len() == CHUNK_LINES || bytes >= CHUNK_BYTES || !input.buffer().contains(&b'\n') {
            return Ok(());
        }
    }
}

/// The key of the record: the event's `partitionkey`, or else `{org}:{user_id}`.
fn key(line: &[u8]) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    struct Keyed<'a> {
        #[serde(borrow)]
        partitionkey: Option<Cow<'a, str>>,
        #[serde(borrow)]
        org: Option<Cow<'a, str>>,
        data: Option<Data>,
    }
    #[derive(Deserialize)]
    struct Data {
        user_id: Option<Value>,
    }
    let keyed: Keyed<'_> = serde_json::from_slice(line).ok()?;
    keyed.partitionkey.or_else(|| {
        let user = match keyed.data?.user_id? {
            Value::String(user) => user,
            Value::Number(user) => user.to_string(),
            _ => return None,
        };
        Some(Cow::Owned(format!("{}:{user}", keyed.org?)))
    })
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    #[test]
    fn a_record_is_keyed_by_its_partitionkey_or_else_by_org_and_user() {
        for (line, expected) in [
            (
                r#"{"partitionkey":"k","org":"o","data":{"user_id":"u"}}"#,
                Some("k"),
            ),
            (r#"{"org":"o","data":{"user_id":"u"}}"#, Some("o:u")),
            (r#"{"org":"o","data":{"user_id":7}}"#, Some("o:7")),
            (
                r#"{"partitionkey":"k","org":"o","data":{"user_id":[]}}"#,
                Some("k"),
            ),
            (r#"{"org":"o","data":{}}"#, None),
            ("no JSON", None),
        ] {
            assert_eq!(key(line.as_bytes()).as_deref(), expected, "{line}");
        }
    }

    /// The chunks of an input, with lines of at most 2,000 bytes.
    fn chunks_of(input: impl Read + Send + 'static) -> Vec<std::io::Result<Lines>> {
        let (sender, mut receiver) = mpsc::channel(8);
        read_lines(input, false, 2_000, &sender);
        drop(sender);
        std::iter::from_fn(|| receiver.blocking_recv()).collect()
    }

    #[test]
    fn lines_keep_their_order_and_the_last_needs_no_end() {
        let lines: Vec<String> = (0..2_500).map(|number| number.to_string()).collect();
        let text = format!("{}\nlast", lines.join("\n"));
        let chunks: Vec<Lines> = chunks_of(Cursor::new(text))
            .into_iter()
            .map(Result::unwrap)
            .collect();
        assert_eq!(chunks[0].len(), CHUNK_LINES);
        let lines = chunks.concat();
        assert_eq!(lines.len(), 2_501);
        assert_eq!(lines[0], b"0");
        assert_eq!(lines[2_500], b"last");
    }

    #[test]
    fn lines_before_one_that_is_too_long_are_sent_on() {
        let mut chunks = chunks_of(Cursor::new(format!("a\nb\n{}\nc", "x".repeat(2_001))));
        assert_eq!(chunks.remove(0).unwrap(), [b"a", b"b"]);
        let error = chunks.remove(0).unwrap_err();
        assert_eq!(error.to_string(), "a line has more than 2000 bytes");
        assert!(chunks.is_empty());
        let longest = chunks_of(Cursor::new("x".repeat(2_000) + "\n"));
        assert_eq!(longest.len(), 1);
    }
}
