//! Records that were read before, read again.

use metrics::counter;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::{Consumer, StreamConsumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{Message, OwnedMessage};
use rdkafka::types::RDKafkaErrorCode;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use crate::client::{self, Logged};
use crate::delivery::{Courier, Halt};
use crate::ledger::Span;
use crate::{Error, metric};

/// Reads spans of the event topic, without being a member of the group.
pub(crate) struct Refetch {
    consumer: StreamConsumer<Logged>,
    topic: String,
    halt: CancellationToken,
    partition: i32,
    /// The offset of the next record.
    next: i64,
    /// The offset behind the last one.
    end: i64,
}

impl Refetch {
    pub(crate) fn new<S>(courier: &Courier<S>) -> Result<Self, Error> {
        let settings = &courier.settings;
        let mut config = client::config(settings);
        config
            .set("group.id", &settings.group_id)
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            .set("auto.offset.reset", "earliest")
            .set("allow.auto.create.topics", "false")
            // Little is read, and no more than is asked for need be fetched.
            .set("queued.min.messages", "1")
            .set("queued.max.messages.kbytes", "1024")
            .set("max.partition.fetch.bytes", "262144");
        Ok(Self {
            consumer: client::create(settings, config, Logged)?,
            topic: settings.topic.clone(),
            halt: courier.halt.clone(),
            partition: 0,
            next: 0,
            end: 0,
        })
    }

    /// Turns to a span.
    pub(crate) fn seek(&mut self, span: &Span) -> Result<(), Error> {
        (self.partition, self.next, self.end) = (span.partition().0, span.start().0, span.end().0);
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&self.topic, self.partition, rdkafka::Offset::Offset(self.next))
            .and_then(|()| self.consumer.assign(&list))
            .map_err(Error::Consumer)
    }

    /// The next record of the span, however long the brokers take. `None` once there is no other. Records that the
    /// log has dropped since are counted.
    pub(crate) async fn next(&mut self) -> Result<Option<OwnedMessage>, Halt> {
        while self.next < self.end {
            let Some(record) = self.halt.run_until_cancelled(self.consumer.recv()).await else {
                return Err(Halt::Abandoned);
            };
            match record.map(|record| record.detach()) {
                Ok(record) => {
                    let offset = record.offset();
                    self.lose_until(offset.min(self.end));
                    self.next = offset + 1;
                    if offset < self.end {
                        return Ok(Some(record));
                    }
                }
                Err(KafkaError::PartitionEOF(_)) => self.lose_until(self.end),
                Err(error @ KafkaError::MessageConsumptionFatal(_)) => {
                    return Err(Halt::Ended(Error::Consumer(error)));
                }
                Err(error) => {
                    let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Unknown);
                    counter!(metric::KAFKA_ERRORS, "code" => format!("{code:?}")).increment(1);
                    warn!(topic = self.topic, "kafka: {error}");
                }
            }
        }
        Ok(None)
    }

    fn lose_until(&mut self, offset: i64) {
        if let Ok(lost @ 1..) = u64::try_from(offset - self.next) {
            counter!(metric::RECORDS_LOST).increment(lost);
            error!(
                topic = self.topic,
                partition = self.partition,
                from = self.next,
                to = offset,
                lost,
                "records of a refused batch are gone before they were read again"
            );
            self.next = offset;
        }
    }
}
