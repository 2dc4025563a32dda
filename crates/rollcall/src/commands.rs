//! One module for each command.

mod demo;
mod dev;
mod ingest;
mod migrate;
mod produce;
mod replay;
mod rollups;
mod serve;
mod up;

use crate::cli::{Command, Dev, Http};
use crate::settings::Settings;
use crate::stack::Real;
use crate::telemetry;

/// Runs a command to its end.
///
/// # Errors
/// Where it fails; the message is one line that names the culprit.
pub(crate) async fn run(command: Command) -> anyhow::Result<()> {
    let none = Http::default();
    let (common, http) = match &command {
        Command::Demo { common, http, .. }
        | Command::Up { common, http, .. }
        | Command::Ingest { common, http }
        | Command::Serve { common, http }
        | Command::Dev(Dev::Clickhouse { common, http, .. }) => (common.clone(), http),
        Command::Migrate { common }
        | Command::Verify { common, .. }
        | Command::Rebuild { common, .. }
        | Command::Produce { common, .. }
        | Command::Replay { common, .. }
        | Command::Dev(Dev::Kafka { common }) => (common.clone(), &none),
        Command::Engine => anyhow::bail!("`engine` runs before anything else"),
    };
    let settings = Settings::load(&common, http)?;
    // What a newcomer should see of the demo is what it prints.
    let quiet = matches!(command, Command::Demo { .. });
    telemetry::start_logging(&settings.log, if quiet { "warn" } else { "info" })?;
    let ready_file = common.ready_file.as_deref();
    match command {
        Command::Demo { days, rate, .. } => demo::run(settings, demo::Show { days, rate }, ready_file).await,
        Command::Up {
            kafka, clickhouse, ..
        } => up::run(settings, Real { kafka, clickhouse }, ready_file).await,
        Command::Ingest { .. } => ingest::run(settings, ready_file).await,
        Command::Serve { .. } => serve::run(settings, ready_file).await,
        Command::Migrate { .. } => migrate::run(&settings).await,
        Command::Verify { rollups, .. } => rollups::verify(&settings, &rollups).await,
        Command::Rebuild { rollups, .. } => rollups::rebuild(&settings, &rollups).await,
        Command::Produce { file, .. } => produce::run(&settings, &file).await,
        Command::Replay {
            from_beginning,
            reasons,
            dry_run,
            ..
        } => {
            let choice = replay::Choice {
                from_beginning,
                reasons,
                dry_run,
            };
            replay::run(&settings, &choice).await
        }
        Command::Dev(Dev::Clickhouse { allow_remote, .. }) => {
            dev::clickhouse(settings, allow_remote, ready_file).await
        }
        Command::Dev(Dev::Kafka { .. }) => dev::kafka(&settings, ready_file).await,
        Command::Engine => Ok(()),
    }
}
