//! `rollcall replay`

use std::time::Duration;

use consumer::{LeftAlone, Replay, Replayed, Selection};

use crate::{cli::ReplayOptions, clock, progress, settings::Settings, shutdown::Tasks};

/// How long the brokers may take to answer.
const BROKER_TIMEOUT: Duration = Duration::from_secs(30);

/// Publishes dead letters again, and prints how many by reason.
#[expect(clippy::print_stdout, reason = "what was done is the output of this command")]
pub(crate) async fn run(settings: &Settings, options: &ReplayOptions) -> anyhow::Result<()> {
    let tasks = Tasks::new()?;
    let selection = Selection {
        from_beginning: options.from_beginning,
        reasons: options.reasons.iter().cloned().collect(),
        any_topic: options.any_topic,
        dry_run: options.dry_run,
    };
    let mut replay = Replay::open(&settings.kafka, selection, clock::now(), BROKER_TIMEOUT).await?;
    let bar = progress::count("replaying", replay.total(), "dead letters");
    let ended = loop {
        match tasks.unless_stopped(replay.next()).await {
            Ok(Some(read @ 1..)) => bar.inc(u64::try_from(read).unwrap_or(0)),
            Ok(_) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    bar.finish_and_clear();
    let verb = if options.dry_run {
        "would replay"
    } else {
        "replayed"
    };
    println!("{verb} {}", summary(replay.replayed(), &settings.kafka));
    Ok(ended?)
}

/// What became of the letters: a line, and one more for each cause that letters were left alone for unasked.
fn summary(replayed: &Replayed, kafka: &consumer::Settings) -> String {
    let count: u64 = replayed.published.values().sum();
    let left: u64 = replayed.left_alone.values().sum();
    let reasons = replayed.published.iter();
    let reasons: Vec<_> = reasons.map(|(code, count)| format!(" {code} {count},")).collect();
    let causes = replayed.left_alone.iter().filter_map(|(cause, count)| {
        let cause = explain(cause, &kafka.topic)?;
        Some(format!("\nleft alone {count}: {cause}"))
    });
    let causes: Vec<_> = causes.collect();
    format!(
        "{count} dead letters:{} left alone {left}{}",
        reasons.concat(),
        causes.concat()
    )
}

/// What the operator has to know and can do about a cause. `None` if it was asked for.
fn explain(cause: &LeftAlone, event_topic: &str) -> Option<String> {
    Some(match cause {
        LeftAlone::OtherReason => return None,
        LeftAlone::Unreadable => "not written by Rollcall, or a header name is not UTF-8".to_owned(),
        LeftAlone::PerhapsReplayed => {
            "older than Kafka keeps the place of a replay, and nobody knows any more whether they were \
                                       replayed: --from-beginning publishes them"
                .to_owned()
        }
        LeftAlone::Cut => "cut, as they were too large for the dead-letter topic: see the log for where the \
                           records are"
            .to_owned(),
        LeftAlone::OtherTopic(topic) => {
            format!("from {topic}, not {event_topic}: --from-beginning --any-topic publishes them there")
        }
        LeftAlone::NoTopic(topic) => format!("from {topic}, which does not exist"),
        LeftAlone::Refused(topic) => format!("refused by {topic}: see the log for why"),
    })
}
