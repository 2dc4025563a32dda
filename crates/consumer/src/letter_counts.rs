//! Dead letters, counted by the reasons for which their records were rejected.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::error::Error;
use crate::kafka::client;
use crate::kafka::probe::{PartitionProgress, Probe};
use crate::kafka::reader::{OffsetRange, Reader};
use crate::origin::Origin;
use crate::settings::Settings;

/// How much of the dead-letter topic is read to count its letters.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// The maximum number of letters: the latest ones.
    pub letters: u64,
    /// For how long they are read.
    pub time: Duration,
}

/// How many dead letters there are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LetterCounts {
    /// How many the topic holds, by its offsets.
    pub total: u64,
    /// How many of them were counted, the latest of each partition. Those that were read in the time, where that ended first.
    pub counted: u64,
    /// Whether that is all of them.
    pub is_complete: bool,
    /// Of those counted, how many there are for each reason, by its code.
    pub by_reason: BTreeMap<String, u64>,
    /// Of those counted, how many are none of Rollcall's or have a header whose name cannot be read.
    pub unreadable: u64,
}

/// Counts the letters that the dead-letter topic holds when this begins, within bounds. `timeout` is how long the brokers may
/// take for an answer. Nothing is committed, and no group is joined.
pub async fn count_letters(
    settings: &Settings,
    bounds: Bounds,
    timeout: Duration,
) -> Result<LetterCounts, Error> {
    settings.validate()?;
    let letters = settings.with_topic(&settings.dead_letter_topic);
    let partitions = Probe::new(&letters)?.progress(timeout).await?;
    let mut reader = Reader::new(&letters, client::consumer_config(&letters), timeout)?;
    for (partition, offsets) in latest(&partitions, bounds.letters) {
        reader.push(partition, offsets);
    }
    let total = partitions.iter().map(length).sum();
    let mut counts = LetterCounts {
        total,
        is_complete: total <= bounds.letters,
        ..LetterCounts::default()
    };
    let deadline = Instant::now() + bounds.time;
    loop {
        match timeout_at(deadline, reader.next()).await {
            Ok(Ok(Some(letter))) => {
                counts.counted += 1;
                match Origin::of(&letter) {
                    Some(origin) => *counts.by_reason.entry(origin.code.to_owned()).or_default() += 1,
                    None => counts.unreadable += 1,
                }
            }
            Ok(Ok(None)) => break,
            Ok(Err(error)) => return Err(error),
            Err(_) if counts.counted == 0 => {
                return Err(Error::Silent {
                    servers: settings.bootstrap_servers.clone(),
                    after: bounds.time,
                });
            }
            Err(_) => {
                counts.is_complete = false;
                break;
            }
        }
    }
    if counts.is_complete {
        // Offsets may have no record.
        counts.total = counts.counted;
    }
    Ok(counts)
}

/// How many offsets a partition has.
fn length(partition: &PartitionProgress) -> u64 {
    u64::try_from(partition.end - partition.start).unwrap_or(0)
}

/// The latest offsets of partitions, in their order, at most so many together. What one has less than its share of, others
/// have more of.
fn latest(partitions: &[PartitionProgress], most: u64) -> Vec<OffsetRange> {
    let mut shortest_first: Vec<_> = partitions.iter().collect();
    shortest_first.sort_by_key(|partition| length(partition));
    let (mut left, mut sharers) = (most, u64::try_from(partitions.len()).unwrap_or(u64::MAX));
    let mut ranges: Vec<_> = shortest_first
        .into_iter()
        .map(|partition| {
            let taken = length(partition).min(left / sharers.max(1));
            left -= taken;
            sharers -= 1;
            let start = partition.end - i64::try_from(taken).unwrap_or(0);
            (partition.partition, start..partition.end)
        })
        .collect();
    ranges.sort_by_key(|(partition, _)| *partition);
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The ranges of partitions of these lengths, each of which starts at offset 10.
    fn ranges(lengths: &[i64], most: u64) -> Vec<(i32, i64, i64)> {
        let partitions: Vec<_> = (0..)
            .zip(lengths)
            .map(|(partition, length)| PartitionProgress {
                partition,
                start: 10,
                end: 10 + length,
                committed: None,
            })
            .collect();
        let latest = latest(&partitions, most).into_iter();
        latest
            .map(|(partition, range)| (partition, range.start, range.end))
            .collect()
    }

    #[test]
    fn the_latest_of_each_partition_are_taken_and_what_one_does_not_need_goes_to_others() {
        assert_eq!(ranges(&[], 10), []);
        assert_eq!(ranges(&[5], 10), [(0, 10, 15)]);
        assert_eq!(ranges(&[50], 10), [(0, 50, 60)]);
        assert_eq!(ranges(&[50, 2, 50], 10), [(0, 56, 60), (1, 10, 12), (2, 56, 60)]);
        assert_eq!(ranges(&[0, 50, 3], 10), [(0, 10, 10), (1, 53, 60), (2, 10, 13)]);
        assert_eq!(ranges(&[50, 50, 50], 2), [(0, 60, 60), (1, 59, 60), (2, 59, 60)]);
    }
}
