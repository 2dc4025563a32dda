//! `rollcall replay`

use std::{collections::BTreeMap, time::Duration};

use consumer::Replay;
use tracing::warn;

use crate::{cli::ReplayOptions, progress, settings::Settings, shutdown::Tasks};

/// How long the brokers may take to answer.
const BROKER_TIMEOUT: Duration = Duration::from_secs(30);
/// After this many dead letters the position is stored, so that a replay that is killed does not start from the beginning.
const MARK_EVERY: u64 = 10_000;

/// Publishes dead letters again, and prints how many by reason.
#[expect(clippy::print_stdout, reason = "what was done is the output of this command")]
pub(crate) async fn run(settings: &Settings, options: &ReplayOptions) -> anyhow::Result<()> {
    let tasks = Tasks::new()?;
    let mut replay = Replay::open(&settings.kafka, options.from_beginning, BROKER_TIMEOUT).await?;
    let bar = progress::count("replaying", replay.total(), "dead letters");
    let marks = !options.dry_run && options.reasons.is_empty();
    let (mut by_reason, mut left, mut read) = (BTreeMap::<String, u64>::new(), 0_u64, 0_u64);
    while let Some(Some(letter)) = tasks.unless_stopped(replay.next()).await? {
        bar.inc(1);
        read += 1;
        match letter.reason_code() {
            None => {
                left += 1;
                warn!(
                    topic = settings.kafka.dead_letter_topic,
                    partition = letter.partition(),
                    offset = letter.offset(),
                    "left alone: it does not name the topic that it came from"
                );
            }
            Some(code)
                if options.reasons.is_empty() || options.reasons.iter().any(|reason| reason == code) =>
            {
                if !options.dry_run {
                    replay.publish(&letter).await?;
                }
                *by_reason.entry(code.to_owned()).or_default() += 1;
            }
            Some(_) => left += 1,
        }
        if marks && read.is_multiple_of(MARK_EVERY) {
            replay.mark().await?;
        }
    }
    if marks {
        replay.mark().await?;
    } else {
        replay.flush().await?;
    }
    bar.finish_and_clear();

    let count: u64 = by_reason.values().sum();
    let verb = if options.dry_run {
        "would replay"
    } else {
        "replayed"
    };
    let reasons: Vec<_> = by_reason
        .iter()
        .map(|(code, count)| format!(" {code} {count},"))
        .collect();
    println!(
        "{verb} {count} dead letters:{} left alone {left}",
        reasons.concat()
    );
    Ok(())
}
