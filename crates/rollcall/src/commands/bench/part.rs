//! One part of the stack, as a process.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, bail};

use crate::ready::Ready;

/// How long a part may take to start: the first start of all fetches the engine.
const PATIENCE: Duration = Duration::from_secs(300);
const GLANCE: Duration = Duration::from_millis(20);
/// The kernel counts a process's time in hundredths of a second.
const TICKS_PER_SECOND: f64 = 100.0;

/// A part that runs. Dropping it ends it.
#[derive(Debug)]
pub(super) struct Part {
    name: &'static str,
    child: Child,
    pub(super) ready: Ready,
}

impl Part {
    /// Starts this program again with the arguments, and waits until it serves.
    pub(super) async fn start(
        name: &'static str,
        args: &[&str],
        variables: &[(String, String)],
        dir: &Path,
    ) -> anyhow::Result<Self> {
        let ready_file = dir.join(format!("{name}.json"));
        let mut child = command(args, variables)?
            .arg("--ready-file")
            .arg(&ready_file)
            .spawn()?;
        let deadline = Instant::now() + PATIENCE;
        let ready = loop {
            if let Ok(text) = std::fs::read(&ready_file) {
                break serde_json::from_slice(&text)?;
            }
            if let Some(status) = child.try_wait()? {
                bail!("the {name} ended: {status}");
            }
            if Instant::now() > deadline {
                let _ended = child.kill();
                bail!("the {name} did not start within {PATIENCE:?}");
            }
            tokio::time::sleep(GLANCE).await;
        };
        Ok(Self { name, child, ready })
    }

    /// The time that its threads have spent on processors, in seconds.
    pub(super) fn cpu_seconds(&self) -> anyhow::Result<f64> {
        let stat = self.proc("stat")?;
        // The name, in brackets, may hold anything; user and system time are the 12th and 13th field after it.
        let fields = stat
            .rsplit_once(')')
            .map_or("", |(_, fields)| fields)
            .split_whitespace();
        let ticks = fields
            .skip(11)
            .take(2)
            .map(str::parse::<u32>)
            .sum::<Result<u32, _>>()?;
        Ok(f64::from(ticks) / TICKS_PER_SECOND)
    }

    /// The most memory that it has had resident, in MiB.
    pub(super) fn peak_mib(&self) -> anyhow::Result<u64> {
        let status = self.proc("status")?;
        let peak = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .context("no VmHWM")?;
        let kib: u64 = peak.trim().trim_end_matches(" kB").parse()?;
        Ok(kib / 1024)
    }

    fn proc(&self, file: &str) -> anyhow::Result<String> {
        let path = format!("/proc/{}/{file}", self.child.id());
        std::fs::read_to_string(&path).with_context(|| format!("the {} is not measured: {path}", self.name))
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _reaped_already = self.child.wait();
    }
}

/// Runs this program with the arguments to its end.
pub(super) async fn run_once(args: &[&str], variables: &[(String, String)]) -> anyhow::Result<()> {
    let mut command = command(args, variables)?;
    let status = tokio::task::spawn_blocking(move || command.status()).await??;
    if !status.success() {
        bail!("rollcall {} failed", args.join(" "));
    }
    Ok(())
}

fn command(args: &[&str], variables: &[(String, String)]) -> anyhow::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args(args)
        .env("ROLLCALL__LOG__FILTER", "warn")
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    for (name, value) in variables {
        command.env(name, value);
    }
    Ok(command)
}
