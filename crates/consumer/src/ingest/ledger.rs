//! From receipts to the offsets that may be committed. No I/O, no clock.
//!
//! The ledger notes what is read of each assigned partition, as spans of offsets without holes between them.
//! Batches carry spans, and a batch whose rows and dead letters are acknowledged becomes a [`Receipt`]. Receipts
//! arrive in any order; the frontier of a partition is the offset up to which there is a receipt for everything,
//! and only it becomes [`Committable`].

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ops::Range;

use events::Timestamp;

use crate::ingest::dead_letters::DeadLettersAcked;
use crate::ingest::rows::RowsAcked;
use crate::kafka::commit_metadata::Fingerprint;

/// A partition of the event topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Partition(pub(crate) i32);

/// The position of a record in its partition, or the position behind the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Offset(pub(crate) i64);

/// One assignment of a partition. Receipts of an earlier one are void.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Epoch(u64);

/// Offsets of a partition that were read in one assignment, from `start` to just before `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    partition: Partition,
    epoch: Epoch,
    start: Offset,
    end: Offset,
    /// The last record in it, where it is known.
    last: Option<Fingerprint>,
}

/// The spans that a batch stands for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Spans(Vec<Span>);

/// The proof that everything in some spans is settled.
#[derive(Debug)]
pub(crate) struct Receipt(Spans);

/// An offset that may be committed: everything before it is settled. Only the ledger makes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Committable {
    partition: Partition,
    offset: Offset,
    last: Option<Fingerprint>,
}

/// What a record that has come is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// The next of its partition. It closes a span: from what was expected to the record itself, so that a gap before it is
    /// settled with it.
    Next(Span, Option<Jump>),
    /// The last record below the committed offset, settled long ago: the log is the one that was read.
    Settled,
    /// Another record than the one that was read at its offset: the log was truncated, or its topic made again, while nobody
    /// read it. The partition is to be read from its start.
    Replaced,
    /// Of a partition that is not assigned.
    Unassigned,
}

/// A record that is not where the one before it said that it would be. Forward, the offsets between were never seen; back,
/// the log was truncated, or its topic was created again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Jump {
    /// The offset that was expected.
    pub(crate) from: Offset,
    /// The offset that came.
    pub(crate) to: Offset,
}

/// Everything that is read and not yet committed, by partition.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    accounts: BTreeMap<Partition, Account>,
    epochs: u64,
}

/// What is known of one assigned partition.
#[derive(Debug)]
struct Account {
    epoch: Epoch,
    /// What the broker holds as committed, unless that is in doubt.
    committed: Option<Offset>,
    /// Where reading began with nothing committed, which need not be committed either.
    origin: Option<Offset>,
    /// The offset that the next record is expected to have; none until the first, unless an offset is committed.
    expected: Option<Offset>,
    /// The last record that was read, where it is known.
    latest: Option<Fingerprint>,
    /// Everything before it is settled.
    frontier: Option<Offset>,
    /// The last record before the frontier, where it is known.
    last: Option<Fingerprint>,
    /// That record as the commit names it, until a first record shows whether the log still holds it.
    unconfirmed: Option<Fingerprint>,
    /// Where the log began at the assignment, as far as is known.
    start: Option<Offset>,
    /// Settled spans beyond the frontier, by start: the end, and the last record where it is known.
    ahead: BTreeMap<Offset, (Offset, Option<Fingerprint>)>,
    /// Where reading went back to since an earlier epoch: its spans hold up to there.
    earlier: Vec<(Epoch, Offset)>,
}

impl Committable {
    /// The partition.
    pub(crate) const fn partition(&self) -> Partition {
        self.partition
    }

    /// The offset to commit: that of the first record that is not settled.
    pub(crate) const fn offset(&self) -> Offset {
        self.offset
    }

    /// The last record before it, where it is known.
    pub(crate) const fn last(&self) -> Option<Fingerprint> {
        self.last
    }
}

impl Span {
    /// When the record that closes it was written, by Kafka, if that is known.
    pub(crate) fn timestamp(&self) -> Option<Timestamp> {
        let millis = self.last?.timestamp;
        (millis >= 0).then_some(Timestamp::from_millis(millis))
    }
}

impl Spans {
    /// The partition and the offsets of each, in the order of reading.
    pub(crate) fn offset_ranges(&self) -> Vec<(i32, Range<i64>)> {
        let ranges = self.0.iter();
        ranges
            .map(|span| (span.partition.0, span.start.0..span.end.0))
            .collect()
    }

    /// Adds what was read after the rest.
    pub(crate) fn add(&mut self, span: Span) {
        let adjoining = self
            .0
            .iter_mut()
            .rev()
            .find(|held| held.partition == span.partition);
        match adjoining {
            Some(held) if held.epoch == span.epoch && held.end == span.start => {
                (held.end, held.last) = (span.end, span.last);
            }
            _ => self.0.push(span),
        }
    }

    /// Adds all of these.
    pub(crate) fn append(&mut self, mut spans: Self) {
        self.0.append(&mut spans.0);
    }

    /// Turns the spans into a receipt, against the proofs that their rows and their dead letters are
    /// acknowledged.
    pub(crate) fn settle(self, _rows: RowsAcked, _dead_letters: DeadLettersAcked) -> Receipt {
        Receipt(self)
    }
}

#[cfg(test)]
impl Receipt {
    /// A receipt without proofs, for tests that have no sink.
    pub(crate) const fn forged(spans: Spans) -> Self {
        Self(spans)
    }
}

impl Ledger {
    /// Opens the account of a partition that was assigned, which is read on from its committed offset, or from
    /// its first one where none is committed.
    pub(crate) fn assign(&mut self, partition: Partition, committed: Option<Offset>) {
        self.epochs += 1;
        let account = Account {
            epoch: Epoch(self.epochs),
            committed,
            origin: None,
            expected: committed,
            latest: None,
            frontier: committed,
            last: None,
            unconfirmed: None,
            start: None,
            ahead: BTreeMap::new(),
            earlier: Vec::new(),
        };
        self.accounts.insert(partition, account);
    }

    /// Has the first record of a partition that was assigned compared with the last one that its commit names, from which
    /// it is read on.
    pub(crate) fn confirm(&mut self, partition: Partition, last: Fingerprint) {
        if let Some(account) = self.accounts.get_mut(&partition) {
            (account.latest, account.last) = (Some(last), Some(last));
            account.unconfirmed = Some(last);
        }
    }

    /// Notes where the log of a partition that was assigned begins: of what is behind that, nothing was deleted.
    pub(crate) fn note_start(&mut self, partition: Partition, start: Offset) {
        if let Some(account) = self.accounts.get_mut(&partition) {
            account.start = Some(start);
        }
    }

    /// Notes that a record has come.
    pub(crate) fn arrive(&mut self, partition: Partition, record: Fingerprint) -> Arrival {
        let Some(account) = self.accounts.get_mut(&partition) else {
            return Arrival::Unassigned;
        };
        if let Some(last) = account.unconfirmed.take() {
            if record == last {
                return Arrival::Settled;
            }
            let committed = account.expected.filter(|_| {
                // Where the log reaches back to that record, no later one may come in its place.
                account.start.is_none_or(|Offset(start)| start > last.offset)
            });
            let end = committed.map_or(i64::MAX, |Offset(committed)| committed);
            if (last.offset..end).contains(&record.offset) {
                self.assign(partition, None);
                return Arrival::Replaced;
            }
        }
        account.latest = Some(record);
        match self.read(partition, Offset(record.offset)) {
            Some((span, jump)) => Arrival::Next(
                Span {
                    last: Some(record),
                    ..span
                },
                jump,
            ),
            None => Arrival::Unassigned,
        }
    }

    /// Notes that a record was read, and returns the span that it closes. `None` where the partition is not assigned.
    pub(crate) fn read(&mut self, partition: Partition, offset: Offset) -> Option<(Span, Option<Jump>)> {
        let account = self.accounts.get_mut(&partition)?;
        let expected = account.expected.unwrap_or(offset);
        let start = expected.min(offset);
        if offset < expected {
            self.epochs += 1;
            account.rewind(Epoch(self.epochs), offset);
        }
        let end = Offset(offset.0 + 1);
        account.expected = Some(end);
        if account.frontier.is_none() {
            account.frontier = Some(start);
            account.origin = Some(start);
        }
        let span = Span {
            partition,
            epoch: account.epoch,
            start,
            end,
            last: None,
        };
        let jump = Jump {
            from: expected,
            to: offset,
        };
        Some((span, (offset != expected).then_some(jump)))
    }

    /// Notes that offsets are passed over, if the partition is still read from where they start. Returns their span.
    pub(crate) fn pass_over(&mut self, partition: Partition, offsets: Range<Offset>) -> Option<Span> {
        let account = self.accounts.get_mut(&partition)?;
        if account.next().is_some_and(|next| next != offsets.start) {
            return None;
        }
        // Whoever began with a record before them would have to pass over them again.
        (account.latest, account.unconfirmed) = (None, None);
        // A log that begins behind the committed offset is read from its start.
        self.read(partition, Offset(offsets.end.0 - 1))
            .map(|(span, _)| span)
    }

    /// The offset that each partition is read from next; none where that is where the log begins.
    pub(crate) fn positions(&self) -> impl Iterator<Item = (Partition, Option<Offset>)> {
        let accounts = self.accounts.iter();
        accounts.map(|(partition, account)| (*partition, account.next()))
    }

    /// Notes that everything before an offset was read, though there may be no record next to it: a marker of a transaction,
    /// aborted records. What lies between is settled as soon as the records before it are. Returns what was passed.
    pub(crate) fn pass(&mut self, partition: Partition, to: Offset) -> Option<Jump> {
        let account = self.accounts.get_mut(&partition)?;
        let from = account.expected.unwrap_or(to);
        if to < from {
            return None;
        }
        account.expected = Some(to);
        account.frontier.get_or_insert(to);
        account.settle(Span {
            partition,
            epoch: account.epoch,
            start: from,
            end: to,
            last: account.latest,
        });
        (from < to).then_some(Jump { from, to })
    }

    /// Moves frontiers on by what a receipt proves. Spans of partitions that were revoked since, or read
    /// again, are void: the next to read them settles them.
    pub(crate) fn settle(&mut self, receipt: Receipt) {
        for span in receipt.0.0 {
            if let Some(account) = self.accounts.get_mut(&span.partition) {
                account.settle(span);
            }
        }
    }

    /// The frontiers that differ from what is committed. Until the broker has answered, it is in doubt what is, so they
    /// are returned again.
    pub(crate) fn committable(&mut self) -> Vec<Committable> {
        let accounts = self.accounts.iter_mut();
        accounts
            .filter_map(|(partition, account)| {
                let committable = account.committable(*partition)?;
                (account.committed, account.origin) = (None, None);
                Some(committable)
            })
            .collect()
    }

    /// Notes that the broker has accepted these.
    pub(crate) fn committed(&mut self, offsets: &[Committable]) {
        for committable in offsets {
            if let Some(account) = self.accounts.get_mut(&committable.partition) {
                account.committed = Some(committable.offset);
            }
        }
    }

    /// Closes the account of a partition that is revoked, and returns what may still be committed.
    pub(crate) fn revoke(&mut self, partition: Partition) -> Option<Committable> {
        self.accounts.remove(&partition)?.committable(partition)
    }

    /// Closes the account of a partition that another member may hold already: nothing of it may be committed.
    pub(crate) fn lose(&mut self, partition: Partition) {
        self.accounts.remove(&partition);
    }

    /// The settled frontier of each partition that is assigned; none until it is known where reading begins.
    pub(crate) fn frontiers(&self) -> impl Iterator<Item = (Partition, Option<Offset>)> {
        self.accounts
            .iter()
            .map(|(partition, account)| (*partition, account.frontier))
    }

    /// What the broker holds as committed, of each partition of which it is known.
    pub(crate) fn commits(&self) -> impl Iterator<Item = (Partition, Offset)> {
        self.accounts
            .iter()
            .filter_map(|(partition, account)| Some((*partition, account.committed?)))
    }
}

impl Account {
    /// Where it is read next, as far as is known.
    fn next(&self) -> Option<Offset> {
        self.unconfirmed.map(|last| Offset(last.offset)).or(self.expected)
    }

    fn settle(&mut self, span: Span) {
        let Some(mut frontier) = self.frontier else { return };
        let end = if span.epoch == self.epoch {
            span.end
        } else {
            let Some((_, limit)) = self.earlier.iter().find(|(epoch, _)| *epoch == span.epoch) else {
                return;
            };
            span.end.min(*limit)
        };
        if span.start < end {
            self.ahead.insert(span.start, (end, before(span.last, end)));
        }
        while let Some(next) = self.ahead.first_entry()
            && *next.key() <= frontier
        {
            let (end, last) = next.remove();
            if end > frontier {
                (frontier, self.last) = (end, last);
            }
        }
        self.frontier = Some(frontier);
        self.earlier.retain(|(_, limit)| *limit > frontier);
    }

    /// Voids everything at and behind the offset that reading went back to: the records there may be others
    /// now. What is read and not settled before it stays so.
    fn rewind(&mut self, epoch: Epoch, to: Offset) {
        self.ahead.retain(|start, (end, last)| {
            (*end, *last) = (to.min(*end), before(*last, to));
            *start < to
        });
        self.earlier.push((std::mem::replace(&mut self.epoch, epoch), to));
        self.frontier = self.frontier.map(|frontier| frontier.min(to));
        self.last = before(self.last, to);
        for (_, limit) in &mut self.earlier {
            *limit = to.min(*limit);
        }
        self.earlier.retain(|(_, limit)| Some(*limit) > self.frontier);
    }

    fn committable(&self, partition: Partition) -> Option<Committable> {
        let held = self.committed.or(self.origin);
        let offset = self.frontier.filter(|frontier| Some(*frontier) != held)?;
        Some(Committable {
            partition,
            offset,
            last: self.last,
        })
    }
}

/// The record, if it is before the end.
fn before(record: Option<Fingerprint>, end: Offset) -> Option<Fingerprint> {
    record.filter(|record| record.offset < end.0)
}
