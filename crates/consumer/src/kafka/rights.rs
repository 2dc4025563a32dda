//! Rights that the brokers deny.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rdkafka::client::{Client, ClientContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use tokio::time::Instant;
use tracing::error;

use crate::error::{Denial, Error, Right};
use crate::settings::Settings;
use crate::throttle::Throttle;

/// The shortest and the longest wait before something is tried again that was denied.
const WAIT: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// After this long nobody tries any more to write what was denied, as the records went to another member of the group.
const WRITE_EXPIRY: Duration = Duration::from_secs(120);

/// What the brokers deny to the clients of this process. librdkafka says it once, in whatever it is asked next.
static DENIED: Mutex<BTreeMap<Denial, Noted>> = Mutex::new(BTreeMap::new());

/// A right that is missing: when that was noted first and last.
struct Noted {
    first: Instant,
    last: Instant,
    lines: Throttle<()>,
}

impl Noted {
    /// Logs it, unless that was done within the last minute.
    fn log(&mut self, denial: &Denial, now: Instant) {
        if self.lines.note(&(), (), now).is_some() {
            error!("kafka: {denial}");
        }
    }
}

/// The right that an error says is missing: this one on the topic, or that to be in the group.
pub(crate) fn denial(settings: &Settings, error: &KafkaError, right: Right, topic: &str) -> Option<Denial> {
    use RDKafkaErrorCode::{ClusterAuthorizationFailed, GroupAuthorizationFailed, TopicAuthorizationFailed};
    let (right, name) = match error.rdkafka_error_code()? {
        // Whoever may write to no topic may not even ask for what makes a producer idempotent.
        TopicAuthorizationFailed | ClusterAuthorizationFailed => (right, topic),
        GroupAuthorizationFailed => (Right::ReadGroup, settings.group_id.as_str()),
        _ => return None,
    };
    Some(Denial {
        principal: principal(settings),
        right,
        name: name.to_owned(),
    })
}

/// As [`denial`], where a producer could not send a record to the topic.
pub(crate) fn denial_of_producer<C: ClientContext>(
    settings: &Settings,
    client: &Client<C>,
    error: &KafkaError,
    topic: &str,
) -> Option<Denial> {
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::Fatal) => {
            let cause = KafkaError::Global(client.fatal_error()?.0);
            denial(settings, &cause, Right::WriteTopic, topic)
        }
        _ => denial(settings, error, Right::WriteTopic, topic),
    }
}

/// Notes that ingestion waits for a right, until it is granted. How long to wait before the next attempt.
pub fn note(denial: &Denial) -> Duration {
    let now = Instant::now();
    let mut denied = denied();
    let noted = denied.entry(denial.clone()).or_insert_with(|| Noted {
        first: now,
        last: now,
        lines: Throttle::new(),
    });
    noted.last = now;
    noted.log(denial, now);
    let (shortest, longest) = WAIT;
    (now - noted.first).clamp(shortest, longest)
}

/// Notes what an error says is missing of the rights to read the event topic as a member of the group.
pub(crate) fn note_reading(settings: &Settings, error: &KafkaError) {
    if let Some(denial) = denial(settings, error, Right::ReadTopic, &settings.topic) {
        note(&denial);
    }
}

/// Notes that a right is there.
pub(crate) fn granted(right: Right) {
    denied().retain(|denial, _| denial.right != right);
}

/// Logs again what has been missing since it was logged last.
pub(crate) fn log_again() {
    let now = Instant::now();
    for (denial, noted) in denied().iter_mut() {
        noted.log(denial, now);
    }
}

/// The rights that ingestion in this process waits for.
pub fn missing_rights() -> Vec<Denial> {
    let now = Instant::now();
    let mut denied = denied();
    denied.retain(|denial, noted| denial.right != Right::WriteTopic || now - noted.last < WRITE_EXPIRY);
    denied.keys().cloned().collect()
}

/// That a request about a topic failed, for want of this right or otherwise.
pub(crate) fn topic_error<'a>(
    settings: &'a Settings,
    right: Right,
    topic: &'a str,
) -> impl Fn(KafkaError) -> Error + 'a {
    move |source| match denial(settings, &source, right, topic) {
        Some(denial) => Error::Denied(denial),
        None => Error::topic(topic)(source),
    }
}

/// Who we are to the brokers, as far as the settings say: brokers do not.
fn principal(settings: &Settings) -> String {
    let property = |names: &[&str]| {
        let mut properties = settings.librdkafka_properties();
        let found = properties.find(|(name, value)| names.contains(&name.as_str()) && !value.is_empty());
        found.map(|(_, value)| value.to_owned())
    };
    let protocol = property(&["security.protocol"])
        .unwrap_or_default()
        .to_lowercase();
    let user = property(&["sasl.username", "sasl.oauthbearer.client.id"]);
    if protocol.starts_with("sasl")
        && let Some(user) = user
    {
        return format!("User:{user}");
    }
    let certificate = property(&["ssl.certificate.location", "ssl.keystore.location"]);
    match certificate.filter(|_| protocol.ends_with("ssl")) {
        Some(file) => format!("the client certificate {file}"),
        None => "User:ANONYMOUS".to_owned(),
    }
}

/// What it holds is whole between calls.
fn denied() -> MutexGuard<'static, BTreeMap<Denial, Noted>> {
    DENIED.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_right_is_missing_to_whom_the_settings_log_in() {
        let denied = KafkaError::Global(RDKafkaErrorCode::GroupAuthorizationFailed);
        for (properties, principal) in [
            (&[][..], "User:ANONYMOUS"),
            (&[("sasl.username", "unused")], "User:ANONYMOUS"),
            (
                &[("security.protocol", "SASL_SSL"), ("sasl_username", "alice")],
                "User:alice",
            ),
            (
                &[
                    ("security_protocol", "ssl"),
                    ("ssl.certificate.location", "erin.pem"),
                ],
                "the client certificate erin.pem",
            ),
        ] {
            let settings = Settings {
                properties: properties
                    .iter()
                    .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                    .collect(),
                ..Settings::default()
            };
            let denial = denial(&settings, &denied, Right::ReadTopic, "topic").unwrap();
            assert_eq!(
                denial.to_string(),
                format!("{principal} lacks the right READ on group rollcall")
            );
        }
    }
}
