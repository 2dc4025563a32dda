//! Several engines as one real cluster, which a test has to itself.

use std::fs;

use embedded::{Cluster, ClusterOptions, Engine};
use tempfile::TempDir;

use crate::{
    clickhouse::{PASSWORD, library, program},
    zookeeper::ZooKeeper,
};

/// Engines that are the shards of a cluster. Dropping it ends them and deletes their data.
#[derive(Debug)]
pub struct TestCluster {
    cluster: Cluster,
    _data: TempDir,
}

impl TestCluster {
    /// Its name in the configuration of the engines.
    pub const NAME: &'static str = Cluster::NAME;

    /// Starts so many shards.
    ///
    /// # Panics
    /// If one cannot be started: no test that needs it can go on.
    pub async fn start(shards: usize) -> Self {
        Self::start_in(TempDir::new().expect("a temporary directory can be made"), shards).await
    }

    /// Starts one shard that keeps `Replicated…` tables by a ZooKeeper. As the engine has no way for replicas to reach
    /// each other, such tables can be made, and neither read from others nor written.
    ///
    /// # Panics
    /// If it cannot be started.
    pub async fn with_zookeeper(zookeeper: &ZooKeeper) -> Self {
        let data = TempDir::new().expect("a temporary directory can be made");
        let (host, port) = (zookeeper.address().ip(), zookeeper.address().port());
        let files = [
            (
                "config.d",
                format!(
                    "<clickhouse><zookeeper><node><host>{host}</host><port>{port}</port></node></zookeeper></clickhouse>"
                ),
            ),
            (
                "users.d",
                format!(
                    "<clickhouse><users><{user}><grants>\
                     <query>GRANT ALL ON *.*</query>\
                     </grants></{user}></users></clickhouse>",
                    user = Engine::USER
                ),
            ),
        ];
        for (folder, text) in files {
            let folder = data.path().join("shard-1").join(folder);
            fs::create_dir_all(&folder).expect("a directory can be made");
            fs::write(folder.join("zookeeper.xml"), text).expect("a file can be written");
        }
        Self::start_in(data, 1).await
    }

    async fn start_in(data: TempDir, shards: usize) -> Self {
        let library = tokio::task::spawn_blocking(library).await;
        let options = ClusterOptions {
            program: program(),
            library: library.expect("the engine can be fetched"),
            data: data.path().to_owned(),
            shards,
            password: PASSWORD.to_owned(),
            on_crash: || (),
        };
        Self {
            cluster: Cluster::start(&options).await.expect("the engines start"),
            _data: data,
        }
    }

    /// Where the HTTP interfaces are, shard by shard.
    pub fn urls(&self) -> Vec<String> {
        self.cluster.engines().iter().map(Engine::url).collect()
    }

    /// The user that may do what Rollcall needs.
    pub fn user(&self) -> &'static str {
        Engine::USER
    }

    /// The password of that user.
    pub fn password(&self) -> &'static str {
        PASSWORD
    }

    /// The process of a shard.
    ///
    /// # Panics
    /// If there is no such shard.
    pub fn pid(&self, shard: usize) -> u32 {
        *self.cluster.engines()[shard].pid().borrow()
    }
}
