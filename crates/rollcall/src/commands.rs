//! The commands.

mod check;
mod demo;
mod dev;
mod export;
mod forget;
mod keys;
mod migrate;
mod produce;
mod replay;
mod roles;
mod rollups;
mod status;
mod up;

use crate::{
    cli::{Command, CommonOptions, Dev},
    ready::Ready,
    settings::Settings,
    telemetry,
};

/// The headers of an event that a command publishes.
const EVENT_HEADERS: [(&str, Option<&[u8]>); 1] = [("content-type", Some(b"application/cloudevents+json"))];

/// Runs a command to its end.
///
/// # Errors
/// Where it fails; the message is one line that names the culprit.
pub(crate) async fn run(command: Command) -> anyhow::Result<()> {
    let common = command.common();
    let mut settings = Settings::load(&common)?;
    let mut has_kafka = true;
    if let Some(data_dir) = common.data_dir.as_deref().filter(|_| common.is_client) {
        let running = Ready::of_running(data_dir, command.needs_kafka())?;
        has_kafka = running.bootstrap_servers.is_some() || settings.named.kafka.is_some();
        settings.use_running(running);
    }
    if command.uses_kafka() {
        consumer::check_clients(&settings.kafka)?;
    }
    let filter = match command {
        // What a newcomer should see of the demo is what it prints.
        Command::Demo { .. } => "warn",
        // What is wrong is in the status.
        Command::Status { .. } => "error",
        _ => "info",
    };
    telemetry::start_logging(&settings.log, filter)?;
    let ready_file = common.ready_file.as_deref();
    Ready::remove_stale(ready_file)?;
    match command {
        Command::Demo { options, .. } => demo::run(settings, options, ready_file).await,
        Command::Up { external, .. } => up::run(settings, external, ready_file).await,
        Command::Ingest(_) => roles::ingest(settings, ready_file).await,
        Command::Serve(_) => roles::serve(settings, ready_file).await,
        Command::Migrate(_) => migrate::run(&settings).await,
        Command::Keys(command) => keys::run(&settings, command).await,
        Command::Forget { options, .. } => forget::run(&settings, &options).await,
        Command::Status { options, .. } => {
            let kafka = has_kafka.then_some(&settings.kafka);
            status::run(&settings, kafka, &options).await
        }
        Command::Check { options, .. } => check::run(&settings, &options).await,
        Command::Export { options, .. } => export::run(&settings, &options).await,
        Command::Verify { rollups, .. } => rollups::verify(&settings, &rollups).await,
        Command::Rebuild { rollups, .. } => rollups::rebuild(&settings, &rollups).await,
        Command::Produce { options, .. } => produce::run(&settings, &options).await,
        Command::Replay { options, .. } => replay::run(&settings, &options).await,
        Command::Config { .. } => print_settings(&common),
        Command::Dev(Dev::Clickhouse { allow_remote, .. }) => {
            dev::clickhouse(settings, common.http_addr, allow_remote, ready_file).await
        }
        Command::Dev(Dev::Cluster { shards, .. }) => dev::cluster(&settings, shards, ready_file).await,
        Command::Dev(Dev::Kafka(_)) => dev::kafka(&settings, ready_file).await,
        Command::Engine => anyhow::bail!("`engine` runs before anything else"),
    }
}

#[expect(clippy::print_stdout, reason = "the settings are the output of this command")]
fn print_settings(common: &CommonOptions) -> anyhow::Result<()> {
    print!("{}", Settings::effective(common)?);
    Ok(())
}
