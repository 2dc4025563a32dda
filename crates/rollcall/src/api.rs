//! Answering over HTTP: the API, and the pages for operators.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use aggregator::{
    Store,
    migrate::{Access, SchemaState},
};
use anyhow::Context;
use axum::Router;
use consumer::Probe;
use query::Check;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::server;

/// How long Kafka may take to answer a check.
const KAFKA_TIMEOUT: Duration = Duration::from_millis(1_500);

/// An address that is bound and not served yet, so that a port in use ends a command before it has done anything.
#[derive(Debug)]
pub(crate) struct Bound {
    listener: TcpListener,
    addr: SocketAddr,
}

impl Bound {
    /// Binds `http.addr`.
    ///
    /// # Errors
    /// Where the address is in use or not of this machine.
    pub(crate) async fn new(addr: SocketAddr) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(addr)
            .await
            .with_context(|| format!("http.addr: cannot listen on {addr}"))?;
        let addr = listener.local_addr()?;
        Ok(Self { listener, addr })
    }

    /// Where it is reached from this machine.
    pub(crate) fn url(&self) -> String {
        let ip = match self.addr.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        format!("http://{}", SocketAddr::new(ip, self.addr.port()))
    }

    /// Serves until `shutdown`, and then finishes the requests that have begun.
    pub(crate) async fn serve(self, router: Router, shutdown: CancellationToken) -> anyhow::Result<()> {
        server::serve(self.listener, router, shutdown).await;
        Ok(())
    }
}

/// Reads an address to serve on: `IP:PORT`, or `localhost:PORT` for the loopback address.
///
/// # Errors
/// Where it is neither.
pub(crate) fn parse_addr(text: &str) -> Result<SocketAddr, String> {
    let loopback = text
        .strip_prefix("localhost:")
        .map(|port| format!("{}:{port}", Ipv4Addr::LOCALHOST));
    let addr = loopback.as_deref().unwrap_or(text).parse();
    addr.map_err(|_| "must be IP:PORT or localhost:PORT".to_owned())
}

/// A check for `/readyz`: ClickHouse answers and has a schema that this program can use for this.
pub(crate) fn clickhouse_check(store: &Store, access: Access) -> Check {
    let store = store.clone();
    Check::new("clickhouse", move || {
        let store = store.clone();
        async move {
            match store.schema_state(access).await {
                Ok(SchemaState::Current) => Ok(()),
                Ok(SchemaState::Outdated { found, needed }) => Err(format!(
                    "the schema is at version {found} of {needed}: run `rollcall migrate`"
                )),
                Ok(SchemaState::Newer { found, known }) => Err(format!(
                    "the schema is at version {found}, newer than this program's {known}: upgrade the program"
                )),
                Err(error) => Err(format!("{:#}", anyhow::Error::from(error))),
            }
        }
    })
}

/// A check for `/readyz`: the brokers answer, have the event topic and deny ingestion nothing, and the group has read nothing of
/// the topic into another database.
///
/// # Errors
/// Where the settings make no client of Kafka.
pub(crate) fn kafka_check(kafka: &consumer::Settings, store: &Store) -> anyhow::Result<Check> {
    let (kafka, store) = (Probe::new(kafka)?, store.clone());
    Ok(Check::new("kafka", move || {
        let (kafka, store) = (kafka.clone(), store.clone());
        async move {
            let missing = consumer::missing_rights();
            if !missing.is_empty() {
                let missing: Vec<_> = missing.iter().map(ToString::to_string).collect();
                return Err(missing.join("; "));
            }
            let checked = match store.database_id().await {
                Ok(database) => kafka.check_database(&database, KAFKA_TIMEOUT).await,
                // That ClickHouse is away is said by its own check.
                Err(_) => kafka.ping(KAFKA_TIMEOUT).await,
            };
            checked.map_err(|error| format!("{:#}", anyhow::Error::from(error)))
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_an_ip_address_or_localhost_and_a_port() {
        for (text, expected) in [
            ("127.0.0.1:8080", Some("127.0.0.1:8080")),
            ("localhost:0", Some("127.0.0.1:0")),
            ("[::1]:80", Some("[::1]:80")),
            ("localhost", None),
            ("localhost:", None),
            ("localhost:99999", None),
            ("elsewhere:80", None),
            ("8080", None),
        ] {
            assert_eq!(
                parse_addr(text).ok(),
                expected.map(|addr| addr.parse().unwrap()),
                "{text}"
            );
        }
    }
}
