//! Exact chat analytics: Kafka in, ClickHouse rollups, three endpoints out. In reading order:
//!
//! - [`cli`], [`settings`]: what is asked for, and how it is configured
//! - [`commands`]: one module for each command
//! - [`stack`]: the parts of `up` and `demo`, embedded or real
//! - [`api`], [`ingestion`]: the two roles: answering, and keeping the rollups
//! - [`engine`]: the embedded engine, fetched and started
//! - [`secret`], [`ready`], [`shutdown`], [`telemetry`], [`progress`], [`clock`]: what every command needs

mod api;
mod cli;
mod clock;
mod commands;
mod engine;
mod ingestion;
mod progress;
mod ready;
mod secret;
mod settings;
mod shutdown;
mod stack;
mod telemetry;

use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use tokio::runtime::Runtime;

fn main() -> ExitCode {
    let command = cli::Cli::parse().command;
    let ended = match command {
        // The library has threads of its own: none of ours run next to it.
        cli::Command::Engine => embedded::run_engine().map_err(anyhow::Error::msg),
        command => run(command),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("rollcall: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: cli::Command) -> anyhow::Result<()> {
    Runtime::new()
        .context("cannot start threads")
        .and_then(|runtime| {
            // Of all commands the largest decides how large this future is: too large for the stack.
            let ended = runtime.block_on(Box::pin(commands::run(command)));
            // A call to Kafka may block for long, and so may the fetch of the engine: neither is waited for.
            runtime.shutdown_timeout(shutdown::RUNTIME_SHUTDOWN_TIMEOUT);
            ended
        })
}
