//! Several engines on this machine as the shards of one cluster.

use std::{
    ffi::OsString,
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::PathBuf,
};

use tokio::task::JoinSet;

use crate::{
    access::{CLUSTER, Member},
    engine::{Engine, EngineError, EngineOptions, on_free_ports},
};

/// How a cluster is run.
#[derive(Debug, Clone)]
pub struct ClusterOptions {
    /// A program that calls [`run_engine`](crate::run_engine), and the arguments that have it do so.
    pub program: (PathBuf, Vec<OsString>),
    /// The library, as [`ensure_engine`](crate::ensure_engine) returns it.
    pub library: PathBuf,
    /// The data directory, with a directory for each shard in it.
    pub data: PathBuf,
    /// How many shards it has, of one engine each.
    pub shards: usize,
    /// The password of the user [`Engine::USER`] on all of them.
    pub password: String,
    /// Called whenever an engine has ended by itself.
    pub on_crash: fn(),
}

/// Engines that serve as one cluster, each started again if it crashes. Dropping it kills them.
#[derive(Debug)]
pub struct Cluster {
    engines: Vec<Engine>,
}

impl Cluster {
    /// Its name in the configuration of each.
    pub const NAME: &'static str = CLUSTER;

    /// Starts the engines, and returns once all serve.
    ///
    /// # Errors
    /// Where one of them does not start.
    pub async fn start(options: &ClusterOptions) -> Result<Self, EngineError> {
        on_free_ports(async || Self::start_on_free_ports(options).await).await
    }

    async fn start_on_free_ports(options: &ClusterOptions) -> Result<Self, EngineError> {
        let native_ports = free_ports(options.shards).map_err(|source| EngineError::Spawn { source })?;
        let mut engines = Vec::new();
        for shard in 0..options.shards {
            let options = EngineOptions {
                program: options.program.clone(),
                library: options.library.clone(),
                data: options.data.join(format!("shard-{}", shard + 1)),
                http: (Ipv4Addr::LOCALHOST, 0).into(),
                member: Some(Member::new(native_ports.clone(), shard)),
                password: options.password.clone(),
                on_crash: options.on_crash,
            };
            engines.push(Engine::start(options).await?);
        }
        Ok(Self { engines })
    }

    /// The engines, shard by shard.
    pub fn engines(&self) -> &[Engine] {
        &self.engines
    }

    /// Ends the engines, all at once: what they are still asked is cut off.
    pub async fn shutdown(self) {
        let ending: JoinSet<()> = self.engines.into_iter().map(Engine::shutdown).collect();
        ending.join_all().await;
    }
}

/// As many free ports, all different.
fn free_ports(count: usize) -> io::Result<Vec<u16>> {
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let bound: io::Result<Vec<_>> = (0..count).map(|_| TcpListener::bind(any)).collect();
    bound?
        .iter()
        .map(|listener| Ok(listener.local_addr()?.port()))
        .collect()
}
