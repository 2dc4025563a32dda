//! The results: tables for people, JSON for programs, both as soon as there are any.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

use anyhow::Context;
use serde_json::{Map, Value, json};

use crate::cli::Sizes;

/// Everything that was measured.
#[derive(Debug)]
pub(crate) struct Report {
    machine: Value,
    sizes: Value,
    sections: Map<String, Value>,
    path: PathBuf,
}

/// The results of a section: numbers, in named rows.
#[derive(Debug)]
pub(crate) struct Table {
    section: &'static str,
    caption: String,
    columns: &'static [Column],
    rows: Vec<(String, Vec<Option<f64>>)>,
}

/// The heading of a column, and how many decimal digits of its numbers are shown.
#[derive(Debug)]
pub(crate) struct Column(pub(crate) &'static str, pub(crate) usize);

impl Table {
    /// One without rows.
    pub(crate) const fn new(section: &'static str, caption: String, columns: &'static [Column]) -> Self {
        Self {
            section,
            caption,
            columns,
            rows: Vec::new(),
        }
    }

    /// Adds a row: a number for each column that has one.
    pub(crate) fn row<const N: usize>(&mut self, of: impl Into<String>, numbers: [Option<f64>; N]) {
        self.rows.push((of.into(), numbers.into()));
    }

    /// How many rows it has.
    pub(crate) const fn len(&self) -> usize {
        self.rows.len()
    }

    fn json(&self) -> Value {
        let rows = self.rows.iter().map(|(of, numbers)| {
            let mut row = Map::new();
            row.insert("of".to_owned(), json!(of));
            for (Column(name, _), number) in self.columns.iter().zip(numbers) {
                if let Some(number) = number {
                    row.insert((*name).to_owned(), json!(number));
                }
            }
            Value::Object(row)
        });
        json!({"caption": self.caption, "rows": rows.collect::<Vec<_>>()})
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wide = self.rows.iter().map(|(of, _)| of.len()).max().unwrap_or_default();
        writeln!(f, "\n{}: {}", self.section, self.caption)?;
        write!(f, "  {:wide$}", "")?;
        for Column(name, _) in self.columns {
            write!(f, "  {name:>9}")?;
        }
        writeln!(f)?;
        for (of, numbers) in &self.rows {
            write!(f, "  {of:wide$}")?;
            for (Column(name, digits), number) in self.columns.iter().zip(numbers) {
                let width = name.len().max(9);
                match number {
                    Some(number) => write!(f, "  {number:width$.digits$}")?,
                    None => write!(f, "  {:>width$}", "-")?,
                }
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

impl Report {
    /// One without sections, of this machine. Its JSON goes to `path`.
    #[expect(clippy::print_stdout, reason = "the report is what this program is for")]
    pub(crate) fn new(sizes: &Sizes, path: &Path) -> Self {
        let cpu = field("/proc/cpuinfo", "model name");
        let kib = field("/proc/meminfo", "MemTotal").and_then(|total| {
            let kib = total.trim_end_matches(" kB");
            kib.parse::<u64>().ok()
        });
        let cores = std::thread::available_parallelism().map_or(0, std::num::NonZeroUsize::get);
        let (version, gib) = (env!("CARGO_PKG_VERSION"), kib.unwrap_or_default() >> 20);
        let cpu = cpu.unwrap_or_else(|| "unknown CPU".to_owned());
        println!("rollcall {version} on {cores} cores of {cpu}, {gib} GiB");
        Self {
            machine: json!({"cpu": cpu, "cores": cores, "memory_gib": gib, "version": version}),
            sizes: json!(sizes),
            sections: Map::new(),
            path: path.to_owned(),
        }
    }

    /// Prints a table, and writes it with those before it: a run of hours may fail late.
    #[expect(clippy::print_stdout, reason = "the report is what this program is for")]
    pub(crate) fn add(&mut self, table: &Table) -> anyhow::Result<()> {
        print!("{table}");
        self.sections.insert(table.section.to_owned(), table.json());
        let report = json!({"machine": self.machine, "sizes": self.sizes, "sections": self.sections});
        fs::write(&self.path, format!("{report:#}\n"))
            .with_context(|| format!("--json: cannot write {}", self.path.display()))
    }

    /// Prints where the JSON is.
    #[expect(clippy::print_stdout, reason = "the report is what this program is for")]
    pub(crate) fn end(&self) -> anyhow::Result<()> {
        println!("\nall of it, as JSON: {}", self.path.canonicalize()?.display());
        Ok(())
    }
}

/// A number to calculate with. Beyond 2⁵³ the last digits are lost, which are never shown.
#[expect(
    clippy::cast_precision_loss,
    clippy::as_conversions,
    reason = "shown with few digits"
)]
pub(crate) const fn to_f64(number: u64) -> f64 {
    number as f64
}

/// The integer part of a number that is not negative.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::as_conversions,
    reason = "what is cut off is the fraction"
)]
pub(crate) const fn to_u64(number: f64) -> u64 {
    number as u64
}

/// The field of that name in a file of `/proc`.
fn field(path: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(found, _)| found.trim() == name)
        .map(|(_, value)| value.trim().to_owned())
}
