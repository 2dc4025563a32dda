//! `rollcall produce`

mod adapt;
mod check;
mod lines;

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::Context;
use consumer::Publisher;

use super::EVENT_HEADERS;
use crate::{
    cli::ProduceOptions,
    settings::Settings,
    shutdown::{GRACE, Tasks},
};
use adapt::Adapter;
use check::Check;
use lines::Input;

/// How long the brokers may take for the last records.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(60);
/// How many bytes a line may have beyond the size of an accepted record: a record that is too large can be published,
/// and be rejected.
const EXTRA_LINE_BYTES: usize = 1 << 20;
/// The maximum size of a line that holds many events.
const EXPORT_LINE_BYTES: usize = 256 << 20;

/// Publishes the lines of a file, gzipped or not, or of standard input (`-`). A line that `ingest` would reject is not
/// published: where the input is a file, nothing of it is, else nothing from that line on. Lines of other formats than
/// that of events are made into events first.
#[expect(clippy::print_stdout, reason = "what was done is the output of this command")]
pub(crate) async fn run(settings: &Settings, options: &ProduceOptions) -> anyhow::Result<()> {
    let began = Instant::now();
    let file = options.file.as_path();
    let limit = settings.kafka.max_record_bytes.get();
    let mapping = options.mapping()?;
    let longest = match mapping {
        Some(_) => EXPORT_LINE_BYTES,
        None => limit.saturating_add(EXTRA_LINE_BYTES),
    };
    let tasks = Tasks::new()?;
    let mut check = (!options.force).then(|| Check::new(file, limit));
    // What is not a file, as a pipe, can be read once only.
    if file != Path::new("-")
        && file.is_file()
        && let Some(mut check) = check.take()
    {
        let mut adapter = Adapter::new(file, mapping.as_ref());
        let checked = check.file(Input::open(file, longest, "checking")?, &mut adapter);
        if tasks.unless_stopped(checked).await?.is_none() {
            return Ok(());
        }
    }

    let input = Input::open(file, longest, "publishing")?;
    let bar = input.bar.clone();
    let opening = async {
        consumer::ensure_topics(&settings.kafka).await?;
        Publisher::open(&settings.kafka).await
    };
    let Some(publisher) = tasks.unless_stopped(opening).await? else {
        return Ok(());
    };
    let mut adapter = Adapter::new(file, mapping.as_ref());
    let outcome = tasks
        .unless_stopped(publish(&publisher, input, &mut adapter, check, file))
        .await;
    let flushed = match tasks.unless_stopped(publisher.flush(FLUSH_TIMEOUT)).await {
        Ok(None) => publisher.flush(GRACE).await,
        flushed => flushed.map(|_| ()),
    };
    bar.finish_and_clear();
    let count = publisher.acknowledged();
    let flushed = flushed.map_err(anyhow::Error::from);
    outcome
        .and(flushed)
        .with_context(|| format!("{count} events are published, and no more"))?;
    let seconds = began.elapsed().as_secs_f64();
    println!(
        "published {count} events to {} in {seconds:.1} s",
        settings.kafka.topic
    );
    for (description, count) in adapter.left_out() {
        println!("left out {count} {description}");
    }
    Ok(())
}

/// Publishes the lines, up to the first that a check refuses.
async fn publish(
    publisher: &Publisher,
    mut input: Input<'_>,
    adapter: &mut Adapter<'_>,
    mut check: Option<Check<'_>>,
    file: &Path,
) -> anyhow::Result<()> {
    while let Some(chunk) = input.next().await? {
        for line in chunk {
            let number = line.number;
            let records = match (adapter.records(line), check.as_mut()) {
                (Ok(records), None) => Ok(records),
                (Ok(records), Some(check)) => records
                    .iter()
                    .try_for_each(|record| check.record(record))
                    .map(|()| records),
                // What is forced and has no events is left out.
                (Err(reason), None) => {
                    adapter.leave_out_line(number, &reason);
                    Ok(Vec::new())
                }
                (Err(reason), Some(_)) => Err(reason),
            };
            let records = records.map_err(|reason| {
                anyhow::anyhow!(
                    "{}: line {number} is not an event that ingest accepts (--force publishes it all the same): {reason}",
                    file.display(),
                )
            })?;
            for record in records {
                let key = record.key();
                let key = key.as_deref().map(str::as_bytes);
                publisher
                    .publish(key, &EVENT_HEADERS, Some(&record.value))
                    .await
                    .with_context(|| format!("{}: line {number} is not published", file.display()))?;
            }
        }
    }
    Ok(())
}
