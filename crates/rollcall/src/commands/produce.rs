//! `rollcall produce`

use std::{
    borrow::Cow,
    fs::File,
    io::{BufRead, BufReader, Read, stdin},
    path::Path,
    time::{Duration, Instant},
};

use anyhow::Context;
use consumer::Publisher;
use flate2::bufread::MultiGzDecoder;
use indicatif::ProgressBar;
use serde::Deserialize;
use tokio::{sync::mpsc, task::JoinSet};

use crate::{progress, settings::Settings, shutdown};

/// How long the brokers may take for the last records.
const PATIENCE: Duration = Duration::from_secs(60);
/// Lines are handed over so many at a time, and no more than two hands full wait.
const HANDFUL: usize = 1_000;
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Publishes the lines of a file, gzipped or not, or of standard input (`-`). Every line that is not blank is
/// published as it is: whether it is an event is for `ingest` to say.
#[expect(clippy::print_stdout, reason = "what was done is the output of this command")]
pub(crate) async fn run(settings: &Settings, file: &Path) -> anyhow::Result<()> {
    let began = Instant::now();
    let (input, bar) = open(file)?;
    let publisher = Publisher::new(&settings.kafka)?;
    let mut tasks = JoinSet::new();
    let shutdown = shutdown::on_signal(&mut tasks)?;
    if shutdown
        .run_until_cancelled(consumer::ensure_topics(&settings.kafka))
        .await
        .transpose()?
        .is_none()
    {
        return Ok(());
    }

    let (sender, mut handfuls) = mpsc::channel(2);
    // A thread of its own: nothing else can wait on a standard input that never ends.
    std::thread::Builder::new().spawn(move || read_lines(input, &sender))?;
    let headers = [("content-type", Some(b"application/cloudevents+json".as_slice()))];
    let (mut count, mut number) = (0_u64, 0_u64);
    while let Some(Some(batch)) = shutdown.run_until_cancelled(handfuls.recv()).await {
        for line in batch.with_context(|| format!("cannot read {}", file.display()))? {
            number += 1;
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            let key = key(&line);
            publisher
                .publish(key.as_deref().map(str::as_bytes), &headers, Some(&line))
                .await
                .with_context(|| format!("{}: line {number} is not published", file.display()))?;
            count += 1;
        }
    }
    publisher.flush(PATIENCE).await?;
    bar.finish_and_clear();
    shutdown.cancel();
    let seconds = began.elapsed().as_secs_f64();
    println!(
        "published {count} events to {} in {seconds:.1} s",
        settings.kafka.topic
    );
    Ok(())
}

/// Opens the input, with a bar that follows it where its length is known.
fn open(path: &Path) -> anyhow::Result<(Box<dyn BufRead + Send>, ProgressBar)> {
    let (raw, bar): (Box<dyn Read + Send>, _) = if path == Path::new("-") {
        (Box::new(stdin()), progress::spinner("publishing"))
    } else {
        let open = || -> std::io::Result<(File, u64)> {
            let file = File::open(path)?;
            let length = file.metadata()?.len();
            Ok((file, length))
        };
        let (file, length) = open().with_context(|| format!("cannot read {}", path.display()))?;
        (Box::new(file), progress::bytes("publishing", length))
    };
    let mut raw = BufReader::new(bar.wrap_read(raw));
    let gzipped = path.extension().is_some_and(|extension| extension == "gz")
        || raw.fill_buf().is_ok_and(|start| start.starts_with(&GZIP_MAGIC));
    let input: Box<dyn BufRead + Send> = if gzipped {
        Box::new(BufReader::new(MultiGzDecoder::new(raw)))
    } else {
        Box::new(raw)
    };
    Ok((input, bar))
}

/// Hands the lines over, without their ends, until the input or the reader ends.
fn read_lines(input: Box<dyn BufRead + Send>, sender: &mpsc::Sender<std::io::Result<Vec<Vec<u8>>>>) {
    let mut lines = input.split(b'\n');
    loop {
        let handful: Result<Vec<_>, _> = lines.by_ref().take(HANDFUL).collect();
        let last = handful.as_ref().map_or(true, Vec::is_empty);
        if sender.blocking_send(handful).is_err() || last {
            return;
        }
    }
}

/// What the record is keyed by: the event's `partitionkey`, or else `{org}:{user_id}`.
fn key(line: &[u8]) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    struct Keyed<'a> {
        #[serde(borrow)]
        partitionkey: Option<Cow<'a, str>>,
        #[serde(borrow)]
        org: Option<Cow<'a, str>>,
        #[serde(borrow)]
        data: Option<Data<'a>>,
    }
    #[derive(Deserialize)]
    struct Data<'a> {
        #[serde(borrow)]
        user_id: Option<Cow<'a, str>>,
    }
    let keyed: Keyed<'_> = serde_json::from_slice(line).ok()?;
    keyed
        .partitionkey
        .or_else(|| Some(Cow::Owned(format!("{}:{}", keyed.org?, keyed.data?.user_id?))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_keyed_by_its_partitionkey_or_else_by_org_and_user() {
        for (line, expected) in [
            (
                r#"{"partitionkey":"k","org":"o","data":{"user_id":"u"}}"#,
                Some("k"),
            ),
            (r#"{"org":"o","data":{"user_id":"u"}}"#, Some("o:u")),
            (r#"{"org":"o","data":{}}"#, None),
            ("no JSON", None),
        ] {
            assert_eq!(key(line.as_bytes()).as_deref(), expected, "{line}");
        }
    }

    #[test]
    fn lines_come_in_their_order_and_the_last_needs_no_end() {
        let lines: Vec<String> = (0..2_500).map(|number| number.to_string()).collect();
        let text = format!("{}\nlast", lines.join("\n"));
        let (sender, mut receiver) = mpsc::channel(8);
        read_lines(Box::new(std::io::Cursor::new(text)), &sender);
        drop(sender);
        let mut lines = Vec::new();
        while let Some(handful) = receiver.blocking_recv() {
            lines.extend(handful.unwrap());
        }
        assert_eq!(lines.len(), 2_501);
        assert_eq!(lines[0], b"0");
        assert_eq!(lines[2_500], b"last");
    }
}
