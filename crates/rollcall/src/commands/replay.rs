//! `rollcall replay`

use std::{collections::BTreeMap, time::Duration};

use consumer::Replay;
use tokio::task::JoinSet;
use tracing::warn;

use crate::{progress, settings::Settings, shutdown};

/// How long the brokers may take for an answer.
const BROKER_TIMEOUT: Duration = Duration::from_secs(30);
/// After this many letters those before are marked, so that a replay that is killed does not start from the beginning.
const MARK_EVERY: u64 = 10_000;

/// Which dead letters, and whether to publish them.
#[derive(Debug)]
pub(crate) struct Choice {
    pub(crate) from_beginning: bool,
    /// Those of these reasons; none means all.
    pub(crate) reasons: Vec<String>,
    pub(crate) dry_run: bool,
}

/// Publishes dead letters again, and prints how many by their reasons.
#[expect(clippy::print_stdout, reason = "what was done is the output of this command")]
pub(crate) async fn run(settings: &Settings, choice: &Choice) -> anyhow::Result<()> {
    let mut tasks = JoinSet::new();
    let shutdown = shutdown::on_signal(&mut tasks)?;
    let mut replay = Replay::open(&settings.kafka, choice.from_beginning, BROKER_TIMEOUT).await?;
    let bar = progress::letters("replaying", replay.total());
    let marks = !choice.dry_run && choice.reasons.is_empty();
    let (mut by_reason, mut left, mut read) = (BTreeMap::<String, u64>::new(), 0_u64, 0_u64);
    while let Some(next) = shutdown.run_until_cancelled(replay.next()).await {
        let Some(letter) = next? else { break };
        bar.inc(1);
        read += 1;
        match letter.reason_code() {
            None => {
                left += 1;
                warn!(
                    topic = settings.kafka.dead_letter_topic,
                    partition = letter.partition(),
                    offset = letter.offset(),
                    "left alone: it does not say where it came from"
                );
            }
            Some(code) if choice.reasons.is_empty() || choice.reasons.iter().any(|reason| reason == code) => {
                if !choice.dry_run {
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
    shutdown.cancel();

    let count: u64 = by_reason.values().sum();
    let verb = if choice.dry_run {
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
