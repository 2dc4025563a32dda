//! `rollcall produce`

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
use check::Check;
use lines::Input;

/// How long the brokers may take for the last records.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(60);
/// How many bytes a line may have beyond the size of an accepted record: a record that is too large can be published,
/// and be rejected.
const EXTRA_LINE_BYTES: usize = 1 << 20;

/// Publishes the lines of a file, gzipped or not, or of standard input (`-`). A line that `ingest` would reject is not
/// published: where the input is a file, nothing of it is, else nothing from that line on.
#[expect(clippy::print_stdout, reason = "what was done is the output of this command")]
pub(crate) async fn run(settings: &Settings, options: &ProduceOptions) -> anyhow::Result<()> {
    let began = Instant::now();
    let file = options.file.as_path();
    let limit = settings.kafka.max_record_bytes.get();
    let longest = limit.saturating_add(EXTRA_LINE_BYTES);
    let tasks = Tasks::new()?;
    let mut check = (!options.force).then(|| Check::new(file, limit));
    // What is not a file, as a pipe, can be read once only.
    if file != Path::new("-")
        && file.is_file()
        && let Some(mut check) = check.take()
    {
        let checked = check.file(Input::open(file, longest, "checking")?);
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
    let outcome = tasks
        .unless_stopped(publish(&publisher, input, check, file))
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
    Ok(())
}

/// Publishes the lines, up to the first that a check refuses.
async fn publish(
    publisher: &Publisher,
    mut input: Input<'_>,
    mut check: Option<Check<'_>>,
    file: &Path,
) -> anyhow::Result<()> {
    while let Some(chunk) = input.next().await? {
        for line in chunk {
            if let Some(Err(reason)) = check.as_mut().map(|check| check.line(&line)) {
                anyhow::bail!(
                    "{}: line {} is not an event that ingest accepts (--force publishes it all the same): {reason}",
                    file.display(),
                    line.number
                );
            }
            let key = line.key();
            let key = key.as_deref().map(str::as_bytes);
            publisher
                .publish(key, &EVENT_HEADERS, Some(&line.value))
                .await
                .with_context(|| format!("{}: line {} is not published", file.display(), line.number))?;
        }
    }
    Ok(())
}
