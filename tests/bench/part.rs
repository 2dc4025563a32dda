//! One part of the stack, as a process, and what it and its descendants cost.

use std::{
    fs,
    process::{Child, Command, ExitStatus},
};

use anyhow::{Context, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

use crate::report::to_f64;

/// The kernel counts a process's time in hundredths of a second.
const TICKS_PER_SECOND: f64 = 100.0;

/// A part that runs. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Part {
    name: &'static str,
    child: Child,
}

/// What the kernel reports about a process.
struct Process {
    id: u32,
    parent: u32,
    /// User and system time, of itself and of its children that have ended and that it has waited for.
    ticks: u64,
}

impl Process {
    /// None where it has ended.
    fn read(id: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        // The name, in brackets, may contain anything. After it are the state, the parent and, as the 12th to 15th field, times.
        let (_, fields) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let times = fields.get(11..15)?.iter().map(|ticks| ticks.parse::<u64>());
        Some(Self {
            id,
            parent: fields.get(1)?.parse().ok()?,
            ticks: times.sum::<Result<u64, _>>().ok()?,
        })
    }

    fn file(&self, name: &str) -> String {
        format!("/proc/{}/{name}", self.id)
    }
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
        kill_process(Pid::from_child(&self.child), Signal::TERM)
            .with_context(|| format!("the {} cannot be asked to end", self.name))?;
        Ok(tokio::task::spawn_blocking(move || self.child.wait()).await??)
    }

    /// Kills the processes that it has started, which it is to start again.
    pub(crate) fn kill_children(&self) -> anyhow::Result<()> {
        for process in self.processes()? {
            if process.parent == self.child.id() {
                let id = Pid::from_raw(process.id.try_into()?).with_context(|| self.unmeasured())?;
                kill_process(id, Signal::KILL)?;
            }
        }
        Ok(())
    }

    /// The time that it and its descendants have spent on processors, in seconds. A descendant that has ended is counted by
    /// the process that waited for it.
    pub(crate) fn cpu_seconds(&self) -> anyhow::Result<f64> {
        let ticks: u64 = self.processes()?.iter().map(|process| process.ticks).sum();
        Ok(to_f64(ticks) / TICKS_PER_SECOND)
    }

    /// The most memory that it has had resident since [`Part::reset_peak`], in MiB: the sum over it and its descendants,
    /// each at its own peak.
    pub(crate) fn peak_mib(&self) -> anyhow::Result<f64> {
        let mut kib = 0;
        for process in self.processes()? {
            let Ok(status) = fs::read_to_string(process.file("status")) else {
                continue; // It has just ended.
            };
            let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            kib += peak.map_or(Ok(0), |peak| peak.trim().trim_end_matches(" kB").parse::<u64>())?;
        }
        Ok(to_f64(kib) / 1024.0)
    }

    /// Makes the kernel count the peak from what is resident now.
    pub(crate) fn reset_peak(&self) -> anyhow::Result<()> {
        for process in self.processes()? {
            let reset = fs::write(process.file("clear_refs"), "5");
            // A descendant may just have ended.
            if process.id == self.child.id() {
                reset.with_context(|| self.unmeasured())?;
            }
        }
        Ok(())
    }

    /// It and its descendants.
    fn processes(&self) -> anyhow::Result<Vec<Process>> {
        let entries = fs::read_dir("/proc").with_context(|| self.unmeasured())?;
        let ids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        let mut others: Vec<Process> = ids.filter_map(Process::read).collect();
        let is_own = |process: &Process| process.id == self.child.id();
        let mut found: Vec<Process> = others.extract_if(.., |process| is_own(process)).collect();
        ensure!(!found.is_empty(), self.unmeasured());
        let mut next = 0;
        while let Some(parent) = found.get(next).map(|process| process.id) {
            found.extend(others.extract_if(.., |process| process.parent == parent));
            next += 1;
        }
        Ok(found)
    }

    fn unmeasured(&self) -> String {
        format!("the {} is not measured: this needs Linux", self.name)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _reaped_already = self.child.wait();
    }
}
