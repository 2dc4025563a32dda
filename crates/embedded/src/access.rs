//! The engine's configuration: bounds that fit a laptop, and who may do what.
//!
//! Two users. `rollcall`, with a password, has the rights to make, fill and read tables, and none that reach out of
//! the engine: no file, URL, bucket or other server, neither as a table function nor as the engine of a table or of
//! a database, no dictionary, and no other disk. (The scalar function `file` is subject to no right, so the kernel
//! confines the process: `sandbox`.) `default`, without a password, is the user of the library's own session, which
//! starts the listeners. It can have one session at a time, which is that one, so nobody can log in as it; and it has
//! no other right.

use std::{
    fs,
    io::{self, Write},
    net::Ipv4Addr,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::Path,
};

use sha2::{Digest, Sha256};

/// The user that clients log in as.
pub(crate) const USER: &str = "rollcall";

/// The name of a cluster of engines in the configuration of each.
pub(crate) const CLUSTER: &str = "rollcall";

/// The engine's configuration, next to which [`USERS_FILE`] is.
pub(crate) const CONFIG_FILE: &str = "config.xml";

const USERS_FILE: &str = "users.xml";

/// Settings of the server: <https://clickhouse.com/docs/operations/server-configuration-parameters/settings>.
/// No table of `system.*_log` is named, so none is written.
///
/// How parts are merged: on the library's two threads, the large merges of one table held up those of all others under
/// a flood, and parts kept growing; more threads than these take the cores from the inserts. What waits for a thread
/// is merged smallest first, since small parts are what there are many of.
const CONFIG: &str = "
    <users_config>users.xml</users_config>
    <access_control_improvements>
        <table_engines_require_grant>true</table_engines_require_grant>
    </access_control_improvements>
    <max_server_memory_usage_to_ram_ratio>0.5</max_server_memory_usage_to_ram_ratio>
    <mark_cache_size>268435456</mark_cache_size>
    <background_pool_size>3</background_pool_size>
    <background_merges_mutations_concurrency_ratio>4</background_merges_mutations_concurrency_ratio>
    <background_merges_mutations_scheduling_policy>shortest_task_first</background_merges_mutations_scheduling_policy>
";

/// What `rollcall` may do on every table.
const RIGHTS: &str = "SELECT, INSERT, ALTER TABLE, ALTER VIEW, CREATE DATABASE, CREATE TABLE, CREATE VIEW, \
                      CREATE TEMPORARY TABLE, CREATE ARBITRARY TEMPORARY TABLE, DROP DATABASE, DROP TABLE, DROP VIEW, \
                      TRUNCATE, OPTIMIZE, CHECK, SHOW, KILL QUERY, SYSTEM MERGES, SYSTEM FLUSH, SYSTEM DROP CACHE";

/// The engines of tables that `rollcall` may make: those that keep their data inside.
const ENGINES: [&str; 13] = [
    "MergeTree",
    "ReplacingMergeTree",
    "AggregatingMergeTree",
    "SummingMergeTree",
    "CollapsingMergeTree",
    "VersionedCollapsingMergeTree",
    "CoalescingMergeTree",
    "Distributed",
    "Log",
    "Memory",
    "Null",
    "Set",
    "Join",
];

/// An engine's place among the shards of a cluster.
#[derive(Debug, Clone)]
pub struct Member {
    /// The ports of the native interfaces, shard by shard.
    native_ports: Vec<u16>,
    /// Which of the shards this is.
    shard: usize,
}

impl Member {
    pub(crate) fn new(native_ports: Vec<u16>, shard: usize) -> Self {
        Self { native_ports, shard }
    }

    pub(crate) fn native_port(&self) -> u16 {
        self.native_ports.get(self.shard).copied().unwrap_or_default()
    }

    /// The part of the engine's configuration that names the shards.
    fn config(&self, user: &str, password: &str) -> String {
        let host = Ipv4Addr::LOCALHOST;
        let shards: Vec<_> = self
            .native_ports
            .iter()
            .map(|port| {
                format!(
                    "<shard><replica><host>{host}</host><port>{port}</port>\
                     <user>{user}</user><password>{password}</password></replica></shard>"
                )
            })
            .collect();
        // By its port an engine knows which of the shards it is itself.
        format!(
            "    <tcp_port>{own}</tcp_port>
    <macros><shard>{number}</shard><replica>1</replica></macros>
    <remote_servers><{name}>{shards}</{name}></remote_servers>
",
            own = self.native_port(),
            number = self.shard + 1,
            name = CLUSTER,
            shards = shards.concat(),
        )
    }
}

/// Writes the configuration into the directory, which is made where it is missing, for its owner alone.
pub(crate) fn write(dir: &Path, password: &str, remote: bool, member: Option<&Member>) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    fs::set_permissions(dir, fs::Permissions::from_mode(0o700))?;
    let shards = member.map_or_else(String::new, |member| member.config(USER, password));
    write_private(
        &dir.join(CONFIG_FILE),
        &format!("<clickhouse>{CONFIG}{shards}</clickhouse>\n"),
    )?;
    write_private(&dir.join(USERS_FILE), &users(password, remote, member.is_some()))
}

/// The users file. Those who log in from elsewhere than this machine are refused unless `remote`.
fn users(password: &str, remote: bool, has_peers: bool) -> String {
    let digest = Sha256::digest(password.as_bytes());
    let digest = digest
        .iter()
        .fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    let networks = if remote {
        "<ip>::/0</ip>"
    } else {
        "<ip>127.0.0.0/8</ip><ip>::1</ip>"
    };
    // Of each other the shards ask what is theirs.
    let reach = if has_peers {
        "<query>GRANT READ ON REMOTE</query>"
    } else {
        ""
    };
    let engines: Vec<String> = ENGINES.map(|engine| format!("TABLE ENGINE ON {engine}")).into();
    format!(
        "<clickhouse>
    <profiles>
        <default>
            <constraints><merge_tree_disk><readonly/></merge_tree_disk></constraints>
        </default>
        <session><max_sessions_for_user>1</max_sessions_for_user></session>
    </profiles>
    <quotas><default/></quotas>
    <users>
        <default>
            <password/>
            <networks><ip>127.0.0.1</ip></networks>
            <profile>session</profile>
            <quota>default</quota>
            <grants><query>GRANT SYSTEM LISTEN ON *.*</query></grants>
        </default>
        <{USER}>
            <password_sha256_hex>{digest}</password_sha256_hex>
            <networks>{networks}</networks>
            <profile>default</profile>
            <quota>default</quota>
            <grants>
                <query>GRANT {RIGHTS} ON *.*</query>
                <query>GRANT {engines}</query>
                {reach}
            </grants>
        </{USER}>
    </users>
</clickhouse>
",
        engines = engines.join(", ")
    )
}

fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())
}
