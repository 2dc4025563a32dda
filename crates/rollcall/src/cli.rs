//! The command line.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Parser, Subcommand, builder::PossibleValuesParser};

/// Exact chat analytics: Kafka in, ClickHouse rollups, three endpoints out.
#[derive(Debug, Parser)]
#[command(
    version,
    propagate_version = true,
    after_help = "New here? `rollcall demo` needs nothing else and prints what to paste.\n\
                  Every setting can also be given in a TOML file (--config) or as ROLLCALL__SECTION__KEY,\n\
                  for example ROLLCALL__KAFKA__TOPIC=chat.events."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Try it: everything embedded, on made-up history and live traffic
    Demo {
        /// Days of history before now
        #[arg(long, default_value_t = 90, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
        days: u32,
        /// Live events a second after the history
        #[arg(long, default_value_t = 5.0, value_name = "N")]
        rate: f64,
        #[command(flatten)]
        common: Common,
        #[command(flatten)]
        http: Http,
    },
    /// Broker, engine, ingest and API in one process; real ones in the place of embedded ones where given
    Up {
        /// A real Kafka in the place of the embedded broker
        #[arg(long, value_name = "BOOTSTRAP")]
        kafka: Option<String>,
        /// A real ClickHouse in the place of the embedded engine
        #[arg(long, value_name = "URL")]
        clickhouse: Option<String>,
        #[command(flatten)]
        common: Common,
        #[command(flatten)]
        http: Http,
    },
    /// From a Kafka topic into ClickHouse, until stopped; its HTTP address tells health and metrics
    Ingest {
        #[command(flatten)]
        common: Common,
        #[command(flatten)]
        http: Http,
    },
    /// The API over ClickHouse, until stopped
    Serve {
        #[command(flatten)]
        common: Common,
        #[command(flatten)]
        http: Http,
    },
    /// Create or upgrade the schema in ClickHouse; safe to run again
    Migrate {
        #[command(flatten)]
        common: Common,
    },
    /// Hold the rollups against the facts; safe while events arrive
    #[command(
        after_help = "Ends with 1 and names what differs where anything does. What an ingest that was killed left half \
                      inserted\nmay be told too, until that batch has been consumed again."
    )]
    Verify {
        /// Those of these tables; by default all
        #[arg(value_name = "ROLLUP", value_parser = rollup())]
        rollups: Vec<String>,
        #[command(flatten)]
        common: Common,
    },
    /// Make rollups of the facts anew; safe while events arrive, with answers right throughout
    #[command(
        after_help = "Each needs the disk space of a second copy while it is made. If interrupted, run it again. \
                      Not two at once."
    )]
    Rebuild {
        /// Those of these tables
        #[arg(value_name = "ROLLUP", value_parser = rollup(), required_unless_present = "all")]
        rollups: Vec<String>,
        /// All of them
        #[arg(long, conflicts_with = "rollups")]
        all: bool,
        #[command(flatten)]
        common: Common,
    },
    /// Publish CloudEvents, one JSON object a line
    Produce {
        /// The file, gzipped or not; `-` is standard input
        file: PathBuf,
        #[command(flatten)]
        common: Common,
    },
    /// Publish rejected records again, after a fix, to where they came from
    #[command(
        after_help = "A replay begins where the one before it ended, and takes the letters that are there when it \
                            begins:\nwhat is rejected again waits for the next. Replaying a record that has arrived \
                            meanwhile changes no answer."
    )]
    Replay {
        /// Those of the dead-letter topic
        #[arg(long, required = true)]
        dead_letters: bool,
        /// All of them, also those that were replayed before
        #[arg(long)]
        from_beginning: bool,
        /// Only those rejected for this reason, as the header rollcall_reason_code tells it; may be repeated. The next
        /// replay begins where this one did
        #[arg(long = "reason", value_name = "CODE")]
        reasons: Vec<String>,
        /// Count them by their reasons, and publish nothing
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        common: Common,
    },
    /// One embedded part alone, for development
    #[command(subcommand)]
    Dev(Dev),
    /// The process that the embedded engine runs in
    #[command(hide = true)]
    Engine,
}

/// The names of the rollups' tables.
fn rollup() -> PossibleValuesParser {
    PossibleValuesParser::new(aggregator::rollup_tables())
}

/// The embedded parts.
#[derive(Debug, Subcommand)]
pub(crate) enum Dev {
    /// The embedded ClickHouse engine, with its HTTP and native interfaces
    Clickhouse {
        /// Serve an address that other machines reach, under the password of the ready file
        #[arg(long)]
        allow_remote: bool,
        #[command(flatten)]
        common: Common,
        #[command(flatten)]
        http: Http,
    },
    /// The embedded broker; what it holds is gone when it stops
    Kafka {
        #[command(flatten)]
        common: Common,
    },
}

/// What every command takes.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Common {
    /// Settings, in TOML
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Where embedded parts keep their data; `demo` makes a temporary one unless told
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// A JSON file to write, in one step, once the command serves
    #[arg(long, value_name = "PATH")]
    pub(crate) ready_file: Option<PathBuf>,
}

/// What every command that serves HTTP takes.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Http {
    /// The address to serve HTTP on; port 0 picks a free one
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) http_addr: Option<SocketAddr>,
}
