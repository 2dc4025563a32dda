//! What all clients of Kafka have in common.

use std::fmt::Display;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use metrics::counter;
use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use tokio::time::Instant;
use tracing::{debug, error, info, warn};

use crate::error::{Cause, Error};
use crate::metric;
use crate::settings::Settings;
use crate::throttle::Throttle;

/// How long a client may be without any broker before another replaces it: librdkafka forgets every broker when one that
/// has just come back names none, and then never looks for one again.
pub(crate) const DISCONNECTED_TIMEOUT: Duration = Duration::from_secs(15);

/// A context that passes on what librdkafka has to say, and nothing else.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Logged;

impl ClientContext for Logged {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        debug!("librdkafka: {error}: {reason}");
    }
}

impl ConsumerContext for Logged {}

/// The kind of warning that no broker is reached, by which request ever that is noticed.
const AWAY: &str = "away";

/// What the clients of this process warn of, by kind: each of them notices, many times a second, that Kafka is away.
static WARNINGS: Mutex<Throttle<String>> = Mutex::new(Throttle::new());

/// Why a connection of a client of this process failed last. All of them have the same settings.
static LAST_FAILURE: Mutex<Option<String>> = Mutex::new(None);

/// Why no broker has answered: the failure of the last connection, or else the error.
pub(crate) fn cause(error: KafkaError) -> Cause {
    let failure = LAST_FAILURE
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    failure.map_or(Cause::Code(error), Cause::Connection)
}

/// Notes that a broker has answered.
pub(crate) fn note_answer() {
    *LAST_FAILURE.lock().unwrap_or_else(PoisonError::into_inner) = None;
}

/// Keeps what librdkafka logs about a connection, without the thread that logs and how long it took.
fn note_failure(message: &str) {
    let line = match message.split_once("]: ") {
        Some((thread, line)) if thread.starts_with("[thrd:") => line,
        _ => message,
    };
    let line = line.rsplit_once(" (after ").map_or(line, |(line, _)| line);
    let mut line = line.to_owned();
    if line.contains("certificate verify failed") {
        // librdkafka takes every certificate that does not hold for one of an unknown authority.
        line.push_str(", or the certificate is for another host name");
    } else if line.contains(": Disconnected") {
        line.push_str(", as with a wrong security.protocol");
    }
    *LAST_FAILURE.lock().unwrap_or_else(PoisonError::into_inner) = Some(line);
}

/// Passes on a line of librdkafka's log.
pub(crate) fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    if facility == "FAIL" {
        note_failure(message);
    }
    let line = format_args!("librdkafka: {facility} {message}");
    let is_failure = matches!(facility, "FAIL" | "ERROR");
    match level {
        RDKafkaLogLevel::Debug => debug!("{line}"),
        // Such as an idle connection that a broker has closed.
        RDKafkaLogLevel::Info if is_failure => debug!("{line}"),
        _ if is_failure => throttled(AWAY, line),
        RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => error!("{line}"),
        RDKafkaLogLevel::Error | RDKafkaLogLevel::Warning => warn!("{line}"),
        RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => info!("{line}"),
    }
}

/// Counts and logs an error that librdkafka recovers from by itself.
pub(crate) fn note_error(topic: &str, error: &KafkaError) {
    let code = error
        .rdkafka_error_code()
        .map_or_else(|| "none".to_owned(), |code| format!("{code:?}"));
    counter!(metric::KAFKA_ERRORS, "code" => code).increment(1);
    warn_of(format_args!("{topic}"), error);
}

/// Warns of an error, unless it was warned of one of its kind within the minute.
pub(crate) fn warn_of(what: impl Display, error: &KafkaError) {
    let code = error.rdkafka_error_code();
    let kind = match code {
        Some(code) if means_away(code) => AWAY.to_owned(),
        _ => format!("{what} {code:?}"),
    };
    throttled(&kind, format_args!("kafka: {what}: {error}"));
}

/// Warns that no broker is reached, or of what follows from it, unless that was said within the minute.
pub fn warn_away(line: impl Display) {
    throttled(AWAY, line);
}

fn throttled(kind: &str, line: impl Display) {
    let mut warnings = WARNINGS.lock().unwrap_or_else(PoisonError::into_inner);
    match warnings.note(&kind.to_owned(), (), Instant::now()) {
        None => debug!("{line}"),
        Some(1) => warn!("{line}"),
        Some(count) => warn!(count, "{line}"),
    }
}

/// Whether this is what requests end with while no broker is reached.
const fn means_away(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode::{
        AllBrokersDown, BrokerTransportFailure, CoordinatorNotAvailable, NetworkException, OperationTimedOut,
        RequestTimedOut, Resolve, TimedOutQueue, WaitingForCoordinator,
    };
    matches!(
        code,
        AllBrokersDown
            | BrokerTransportFailure
            | CoordinatorNotAvailable
            | NetworkException
            | OperationTimedOut
            | RequestTimedOut
            | Resolve
            | TimedOutQueue
            | WaitingForCoordinator
    )
}

/// What every client starts from.
pub(crate) fn config(settings: &Settings) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", &settings.bootstrap_servers)
        .set("client.id", "rollcall")
        .set("reconnect.backoff.ms", "50")
        .set("reconnect.backoff.max.ms", "1000")
        .set("topic.metadata.refresh.interval.ms", "10000");
    config
}

/// The largest answer that librdkafka takes by default, and the most that it unpacks a zstd batch to.
const RECEIVED_BY_DEFAULT: usize = 100_000_000;
/// The most that it can be set to.
const MAX_RECEIVED: usize = 2_147_483_647;

/// What every consumer starts from: nothing is committed but by us, reading begins where the log does, and asking for a
/// topic does not create it. A batch that the memory budget has room for is unpacked.
pub(crate) fn consumer_config(settings: &Settings) -> ClientConfig {
    let answer = settings.budget().answer;
    // librdkafka guesses how large a zstd batch is unpacked, and triples its guess until that is enough or beyond this.
    let unpacked = settings.budget_bytes.saturating_mul(3);
    let received = RECEIVED_BY_DEFAULT.max(unpacked).min(MAX_RECEIVED);
    let mut config = config(settings);
    config
        .set("fetch.max.bytes", answer.to_string())
        .set("message.max.bytes", answer.min(1_000_000).to_string())
        .set("receive.message.max.bytes", received.to_string())
        .set("group.id", &settings.group_id)
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "earliest")
        .set("allow.auto.create.topics", "false")
        // Only a member has sessions, but librdkafka wants those of any client to be shorter than its max.poll.interval.ms.
        .set("session.timeout.ms", "1000");
    config
}

/// Makes a client, with the properties that were configured on top.
pub(crate) fn create<C, T>(settings: &Settings, mut config: ClientConfig, context: C) -> Result<T, Error>
where
    C: ClientContext,
    T: FromClientConfigAndContext<C>,
{
    for (property, value) in settings.librdkafka_properties() {
        config.set(property, value);
    }
    config
        .create_with_context(context)
        .map_err(|error| refusal(settings, error))
}

/// The property that librdkafka refuses, alone or with others, where it names one that was configured.
fn refusal(settings: &Settings, error: KafkaError) -> Error {
    let KafkaError::ClientCreation(message) = &error else {
        return Error::Client(error);
    };
    let named = settings
        .librdkafka_properties()
        .find(|(property, _)| message.contains(property));
    match named {
        Some((property, _)) => Error::Setting {
            setting: format!("kafka.properties.{property}"),
            problem: format!("is refused by librdkafka: {message}"),
        },
        None => Error::Client(error),
    }
}
