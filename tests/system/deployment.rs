//! The local stack of containers, as far as it can be tested without containers: linters accept it, and its services run as
//! plain processes in the environment that it gives them.

use std::{
    collections::BTreeMap,
    process::{Command, Stdio},
};

use serde::Deserialize;
use tempfile::tempdir;

use crate::{
    command_line::data::{conversations, event},
    harness::{Parts, Process, ROLLCALL, root, succeeds, until},
    tools,
};

/// The part of `docker-compose.yml` that is used here.
#[derive(Debug, Deserialize)]
struct Compose {
    services: BTreeMap<String, Service>,
}

#[derive(Debug, Deserialize)]
struct Service {
    #[serde(default)]
    command: Vec<String>,
    #[serde(default)]
    profiles: Vec<String>,
    #[serde(default)]
    volumes: Vec<String>,
    #[serde(default)]
    environment: BTreeMap<String, String>,
    healthcheck: Option<Healthcheck>,
}

#[derive(Debug, Deserialize)]
struct Healthcheck {
    test: Vec<String>,
}

impl Compose {
    fn read() -> Self {
        let text = std::fs::read_to_string(root().join("docker-compose.yml")).unwrap();
        serde_saphyr::from_str(&text).unwrap()
    }

    /// The environment of a service, with the addresses of processes instead of the names of containers.
    fn environment(&self, service: &str, parts: &Parts) -> Vec<(&str, String)> {
        let [(_, servers), (_, url), _, (_, password)] = parts.variables();
        let addresses = [
            ("kafka:9092", servers),
            ("http://clickhouse:8123", url),
            ("0.0.0.0:8080", "127.0.0.1:0"),
            ("${CLICKHOUSE_PASSWORD:-rollcall}", password),
        ];
        let environment = self.services[service].environment.iter();
        environment
            .map(|(name, value)| {
                let address = addresses.iter().find(|(container, _)| container == value);
                let value = address.map_or_else(|| defaulted(value), |(_, process)| (*process).to_owned());
                (name.as_str(), value)
            })
            .collect()
    }

    async fn start(&self, service: &str, parts: &Parts, dir: &std::path::Path) -> Process {
        let environment = self.environment(service, parts);
        let environment: Vec<_> = environment
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let command: Vec<_> = self.services[service]
            .command
            .iter()
            .map(String::as_str)
            .collect();
        let dir = dir.join(service);
        std::fs::create_dir_all(&dir).unwrap();
        Process::start(&dir, &command, &environment).await
    }

    /// Whether a service's healthcheck passes for a process.
    fn is_healthy(&self, service: &str, process: &Process) -> bool {
        let (_, port) = process
            .ready
            .api_url
            .as_deref()
            .unwrap()
            .rsplit_once(':')
            .unwrap();
        let check = self.services[service].healthcheck.as_ref().unwrap();
        let [exec, program, args @ ..] = check.test.as_slice() else {
            panic!("{check:?}");
        };
        assert_eq!(exec, "CMD");
        let args = args
            .iter()
            .map(|arg| arg.replace("/127.0.0.1/8080", &format!("/127.0.0.1/{port}")));
        let status = Command::new(program)
            .args(args)
            .stderr(Stdio::null())
            .status()
            .unwrap();
        status.success()
    }
}

/// A value with `${NAME:-default}` as it is where `NAME` is not set.
fn defaulted(value: &str) -> String {
    let default = value.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    match default.and_then(|rest| rest.split_once(":-")) {
        Some((_, default)) => default.to_owned(),
        None => value.to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_services_of_the_stack_work_together_as_processes() {
    let dir = tempdir().unwrap();
    let compose = Compose::read();
    let parts = Parts::bare(dir.path()).await;

    let mut migrate = Command::new(ROLLCALL);
    let migrate = migrate.args(&compose.services["migrate"].command);
    succeeds(migrate.envs(compose.environment("migrate", &parts)));
    let ingest = compose.start("ingest", &parts, dir.path()).await;
    let mut serve = compose.start("serve", &parts, dir.path()).await;
    until("both are healthy", async || {
        (compose.is_healthy("ingest", &ingest) && compose.is_healthy("serve", &serve)).then_some(())
    })
    .await;

    ingest.publish((0..10).map(event)).await;
    ingest.settled().await;
    // The key that the head of the file names.
    serve.ready.api_key = Some("try-me".to_owned());
    assert_eq!(conversations(&serve).await, 10);

    drop(parts);
    until("neither is healthy", async || {
        (!compose.is_healthy("ingest", &ingest) && !compose.is_healthy("serve", &serve)).then_some(())
    })
    .await;
    assert!(ingest.signal("TERM").await.success());
    assert!(serve.signal("TERM").await.success());
}

#[test]
fn what_monitors_the_stack_is_started_by_its_profile_alone_and_finds_its_files() {
    let compose = Compose::read();
    let monitoring: Vec<_> = compose
        .services
        .iter()
        .filter(|(_, service)| service.profiles == ["monitoring"])
        .collect();
    let names: Vec<_> = monitoring.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["grafana", "prometheus"]);
    for (name, service) in monitoring {
        let mounted: Vec<_> = service
            .volumes
            .iter()
            .filter_map(|volume| volume.strip_suffix(":ro")?.strip_prefix("./"))
            .map(|mount| mount.split_once(':').unwrap())
            .collect();
        assert!(mounted.len() >= 2, "{name}: {mounted:?}");
        for (file, _) in mounted {
            assert!(root().join(file).is_file(), "{name}: {file}");
        }
    }
    // Prometheus scrapes roles by the names of their services.
    let config = std::fs::read_to_string(root().join("deploy/monitoring/prometheus.yml")).unwrap();
    for role in ["ingest", "serve"] {
        assert!(config.contains(&format!("targets: [{role}:8080]")), "{role}");
        assert_eq!(
            compose.services[role].environment["ROLLCALL__HTTP__ADDR"],
            "0.0.0.0:8080"
        );
    }
}

#[test]
fn linters_accept_the_stack() {
    let dockerfile = root().join("deploy/Dockerfile");
    // Versions of Debian's packages are not pinned: Debian removes the ones that it has fixed.
    let args = ["--ignore", "DL3008", dockerfile.to_str().unwrap()];
    tools::run("bin/hadolint", args, &tools::python(), None);

    for compose in ["docker-compose.yml", "deploy/cluster/docker-compose.yml"] {
        let compose = root().join(compose);
        let args = [
            "--config",
            "dclint.json",
            "--max-warnings",
            "0",
            compose.to_str().unwrap(),
        ];
        tools::run("node_modules/.bin/dclint", args, &tools::node(), None);
    }
}
