//! The events of lines: each line is one, or is made into those that it gives.

use std::{collections::BTreeMap, path::Path};

use adapters::{Format, LeftOut, Mapping};
use tracing::warn;

use super::lines::Line;

/// The maximum number of lines that are warned of.
const MAX_NAMED: u64 = 10;

/// Makes events of lines, and counts what gives none.
pub(super) struct Adapter<'a> {
    file: &'a Path,
    /// None where each line is an event.
    mapping: Option<&'a Mapping>,
    left_out: BTreeMap<LeftOut, u64>,
    lines_left_out: u64,
}

impl<'a> Adapter<'a> {
    pub(super) const fn new(file: &'a Path, mapping: Option<&'a Mapping>) -> Self {
        Self {
            file,
            mapping,
            left_out: BTreeMap::new(),
            lines_left_out: 0,
        }
    }

    /// What each line must be.
    pub(super) fn line_name(&self) -> &'static str {
        match self.mapping.map(|mapping| mapping.format) {
            None => "one event",
            Some(Format::OtelGenai) => "one export request of OTLP in JSON",
            Some(Format::Langfuse) => "traces or observations of Langfuse in JSON",
        }
    }

    /// The records of a line, each with the number of the line.
    ///
    /// # Errors
    /// The reason for which it has none.
    pub(super) fn records(&mut self, line: Line) -> Result<Vec<Line>, String> {
        let Some(mapping) = self.mapping else {
            return Ok(vec![line]);
        };
        let adapted = adapters::adapt(&line.value, mapping).map_err(|error| error.to_string())?;
        for left_out in adapted.left_out {
            *self.left_out.entry(left_out).or_default() += 1;
        }
        let records = adapted.events.into_iter().map(|event| Line {
            number: line.number,
            value: event.into_bytes(),
        });
        Ok(records.collect())
    }

    /// Warns of a line that is left out as a whole.
    pub(super) fn leave_out_line(&mut self, number: u64, reason: &str) {
        self.lines_left_out += 1;
        if self.lines_left_out <= MAX_NAMED {
            warn!(file = %self.file.display(), line = number, reason, "a line that has no events is left out");
        }
    }

    /// What gave no events, and how much of it.
    pub(super) fn left_out(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let items = self.left_out.iter();
        let items = items.map(|(left_out, count)| (left_out.description(), *count));
        let lines = ("lines that cannot be read", self.lines_left_out);
        items.chain((self.lines_left_out > 0).then_some(lines))
    }
}
