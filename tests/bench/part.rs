//! One part of the stack, as a process, and what it costs.

use std::{
    fs,
    process::{Child, Command, ExitStatus},
};

use anyhow::{Context, bail};

/// The kernel counts a process's time in hundredths of a second.
const TICKS_PER_SECOND: f64 = 100.0;

/// A part that runs. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Part {
    name: &'static str,
    child: Child,
}

impl Part {
    /// Starts it.
    pub(crate) fn start(name: &'static str, command: &mut Command) -> anyhow::Result<Self> {
        let child = command
            .spawn()
            .with_context(|| format!("the {name} does not start"))?;
        Ok(Self { name, child })
    }

    /// An error where it has ended.
    pub(crate) fn check(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("the {} ended: {status}", self.name),
        }
    }

    /// Asks it to end, and waits until it has.
    pub(crate) async fn end(mut self) -> anyhow::Result<ExitStatus> {
        let asked = Command::new("kill").arg(self.child.id().to_string()).status()?;
        if !asked.success() {
            bail!("the {} cannot be asked to end", self.name);
        }
        Ok(tokio::task::spawn_blocking(move || self.child.wait()).await??)
    }

    /// The time that its threads and those of its children have spent on processors, in seconds.
    pub(crate) fn cpu_seconds(&self) -> anyhow::Result<f64> {
        let mut ticks = 0;
        for pid in self.pids() {
            let stat = fs::read_to_string(proc(pid, "stat")).with_context(|| self.unmeasured())?;
            // The name, in brackets, may hold anything; user and system time are the 12th and 13th field after it.
            let fields = stat
                .rsplit_once(')')
                .map_or("", |(_, fields)| fields)
                .split_whitespace();
            ticks += fields
                .skip(11)
                .take(2)
                .map(str::parse::<u32>)
                .sum::<Result<u32, _>>()?;
        }
        Ok(f64::from(ticks) / TICKS_PER_SECOND)
    }

    /// Its process and the children of that: the embedded engine is one.
    fn pids(&self) -> Vec<u32> {
        let mut pids = vec![self.child.id()];
        let threads = fs::read_dir(proc(self.child.id(), "task"));
        for thread in threads.into_iter().flatten().flatten() {
            let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            pids.extend(
                children
                    .split_whitespace()
                    .filter_map(|pid| pid.parse::<u32>().ok()),
            );
        }
        pids
    }

    /// The most memory that it has had resident since [`Part::forget_peak`], in MiB.
    pub(crate) fn peak_mib(&self) -> anyhow::Result<f64> {
        let mut kib = 0;
        for pid in self.pids() {
            let status = fs::read_to_string(proc(pid, "status")).with_context(|| self.unmeasured())?;
            let peak = status
                .lines()
                .find_map(|line| line.strip_prefix("VmHWM:"))
                .with_context(|| self.unmeasured())?;
            kib += peak.trim().trim_end_matches(" kB").parse::<u32>()?;
        }
        Ok(f64::from(kib) / 1024.0)
    }

    /// Has the kernel take what it has resident now for its peak.
    pub(crate) fn forget_peak(&self) -> anyhow::Result<()> {
        for pid in self.pids() {
            fs::write(proc(pid, "clear_refs"), "5").with_context(|| self.unmeasured())?;
        }
        Ok(())
    }

    fn unmeasured(&self) -> String {
        format!("the {} is not measured: this needs Linux", self.name)
    }
}

fn proc(pid: u32, file: &str) -> String {
    format!("/proc/{pid}/{file}")
}

impl Drop for Part {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _reaped_already = self.child.wait();
    }
}
