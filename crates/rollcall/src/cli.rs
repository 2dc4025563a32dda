//! The command line.

use std::{net::SocketAddr, path::PathBuf};

use adapters::{DEFAULT_OPERATIONS, Format, Mapping, Tags};
use clap::{Args, Parser, Subcommand, ValueEnum, builder::PossibleValuesParser, value_parser};

use crate::api::parse_addr;

mod check;
mod export;
mod forget;
mod keys;

pub(crate) use check::{CheckOptions, CheckedRole};
pub(crate) use export::ExportOptions;
pub(crate) use forget::ForgetOptions;
pub(crate) use keys::{KeysCommand, NewKey};

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
    Migrate(ClientOptions),
    /// API keys: create, list and revoke them while the API runs
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Erase what a user said and registered up to now, and keep it from coming back
    #[command(
        after_help = "Whole conversations go in which nobody else spoke; what comes later counts. Safe to interrupt and to \
                      run again,\nand while events arrive. Kafka's own copy is not touched: its retention decides."
    )]
    Forget {
        #[command(flatten)]
        options: ForgetOptions,
        #[command(flatten)]
        client: ClientOptions,
    },
    /// Show how far ingestion is, what is stored and how fast that grows, and dead letters by reason; changes nothing
    #[command(
        after_help = "Ends with 1 where a part is not known or not as it should be, and shows the others all the same."
    )]
    Status {
        #[command(flatten)]
        options: StatusOptions,
        #[command(flatten)]
        client: ClientOptions,
    },
    /// Write an organisation's answers, or all of its messages, to a file or to standard output
    #[command(
        after_help = "Safe while events arrive. With --output the file is there once it is whole: an export that fails or \
                      is stopped leaves\nnone, and the file of the one before. docs/export.md has the columns."
    )]
    Export {
        #[command(flatten)]
        options: ExportOptions,
        #[command(flatten)]
        client: ClientOptions,
    },
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
        client: ClientOptions,
    },
    /// Make rollups again from the facts; safe while events arrive, with right answers throughout
    #[command(
        after_help = "Each needs the disk space of a second copy while it is rebuilt. If interrupted, run it again."
    )]
    Rebuild {
        /// Only these tables
        #[arg(value_name = "ROLLUP", value_parser = rollup(), required_unless_present = "all")]
        rollups: Vec<String>,
        /// All of them
        #[arg(long, conflicts_with = "rollups")]
        all: bool,
        #[command(flatten)]
        client: ClientOptions,
    },
    /// Publish events, one JSON object a line: CloudEvents, or what OpenTelemetry or Langfuse exported
    #[command(
        after_help = "A file with a line that ingest would reject is not published at all. Standard input is published \
                      up to\nthe first such line. Events of types that are none of Rollcall's are published, with a \
                      warning.\nWith the other formats the same export gives the same events, however often it is \
                      published;\ndocs/events.md has what each field becomes."
    )]
    Produce {
        #[command(flatten)]
        options: ProduceOptions,
        #[command(flatten)]
        client: ClientOptions,
    },
    /// Publish rejected records again, after a fix, to the topic that they came from
    #[command(
        after_help = "A replay begins where the one before it ended, and takes the dead letters that are there by \
                      then:\nwhat is rejected again waits for the next. Replaying a record that has arrived since \
                      changes no answer.\nWhat is left alone is counted by cause, and passed: --from-beginning \
                      returns to it."
    )]
    Replay {
        #[command(flatten)]
        options: ReplayOptions,
        #[command(flatten)]
        client: ClientOptions,
    },
    /// Check that what commands use is there, and that all rights are granted; changes nothing
    #[command(
        after_help = "Ends with 1 if anything is missing. Run it with the settings of the command that it checks."
    )]
    Check {
        #[command(flatten)]
        options: CheckOptions,
        #[command(flatten)]
        client: ClientOptions,
    },
    /// Print every setting in effect and where it comes from; secrets are masked
    #[command(after_help = "What is printed can be read again with --config, but for the secrets.")]
    Config {
        /// Settings, in TOML
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// One embedded part alone, for development
    #[command(subcommand)]
    Dev(Dev),
    /// The process that the embedded engine runs in
    #[command(hide = true)]
    Engine,
}

/// The tables that are verified and rebuilt.
fn rollup() -> PossibleValuesParser {
    PossibleValuesParser::new(aggregator::verified_tables())
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
    /// Several embedded engines as the shards of one ClickHouse cluster
    Cluster {
        /// How many shards it has, of one engine each
        #[arg(long, value_name = "N", default_value_t = 3, value_parser = value_parser!(u8).range(1..=16))]
        shards: u8,
        #[command(flatten)]
        service: ServiceOptions,
    },
    /// The embedded broker; its records are lost when it stops
    Kafka(ServiceOptions),
}

/// The size of a demo.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct DemoOptions {
    /// Days of history before now
    #[arg(long, default_value_t = 90, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) days: u32,
    /// Live events a second after the history
    #[arg(long, default_value_t = 5.0, value_name = "N", value_parser = parse_rate)]
    pub(crate) rate: f64,
}

/// More events a second than the embedded parts can take, on any machine.
const MAX_RATE: f64 = 100_000.0;

/// # Errors
/// Where it is not a rate that can be published.
fn parse_rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok().filter(|rate| (0.0..=MAX_RATE).contains(rate));
    rate.ok_or_else(|| format!("must be a number from 0 to {MAX_RATE}"))
}

/// What to publish.
#[derive(Debug, Args)]
pub(crate) struct ProduceOptions {
    /// The file, gzipped or not; `-` is standard input
    pub(crate) file: PathBuf,
    /// Publish every line, including those that ingest will reject; lines that another format has no events for are
    /// left out
    #[arg(long)]
    pub(crate) force: bool,
    /// What the lines are: CloudEvents; OTLP JSON with the GenAI conventions, as the OpenTelemetry Collector's file
    /// exporter writes it; traces or observations of Langfuse
    #[arg(long, value_enum, default_value_t = LineFormat::Cloudevents)]
    pub(crate) format: LineFormat,
    #[command(flatten)]
    pub(crate) mapping: MappingOptions,
}

/// What the lines of a file are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LineFormat {
    Cloudevents,
    OtelGenai,
    Langfuse,
}

/// What the options of formats other than CloudEvents are under in the help.
const OF_EXPORTS: &str = "Options of otel-genai and langfuse";

/// How lines of formats other than CloudEvents become events.
#[derive(Debug, Args)]
pub(crate) struct MappingOptions {
    /// The organisation of what does not name one itself
    #[arg(long, help_heading = OF_EXPORTS)]
    org: Option<String>,
    /// The attribute that names the organisation: of the span, log record or resource; with langfuse a key of metadata
    #[arg(long, value_name = "NAME", help_heading = OF_EXPORTS)]
    org_attribute: Option<String>,
    /// The attribute that names the mentor [default: gen_ai.agent.id, with langfuse mentor_id]
    #[arg(long, value_name = "NAME", help_heading = OF_EXPORTS)]
    mentor_attribute: Option<String>,
    /// otel-genai: take the spans of this gen_ai.operation.name; may be repeated [default: chat, generate_content,
    /// text_completion]
    #[arg(long = "operation", value_name = "NAME", help_heading = OF_EXPORTS)]
    operations: Vec<String>,
    /// langfuse: the tags of a trace are the topics of its conversation, with a neutral sentiment
    #[arg(long, help_heading = OF_EXPORTS)]
    tags_as_topics: bool,
}

impl ProduceOptions {
    /// How lines become events; none where they are events already.
    ///
    /// # Errors
    /// Where an option says nothing in this format, or none says which organisation the events belong to.
    pub(crate) fn mapping(&self) -> anyhow::Result<Option<Mapping>> {
        let options = &self.mapping;
        let for_otel = ("--operation", !options.operations.is_empty());
        let for_langfuse = ("--tags-as-topics", options.tags_as_topics);
        let (format, others) = match self.format {
            LineFormat::Cloudevents => (
                None,
                vec![
                    ("--org", options.org.is_some()),
                    ("--org-attribute", options.org_attribute.is_some()),
                    ("--mentor-attribute", options.mentor_attribute.is_some()),
                    for_otel,
                    for_langfuse,
                ],
            ),
            LineFormat::OtelGenai => (Some(Format::OtelGenai), vec![for_langfuse]),
            LineFormat::Langfuse => (Some(Format::Langfuse), vec![for_otel]),
        };
        if let Some((name, _)) = others.into_iter().find(|(_, is_given)| *is_given) {
            anyhow::bail!("{name} says nothing with this --format");
        }
        let Some(format) = format else {
            return Ok(None);
        };
        anyhow::ensure!(
            options.org.is_some() || options.org_attribute.is_some(),
            "--org or --org-attribute is missing: lines of this --format name no organisation by themselves"
        );
        let operations = if options.operations.is_empty() {
            DEFAULT_OPERATIONS.map(str::to_owned).to_vec()
        } else {
            options.operations.clone()
        };
        Ok(Some(Mapping {
            format,
            org: options.org.clone(),
            org_attribute: options.org_attribute.clone(),
            mentor_attribute: options.mentor_attribute.clone(),
            operations,
            tags: if options.tags_as_topics {
                Tags::Topics
            } else {
                Tags::Ignored
            },
        }))
    }
}

/// The services that run elsewhere; those not named are embedded.
#[derive(Debug, Default, Args)]
pub(crate) struct ExternalServices {
    /// A real Kafka instead of the embedded broker
    #[arg(long, value_name = "BOOTSTRAP")]
    pub(crate) kafka: Option<String>,
    /// A real ClickHouse instead of the embedded engine; several nodes are comma-separated
    #[arg(long, value_name = "URL")]
    pub(crate) clickhouse: Option<String>,
}

/// Which dead letters, and whether to publish them.
#[derive(Debug, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an option of the command line"
)]
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
    /// Also those that came from other topics than kafka.topic, each to the topic that it names; by default they are left
    /// alone
    #[arg(long)]
    pub(crate) any_topic: bool,
    /// Count them by reason, and publish nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// How a status is shown.
#[derive(Debug, Args)]
pub(crate) struct StatusOptions {
    /// As a JSON object, whose fields docs/status.md explains
    #[arg(long)]
    pub(crate) json: bool,
}

/// The options of a command that serves something.
#[derive(Debug, Args)]
pub(crate) struct ServiceOptions {
    /// Settings, in TOML
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where embedded parts keep their data; by default `demo` uses a temporary directory
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// A JSON file to write, in one step, once the command serves
    #[arg(long, value_name = "PATH")]
    ready_file: Option<PathBuf>,
}

/// The options of every command that serves HTTP.
#[derive(Debug, Args)]
pub(crate) struct ServerOptions {
    #[command(flatten)]
    service: ServiceOptions,
    /// The address to serve HTTP on; port 0 picks a free one
    #[arg(long, value_name = "HOST:PORT", value_parser = parse_addr)]
    http_addr: Option<SocketAddr>,
}

/// The options of a command that uses Kafka or ClickHouse and serves nothing.
#[derive(Debug, Args)]
pub(crate) struct ClientOptions {
    /// Settings, in TOML
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The data directory of a running `up`, `demo`, `dev clickhouse` or `dev cluster`, whose Kafka and ClickHouse are used
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

/// The options that mean the same in every command that has them.
#[derive(Debug, Clone, Default)]
pub(crate) struct CommonOptions {
    pub(crate) config: Option<PathBuf>,
    pub(crate) data_dir: Option<PathBuf>,
    pub(crate) ready_file: Option<PathBuf>,
    pub(crate) http_addr: Option<SocketAddr>,
    /// Whether the data directory is that of another process.
    pub(crate) is_client: bool,
}

impl Command {
    /// Whether it has clients of Kafka.
    pub(crate) fn uses_kafka(&self) -> bool {
        if let Self::Check { options, .. } = self {
            return options.roles.iter().any(|role| role.in_kafka().is_some());
        }
        matches!(
            self,
            Self::Demo { .. }
                | Self::Up { .. }
                | Self::Ingest(_)
                | Self::Produce { .. }
                | Self::Replay { .. }
                | Self::Status { .. }
        )
    }

    /// Whether it cannot do without Kafka.
    pub(crate) fn needs_kafka(&self) -> bool {
        self.uses_kafka() && !matches!(self, Self::Status { .. })
    }

    /// The options that mean the same in every command that has them.
    pub(crate) fn common(&self) -> CommonOptions {
        match self {
            Self::Demo { server, .. }
            | Self::Up { server, .. }
            | Self::Ingest(server)
            | Self::Serve(server)
            | Self::Dev(Dev::Clickhouse { server, .. }) => CommonOptions {
                http_addr: server.http_addr,
                ..server.service.common()
            },
            Self::Dev(Dev::Kafka(service) | Dev::Cluster { service, .. }) => service.common(),
            Self::Keys(keys) => keys.client().common(),
            Self::Migrate(client)
            | Self::Forget { client, .. }
            | Self::Export { client, .. }
            | Self::Check { client, .. }
            | Self::Verify { client, .. }
            | Self::Rebuild { client, .. }
            | Self::Produce { client, .. }
            | Self::Replay { client, .. }
            | Self::Status { client, .. } => client.common(),
            Self::Config { config } => CommonOptions {
                config: config.clone(),
                ..CommonOptions::default()
            },
            Self::Engine => CommonOptions::default(),
        }
    }
}

impl ClientOptions {
    fn common(&self) -> CommonOptions {
        CommonOptions {
            config: self.config.clone(),
            data_dir: self.data_dir.clone(),
            is_client: true,
            ..CommonOptions::default()
        }
    }
}

impl ServiceOptions {
    fn common(&self) -> CommonOptions {
        CommonOptions {
            config: self.config.clone(),
            data_dir: self.data_dir.clone(),
            ready_file: self.ready_file.clone(),
            ..CommonOptions::default()
        }
    }
}
