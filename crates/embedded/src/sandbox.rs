//! What the engine's process may open: its own directory, and what every program reads.
//!
//! ClickHouse's rights do not cover everything: the function `file('PATH')` of clickhouse-local is subject to none. So
//! the kernel draws the line, with Landlock (<https://docs.kernel.org/userspace-api/landlock.html>).

use std::path::Path;

use landlock::{
    ABI, Access, AccessFs, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError, RulesetStatus,
    path_beneath_rules,
};

/// The newest rights to files that are asked for, of Linux 6.2. An older kernel applies those that it knows.
const RIGHTS: ABI = ABI::V3;

/// Libraries, time zones, name resolution, and what the system says of itself and of this process. Other processes are
/// not among it: their environment may hold secrets.
const READABLE: [&str; 17] = [
    "/usr",
    "/lib",
    "/lib64",
    "/etc/hosts",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/nsswitch.conf",
    "/etc/resolv.conf",
    "/etc/timezone",
    "/proc/cpuinfo",
    "/proc/loadavg",
    "/proc/meminfo",
    "/proc/self",
    "/proc/stat",
    "/proc/sys",
    "/proc/uptime",
    "/sys",
];

/// Confines this thread, and those that it starts, for good. False where the kernel cannot do it.
pub(crate) fn confine(library: &Path, data: &Path) -> Result<bool, RulesetError> {
    let read = AccessFs::from_read(RIGHTS);
    let everything = AccessFs::from_all(RIGHTS);
    let status = Ruleset::default()
        .handle_access(everything)?
        .create()?
        .add_rules(path_beneath_rules(READABLE, read))?
        .add_rules(path_beneath_rules([library], read))?
        .add_rules(path_beneath_rules(
            ["/dev/null", "/dev/urandom"],
            read | AccessFs::WriteFile,
        ))?
        .add_rules(path_beneath_rules([data], everything))?
        .restrict_self()?;
    Ok(status.ruleset != RulesetStatus::NotEnforced)
}
