//! A status, as `--json` prints it: `docs/status.md` explains each field.

use std::collections::BTreeMap;

use aggregator::{DiskSpace, Growth, Reports, Size, TableKind, TableSize, migrate::SchemaState};
use consumer::{LetterCounts, PartitionProgress};
use events::Timestamp;
use serde::Serialize;

/// All that is known. A part that is not known is null, and in `errors`.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) at: String,
    pub(super) clickhouse: Option<ClickHouse>,
    pub(super) shards: Option<Vec<Shard>>,
    pub(super) kafka: Option<Kafka>,
    pub(super) ingestion: Option<Ingestion>,
    pub(super) tables: Option<Vec<Table>>,
    pub(super) total: Option<Stored>,
    pub(super) forecast: Option<Forecast>,
    pub(super) dead_letters: Option<DeadLetters>,
    pub(super) errors: BTreeMap<&'static str, String>,
}

#[derive(Debug, Serialize)]
pub(super) struct ClickHouse {
    pub(super) urls: Vec<String>,
    pub(super) cluster: Option<String>,
    pub(super) database: String,
    /// Of each shard, where they differ.
    pub(super) version: String,
    pub(super) schema: Option<Schema>,
}

#[derive(Debug, Serialize)]
pub(super) struct Schema {
    pub(super) version: u32,
    /// The one that this program knows.
    pub(super) known: u32,
    pub(super) state: &'static str,
}

#[derive(Debug, Serialize)]
pub(super) struct Shard {
    #[serde(rename = "shard")]
    pub(super) number: u32,
    /// None: it is away.
    pub(super) version: Option<String>,
    pub(super) rows: Option<u64>,
    pub(super) bytes: Option<u64>,
    pub(super) parts: Option<u64>,
    /// The most parts that a table has there.
    pub(super) most_parts: Option<u64>,
    pub(super) disk_free_bytes: Option<u64>,
    pub(super) disk_total_bytes: Option<u64>,
    pub(super) bytes_per_day: Option<u64>,
    pub(super) days_until_full: Option<u64>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(super) struct Stored {
    pub(super) rows: u64,
    pub(super) bytes: u64,
    pub(super) parts: u64,
}

#[derive(Debug, Serialize)]
pub(super) struct Kafka {
    pub(super) bootstrap_servers: String,
    pub(super) topic: String,
    pub(super) group_id: String,
    /// None: the brokers do not say.
    pub(super) members: Option<u64>,
    pub(super) lag: u64,
    pub(super) partitions: Vec<Partition>,
}

#[derive(Debug, Serialize)]
pub(super) struct Partition {
    #[serde(rename = "partition")]
    pub(super) number: i32,
    pub(super) start: i64,
    pub(super) committed: Option<i64>,
    pub(super) end: i64,
    pub(super) lag: u64,
}

#[derive(Debug, Serialize)]
pub(super) struct Ingestion {
    pub(super) newest_event_at: Option<String>,
    pub(super) freshness_seconds: Option<u64>,
    pub(super) as_of: Option<String>,
    pub(super) as_of_age_seconds: Option<u64>,
    pub(super) running: u64,
    pub(super) lag: u64,
    pub(super) rejected: u64,
}

#[derive(Debug, Serialize)]
pub(super) struct Table {
    pub(super) name: String,
    pub(super) kind: &'static str,
    #[serde(flatten)]
    pub(super) stored: Stored,
    pub(super) shards: Vec<OnShard>,
}

#[derive(Debug, Serialize)]
pub(super) struct OnShard {
    pub(super) shard: u32,
    #[serde(flatten)]
    pub(super) stored: Stored,
}

#[derive(Debug, Serialize)]
pub(super) struct Forecast {
    pub(super) history_days: u64,
    /// None: there is not enough history.
    pub(super) bytes_per_day: Option<u64>,
    /// Of the shard that is full first. None: that is not known, or never.
    pub(super) days_until_full: Option<u64>,
}

#[derive(Debug, Serialize)]
pub(super) struct DeadLetters {
    pub(super) topic: String,
    pub(super) total: u64,
    pub(super) counted: u64,
    pub(super) complete: bool,
    pub(super) by_reason: BTreeMap<String, u64>,
    pub(super) unreadable: u64,
}

impl From<Size> for Stored {
    fn from(Size { rows, bytes, parts }: Size) -> Self {
        Self { rows, bytes, parts }
    }
}

impl Stored {
    /// All of it together.
    pub(super) fn sum(all: impl Iterator<Item = Self>) -> Self {
        all.fold(Self::default(), |sum, one| Self {
            rows: sum.rows + one.rows,
            bytes: sum.bytes + one.bytes,
            parts: sum.parts + one.parts,
        })
    }
}

impl ClickHouse {
    pub(super) fn new(
        settings: &aggregator::Settings,
        versions: &BTreeMap<u32, Option<String>>,
        schema: Option<Schema>,
    ) -> Self {
        let mut known: Vec<_> = versions.values().flatten().cloned().collect();
        known.sort_unstable();
        known.dedup();
        Self {
            urls: settings.urls().map(str::to_owned).collect(),
            cluster: settings.cluster.clone(),
            database: settings.database.clone(),
            version: known.join(", "),
            schema,
        }
    }
}

impl Schema {
    pub(super) const fn new(version: u32, known: u32, state: SchemaState) -> Self {
        Self {
            version,
            known,
            state: match state {
                SchemaState::Current => "current",
                SchemaState::Outdated { .. } => "outdated",
                SchemaState::Newer { .. } => "newer",
            },
        }
    }
}

impl Shard {
    /// What is known of each shard.
    pub(super) fn all(
        versions: &BTreeMap<u32, Option<String>>,
        tables: Option<&[TableSize]>,
        disks: Option<&BTreeMap<u32, DiskSpace>>,
        growth: Option<&Growth>,
    ) -> Vec<Self> {
        let shards = versions.iter().map(|(shard, version)| {
            let sizes = tables.map(|tables| {
                let sizes = tables.iter().filter_map(|table| table.shards.get(shard).copied());
                sizes.collect::<Vec<_>>()
            });
            // Whatever has the schema has some rows.
            let sizes = sizes.filter(|sizes| !sizes.is_empty());
            let stored = sizes
                .as_ref()
                .map(|sizes| sizes.iter().copied().fold(Size::default(), Size::and));
            let disk = disks
                .and_then(|disks| disks.get(shard).copied())
                .unwrap_or_default();
            let bytes_per_day = stored.and_then(|stored| growth?.bytes_per_day(*shard, stored.bytes));
            Self {
                number: *shard,
                version: version.clone(),
                rows: stored.map(|stored| stored.rows),
                bytes: stored.map(|stored| stored.bytes),
                parts: stored.map(|stored| stored.parts),
                most_parts: sizes.map(|sizes| sizes.iter().map(|size| size.parts).max().unwrap_or(0)),
                disk_free_bytes: disk.free,
                disk_total_bytes: disk.total,
                bytes_per_day,
                days_until_full: disk.free.and_then(|free| free.checked_div(bytes_per_day?)),
            }
        });
        shards.collect()
    }
}

impl Kafka {
    pub(super) fn new(
        settings: &consumer::Settings,
        members: Option<u64>,
        mut partitions: Vec<PartitionProgress>,
    ) -> Self {
        partitions.sort_by_key(|partition| partition.partition);
        Self {
            bootstrap_servers: settings.bootstrap_servers.clone(),
            topic: settings.topic.clone(),
            group_id: settings.group_id.clone(),
            members,
            lag: partitions.iter().map(PartitionProgress::lag).sum(),
            partitions: partitions.iter().map(Partition::from).collect(),
        }
    }
}

impl From<&PartitionProgress> for Partition {
    fn from(progress: &PartitionProgress) -> Self {
        Self {
            number: progress.partition,
            start: progress.start,
            committed: progress.committed,
            end: progress.end,
            lag: progress.lag(),
        }
    }
}

impl From<Reports> for Ingestion {
    fn from(reports: Reports) -> Self {
        let progress = reports.progress;
        let seconds = |millis: Option<u64>| millis.map(|millis| millis / 1_000);
        Self {
            newest_event_at: progress.newest_event_at.map(Timestamp::to_rfc3339),
            freshness_seconds: seconds(progress.age_millis),
            as_of: progress.as_of.map(Timestamp::to_rfc3339),
            as_of_age_seconds: seconds(reports.age_millis),
            running: reports.running,
            lag: progress.lag,
            rejected: progress.rejected,
        }
    }
}

impl Table {
    /// The tables, kind by kind, the largest of each first.
    pub(super) fn all(mut sizes: Vec<TableSize>) -> Vec<Self> {
        sizes.sort_by_cached_key(|table| {
            let total = table.total();
            (
                table.kind,
                std::cmp::Reverse((total.bytes, total.rows)),
                table.name.clone(),
            )
        });
        let tables = sizes.into_iter().map(|size| Self {
            stored: size.total().into(),
            kind: match size.kind {
                TableKind::Facts => "facts",
                TableKind::Rollup => "rollup",
                TableKind::Observed => "observed",
                TableKind::Other => "other",
            },
            shards: size
                .shards
                .into_iter()
                .map(|(shard, size)| OnShard {
                    shard,
                    stored: size.into(),
                })
                .collect(),
            name: size.name,
        });
        tables.collect()
    }
}

impl Forecast {
    /// By what is known of all shards.
    pub(super) fn new(growth: &Growth, shards: &[Shard]) -> Self {
        Self {
            history_days: growth.history_days,
            bytes_per_day: shards
                .iter()
                .filter_map(|shard| shard.bytes_per_day)
                .reduce(u64::saturating_add),
            days_until_full: shards.iter().filter_map(|shard| shard.days_until_full).min(),
        }
    }
}

impl DeadLetters {
    pub(super) fn new(topic: &str, counts: LetterCounts) -> Self {
        let LetterCounts {
            total,
            counted,
            is_complete,
            by_reason,
            unreadable,
        } = counts;
        Self {
            topic: topic.to_owned(),
            total,
            counted,
            complete: is_complete,
            by_reason,
            unreadable,
        }
    }
}
