//! Several engines as one real cluster, which a test has to itself.

use embedded::{Cluster, ClusterOptions, Engine};
use tempfile::TempDir;

use crate::clickhouse::{PASSWORD, library, program};

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
        let library = tokio::task::spawn_blocking(library).await;
        let data = TempDir::new().expect("a temporary directory can be made");
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
