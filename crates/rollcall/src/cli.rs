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
        #[command(flatten)]
        options: DemoOptions,
        #[command(flatten)]
        server: ServerOptions,
    },
    /// Broker, engine, ingest and API in one process; real ones instead of embedded ones where given
    Up {
        #[command(flatten)]
        external: ExternalServices,
        #[command(flatten)]
        server: ServerOptions,
    },
    /// From a Kafka topic into ClickHouse, until stopped; its HTTP address serves health and metrics
    Ingest(ServerOptions),
    /// The API over ClickHouse, until stopped
    Serve(ServerOptions),
    /// Create or upgrade the schema in ClickHouse; safe to run again
    Migrate(CommonOptions),
    /// Compare the rollups with the facts; safe while events arrive
    #[command(
        after_help = "Ends with 1 and names what differs if anything does. What an ingest that was killed left half \
                      inserted\nmay be reported too, until that batch has been consumed again."
    )]
    Verify {
        /// Only these tables; by default all
        #[arg(value_name = "ROLLUP", value_parser = rollup())]
        rollups: Vec<String>,
        #[command(flatten)]
        common: CommonOptions,
    },
    /// Make rollups again from the facts; safe while events arrive, with right answers throughout
    #[command(
        after_help = "Each needs the disk space of a second copy while it is rebuilt. If interrupted, run it again. \
                      Do not run two at once."
    )]
    Rebuild {
        /// Only these tables
        #[arg(value_name = "ROLLUP", value_parser = rollup(), required_unless_present = "all")]
        rollups: Vec<String>,
        /// All of them
        #[arg(long, conflicts_with = "rollups")]
        all: bool,
        #[command(flatten)]
        common: CommonOptions,
    },
    /// Publish CloudEvents, one JSON object a line
    Produce {
        /// The file, gzipped or not; `-` is standard input
        file: PathBuf,
        #[command(flatten)]
        common: CommonOptions,
    },
    /// Publish rejected records again, after a fix, to the topics that they came from
    #[command(
        after_help = "A replay begins where the one before it ended, and takes the dead letters that are there by \
                      then:\nwhat is rejected again waits for the next. Replaying a record that has arrived since \
                      changes no answer."
    )]
    Replay {
        #[command(flatten)]
        options: ReplayOptions,
        #[command(flatten)]
        common: CommonOptions,
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
        server: ServerOptions,
    },
    /// The embedded broker; its records are lost when it stops
    Kafka(CommonOptions),
}

/// The size of a demo.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct DemoOptions {
    /// Days of history before now
    #[arg(long, default_value_t = 90, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) days: u32,
    /// Live events a second after the history
    #[arg(long, default_value_t = 5.0, value_name = "N")]
    pub(crate) rate: f64,
}

/// The services that run elsewhere; those not named are embedded.
#[derive(Debug, Default, Args)]
pub(crate) struct ExternalServices {
    /// A real Kafka instead of the embedded broker
    #[arg(long, value_name = "BOOTSTRAP")]
    pub(crate) kafka: Option<String>,
    /// A real ClickHouse instead of the embedded engine
    #[arg(long, value_name = "URL")]
    pub(crate) clickhouse: Option<String>,
}

/// Which dead letters, and whether to publish them.
#[derive(Debug, Args)]
pub(crate) struct ReplayOptions {
    /// Those of the dead-letter topic
    #[arg(long, required = true)]
    dead_letters: bool,
    /// All of them, including those that were replayed before
    #[arg(long)]
    pub(crate) from_beginning: bool,
    /// Only those rejected for this reason, as in the header rollcall_reason_code; may be repeated. The next replay
    /// begins where this one did
    #[arg(long = "reason", value_name = "CODE")]
    pub(crate) reasons: Vec<String>,
    /// Count them by reason, and publish nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// The options of every command.
#[derive(Debug, Default, Args)]
pub(crate) struct CommonOptions {
    /// Settings, in TOML
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Where embedded parts keep their data; by default `demo` uses a temporary directory
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// A JSON file to write, in one step, once the command serves
    #[arg(long, value_name = "PATH")]
    pub(crate) ready_file: Option<PathBuf>,
}

/// The options of every command that serves HTTP.
#[derive(Debug, Args)]
pub(crate) struct ServerOptions {
    #[command(flatten)]
    pub(crate) common: CommonOptions,
    /// The address to serve HTTP on; port 0 picks a free one
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) http_addr: Option<SocketAddr>,
}
