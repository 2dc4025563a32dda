//! Exact chat analytics: Kafka in, ClickHouse rollups, three endpoints out. In reading order:
//!
//! - [`cli`], [`settings`]: what is asked for, and how it is configured
//! - [`commands`]: one module for each command
//! - [`stack`]: the parts of `up` and `demo`, embedded or real
//! - [`api`], [`ingestion`]: the two roles: answering, and keeping the rollups
//! - [`engine`]: the embedded engine, fetched and opened
//! - [`key`], [`ready`], [`shutdown`], [`telemetry`], [`progress`], [`clock`]: what every command needs

mod api;
mod cli;
mod clock;
mod commands;
mod engine;
mod ingestion;
mod key;
mod progress;
mod ready;
mod settings;
mod shutdown;
mod stack;
mod telemetry;

use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use embedded::Engine;
use tokio::runtime::Runtime;

fn main() -> ExitCode {
    let command = cli::Cli::parse().command;
    let ended = Runtime::new()
        .context("cannot start threads")
        .and_then(|runtime| {
            // Of all commands the largest decides how large this future is: too large for the stack.
            let ended = runtime.block_on(Box::pin(commands::run(command)));
            // An engine has to be closed before the process exits. Nothing else is waited for: a call to Kafka may block
            // for long, and so may the fetch of the engine.
            if Engine::is_open() {
                drop(runtime);
            } else {
                runtime.shutdown_timeout(shutdown::LAST_MOMENT);
            }
            ended
        });
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("rollcall: {error:#}");
            ExitCode::FAILURE
        }
    }
}
