#![allow(missing_docs, clippy::all, clippy::pedantic, clippy::unwrap_used, clippy::print_stdout, clippy::disallowed_methods)]
use embedded::{ClickHouseServer, Engine};
#[tokio::main]
async fn main() {
    let d = std::path::PathBuf::from("/tmp/scratch/http_probe/data");
    let e = Engine::open(std::path::Path::new("/tmp/scratch/package/libchdb.so"), &d).unwrap();
    let s = ClickHouseServer::start(e, "127.0.0.1:18123".parse().unwrap()).await.unwrap();
    tokio::signal::ctrl_c().await.unwrap();
    s.shutdown().await;
}
