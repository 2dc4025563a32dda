//! `rollcall export`

mod output;

use std::{
    io::{self, ErrorKind, IsTerminal},
    time::{Duration, Instant},
};

use aggregator::{Store, migrate::Access};
use anyhow::{Context, bail, ensure};
use futures::TryStreamExt;
use indicatif::ProgressBar;
use query::{Form, export::Parts};
use tracing::info;

use crate::{cli::ExportOptions, progress, settings::Settings, shutdown::Tasks};
use output::Output;

/// How often the log says how far it is, where no bar shows it.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// Writes what is asked for.
///
/// # Errors
/// Where options contradict each other, the organisation does not exist, ClickHouse does not answer, or nothing can be written.
#[expect(clippy::print_stdout, reason = "what was done is the output of this command")]
pub(crate) async fn run(settings: &Settings, options: &ExportOptions) -> anyhow::Result<()> {
    let (export, form) = (options.export()?, options.form());
    let to_terminal = options.output.is_none() && io::stdout().is_terminal();
    ensure!(
        !(to_terminal && form == Form::Parquet),
        "Parquet is not for terminals: name a file with --output"
    );
    let tasks = Tasks::new()?;
    let store = Store::new(&settings.clickhouse);
    let at = || format!("ClickHouse at {}", settings.clickhouse.url);
    let exists = tasks
        .unless_stopped(exists(settings, &store, &options.org))
        .await
        .with_context(at)?;
    match exists {
        Some(true) => {}
        Some(false) => bail!(
            "org {} does not exist: no event of it has arrived, and auth.orgs does not name it",
            options.org
        ),
        None => return Ok(()),
    }

    let output = Output::open(options.output.as_deref())?;
    let parts = export.parts(&store, &options.org, form);
    let mut progress = Progress::new(options.rows(), to_terminal);
    let written = tasks.unless_stopped(write(parts, output, &mut progress)).await;
    progress.bar.finish_and_clear();
    match written {
        Ok(Some(())) => {
            if let Some(file) = &options.output {
                println!(
                    "exported {} {} to {}",
                    progress.rows,
                    options.rows(),
                    file.display()
                );
            }
            Ok(())
        }
        Ok(None) => bail!("stopped before the end: the export is not whole"),
        // Who reads has enough.
        Err(Unwritten::Output(error)) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        Err(Unwritten::Output(error)) => Err(error).context("cannot write the export"),
        Err(Unwritten::Store(error)) => Err(error).with_context(at).context("the export is not whole"),
    }
}

/// Whether there is anything to be said about an organisation.
async fn exists(settings: &Settings, store: &Store, org: &str) -> Result<bool, aggregator::Error> {
    store.require_schema(Access::Read).await?;
    Ok(settings.query().orgs.contains(org) || store.org_exists(org).await?)
}

/// Why an export is not whole.
enum Unwritten {
    Store(aggregator::Error),
    Output(io::Error),
}

/// Writes all parts, one after the other.
async fn write(mut parts: Parts, mut output: Output, progress: &mut Progress) -> Result<(), Unwritten> {
    while let Some(part) = parts.try_next().await.map_err(Unwritten::Store)? {
        output = output.write(part.bytes).await.map_err(Unwritten::Output)?;
        progress.add(part.rows);
    }
    output.finish().await.map_err(Unwritten::Output)
}

/// How far an export is.
struct Progress {
    bar: ProgressBar,
    /// What is counted, in the plural.
    what: &'static str,
    rows: usize,
    logged: Instant,
}

impl Progress {
    fn new(what: &'static str, to_terminal: bool) -> Self {
        let message = format!("exporting {what}");
        Self {
            // It would be drawn into what is exported.
            bar: if to_terminal {
                ProgressBar::hidden()
            } else {
                progress::spinner(&message)
            },
            what,
            rows: 0,
            logged: Instant::now(),
        }
    }

    fn add(&mut self, rows: usize) {
        self.rows += rows;
        let so_far = format!("exported {} {} so far", self.rows, self.what);
        if self.bar.is_hidden() && self.logged.elapsed() > LOG_INTERVAL {
            self.logged = Instant::now();
            info!("{so_far}");
        }
        self.bar.set_message(so_far);
    }
}
