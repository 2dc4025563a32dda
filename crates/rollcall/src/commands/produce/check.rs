//! Whether lines are events that `ingest` takes.

use std::{collections::BTreeSet, path::Path};

use events::Decoded;
use tracing::warn;

use super::{
    adapt::Adapter,
    lines::{Input, Line},
};
use crate::{clock, commands::EVENT_HEADERS};

/// The maximum number of types that are warned of, and of lines that are named.
const MAX_NAMED: usize = 10;

/// The rules of `ingest` for a record.
pub(super) struct Check<'a> {
    file: &'a Path,
    /// `kafka.max_record_bytes`
    max_record_bytes: usize,
    unknown_types: BTreeSet<String>,
}

impl<'a> Check<'a> {
    pub(super) const fn new(file: &'a Path, max_record_bytes: usize) -> Self {
        Self {
            file,
            max_record_bytes,
            unknown_types: BTreeSet::new(),
        }
    }

    /// Whether `ingest` takes a record. One of an unknown type it skips: each type is warned of once.
    ///
    /// # Errors
    /// The reason for which it would be rejected.
    pub(super) fn record(&mut self, line: &Line) -> Result<(), String> {
        let headers: usize = EVENT_HEADERS
            .iter()
            .map(|(name, value)| name.len() + value.map_or(0, <[u8]>::len))
            .sum();
        let bytes = line.value.len() + headers + line.key().map_or(0, |key| key.len());
        if bytes > self.max_record_bytes {
            return Err(format!(
                "record: {bytes} bytes, of {} allowed",
                self.max_record_bytes
            ));
        }
        let decoded = events::decode(EVENT_HEADERS.into_iter(), Some(&line.value), clock::now());
        if let Decoded::Skipped { event_type } = decoded.map_err(|rejection| rejection.to_string())?
            && self.unknown_types.len() < MAX_NAMED
            && self.unknown_types.insert(event_type.to_string())
        {
            warn!(
                file = %self.file.display(),
                line = line.number,
                r#type = %event_type,
                "a type that is none of Rollcall's: such events are published, and ingest skips them"
            );
        }
        Ok(())
    }

    /// Checks all lines of the file.
    ///
    /// # Errors
    /// Names those that would be rejected.
    pub(super) async fn file(
        &mut self,
        mut input: Input<'_>,
        adapter: &mut Adapter<'_>,
    ) -> anyhow::Result<()> {
        let (mut lines, mut refused, mut named) = (0_u64, 0_u64, Vec::new());
        while let Some(chunk) = input.next().await? {
            for line in chunk {
                lines += 1;
                let number = line.number;
                let checked = adapter.records(line).and_then(|records| {
                    let mut records = records.iter();
                    records.try_for_each(|record| self.record(record))
                });
                if let Err(reason) = checked {
                    refused += 1;
                    if named.len() < MAX_NAMED {
                        named.push(format!("\n  line {number}: {reason}"));
                    }
                }
            }
        }
        anyhow::ensure!(
            refused == 0,
            "{}: nothing is published: ingest would reject {refused} of {lines} lines, each of which must be {} \
             (--force publishes them all the same){}",
            self.file.display(),
            adapter.line_name(),
            named.concat()
        );
        Ok(())
    }
}
