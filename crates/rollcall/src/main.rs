//! Exact chat analytics: Kafka in, ClickHouse rollups, three endpoints out. In reading order:
//!
//! - [`cli`], [`settings`]: the command line, and the settings
//! - [`commands`]: what each command does
//! - [`stack`]: the parts of `up` and `demo`, embedded or external
//! - [`api`], [`ingestion`]: the two roles: answering, and keeping the rollups
//! - [`keys`]: the API keys that are kept in ClickHouse, read again and again
//! - [`server`]: connections of HTTP
//! - [`engine`]: the embedded engine, fetched and started
//! - [`secret`], [`ready`], [`shutdown`], [`telemetry`], [`progress`], [`clock`]: what every command needs

mod api;
mod cli;
mod clock;
mod commands;
mod engine;
mod ingestion;
mod keys;
mod progress;
mod ready;
mod secret;
mod server;
mod settings;
mod shutdown;
mod stack;
mod telemetry;

use std::{io::Write, process::ExitCode};

use anyhow::Context;
use clap::Parser;
use tokio::runtime::Runtime;

fn main() -> ExitCode {
    let command = cli::Cli::parse().command;
    let ended = match command {
        // The library has threads of its own, so it gets a process without our runtime.
        cli::Command::Engine => embedded::run_engine().map_err(anyhow::Error::msg),
        command => run(command),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Where the terminal is gone, there is nobody to tell.
            drop(writeln!(std::io::stderr(), "rollcall: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(command: cli::Command) -> anyhow::Result<()> {
    server::raise_file_limit();
    let runtime = Runtime::new().context("cannot start threads")?;
    // This future is as large as that of the largest command: too large for the stack.
    let ended = runtime.block_on(Box::pin(commands::run(command)));
    // Calls to Kafka and the fetch of the engine may block for long: they are not waited for.
    runtime.shutdown_timeout(shutdown::RUNTIME_SHUTDOWN_TIMEOUT);
    ended
}
