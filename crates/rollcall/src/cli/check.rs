//! The command line of `rollcall check`.

use clap::{Args, ValueEnum};

/// What is checked, and how it is printed.
#[derive(Debug, Args)]
pub(crate) struct CheckOptions {
    /// What these commands need
    #[arg(value_name = "COMMAND", value_enum, default_values_t = [CheckedRole::Ingest, CheckedRole::Serve])]
    pub(crate) roles: Vec<CheckedRole>,
    /// As a JSON array
    #[arg(long)]
    pub(crate) json: bool,
}

/// A command that needs rights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CheckedRole {
    Ingest,
    Serve,
    Migrate,
    Keys,
    Export,
    Forget,
    Verify,
    Rebuild,
    Replay,
    Produce,
}

impl CheckedRole {
    /// What it is in ClickHouse; none where it does not use it.
    pub(crate) const fn in_clickhouse(self) -> Option<aggregator::Role> {
        Some(match self {
            Self::Ingest => aggregator::Role::Ingest,
            Self::Serve => aggregator::Role::Serve,
            Self::Migrate => aggregator::Role::Migrate,
            Self::Keys => aggregator::Role::Keys,
            Self::Export => aggregator::Role::Export,
            Self::Forget => aggregator::Role::Forget,
            Self::Verify => aggregator::Role::Verify,
            Self::Rebuild => aggregator::Role::Rebuild,
            Self::Replay | Self::Produce => return None,
        })
    }

    /// What it is in Kafka; none where it does not use it.
    pub(crate) const fn in_kafka(self) -> Option<consumer::Role> {
        Some(match self {
            Self::Ingest => consumer::Role::Ingest,
            Self::Replay => consumer::Role::Replay,
            Self::Produce => consumer::Role::Produce,
            _ => return None,
        })
    }

    /// What it is called on the command line.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Serve => "serve",
            Self::Migrate => "migrate",
            Self::Keys => "keys",
            Self::Export => "export",
            Self::Forget => "forget",
            Self::Verify => "verify",
            Self::Rebuild => "rebuild",
            Self::Replay => "replay",
            Self::Produce => "produce",
        }
    }
}
