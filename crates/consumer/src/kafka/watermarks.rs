//! Where the logs of partitions start and end.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use rdkafka::consumer::{Consumer, ConsumerContext};
use rdkafka::error::KafkaResult;
use rdkafka::{Offset, TopicPartitionList};

/// Asks the brokers, and waits for them: by partition, the offset of the first record that its log holds, and that behind
/// the last that is stable, which excludes everything from the first open transaction on. A partition that cannot be
/// asked about is left out.
pub(crate) fn watermarks<C: ConsumerContext>(
    consumer: &impl Consumer<C>,
    topic: &str,
    partitions: impl IntoIterator<Item = i32>,
    timeout: Duration,
) -> KafkaResult<BTreeMap<i32, Range<i64>>> {
    let mut asked = TopicPartitionList::new();
    for partition in partitions {
        asked.add_partition(topic, partition);
    }
    if asked.count() == 0 {
        return Ok(BTreeMap::new());
    }
    // The client takes either as a timestamp, as the protocol does.
    let mut ask = |position| {
        asked.set_all_offsets(position)?;
        consumer.offsets_for_times(asked.clone(), timeout)
    };
    let (starts, ends) = (ask(Offset::Beginning)?, ask(Offset::End)?);
    let offset_in = |list: &TopicPartitionList, partition| {
        let element = list.find_partition(topic, partition)?;
        match (element.error(), element.offset()) {
            (Ok(()), Offset::Offset(offset)) => Some(offset),
            _ => None,
        }
    };
    let known = starts.elements().into_iter().filter_map(|element| {
        let partition = element.partition();
        let range = offset_in(&starts, partition)?..offset_in(&ends, partition)?;
        Some((partition, range))
    });
    Ok(known.collect())
}
