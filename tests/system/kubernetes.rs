//! The manifests for Kubernetes and the chart for Helm, as far as they can be tested without a cluster: kubectl and Helm render
//! them, the schemas of Kubernetes accept what comes of it, and its containers run as plain processes.

mod rendered;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    process::Command,
    time::Duration,
};

use serde_json::{Value, json};
use tempfile::tempdir;

use crate::{
    command_line::data::{conversations, event},
    harness::{Parts, Process, ROLLCALL, root, subdirectory, succeeds, until},
    tools,
};
use rendered::{Rendered, Workload, kubernetes};

/// How long the program takes to end, at most.
const END_SECONDS: u64 = 10;

/// What is installed without options, and with all of them.
fn installations() -> [Rendered; 2] {
    ["base", "overlays/production"].map(Rendered::kustomize)
}

/// Whether everything that the one object has is in the other too.
fn selects(selector: &Value, labels: &Value) -> bool {
    let selector = selector.as_object().unwrap();
    !selector.is_empty() && selector.iter().all(|(name, value)| labels[name] == *value)
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

#[test]
fn the_chart_says_the_same_as_the_manifests() {
    let production = root().join("deploy/helm/production.yaml");
    let charts = [None, Some(production.as_path())].map(Rendered::helm);
    for (manifests, chart) in installations().iter().zip(&charts) {
        let (manifests, chart) = (manifests.comparable(), chart.comparable());
        assert_eq!(
            manifests.keys().collect::<Vec<_>>(),
            chart.keys().collect::<Vec<_>>()
        );
        for (name, object) in manifests {
            assert_eq!(object, chart[&name], "{name}");
        }
    }
}

#[test]
fn the_chart_refuses_values_that_would_not_work() {
    let dir = tempdir().unwrap();
    let file = dir.path().join("values.yaml");
    for (values, reason) in [
        (json!({"ingest": {"replica": 3}}), "replica"),
        (json!({"config": "[http"}), "config is not TOML"),
        (json!({"config": "[kafka]"}), "config has no http.addr"),
        (
            json!({
                "config": "[http]\naddr = \"0.0.0.0:8080\"",
                "ingest": {"autoscaling": {"enabled": true}}
            }),
            "config has no kafka.bootstrap_servers",
        ),
    ] {
        fs::write(&file, values.to_string()).unwrap();
        let output = Rendered::helm_command(Some(&file)).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(
            !output.status.success() && error.contains(reason),
            "{values}: {error}"
        );
    }
}

#[test]
fn the_schemas_of_kubernetes_accept_every_object() {
    for installation in installations() {
        let objects = Value::from(installation.objects);
        tools::run("bin/python", ["validate.py"], &kubernetes(), Some(&objects));
    }
}

#[test]
#[ignore = "needs Go 1.26, which CI has not"]
fn kube_score_misses_only_what_is_left_out_on_purpose() {
    let dir = tempdir().unwrap();
    // What its limit of CPU throttles is late; images of a release do not change; the program writes no files; constraints of
    // topology spread the pods.
    let options = [
        "--ignore-container-cpu-limit",
        "--ignore-test=container-image-pull-policy",
        "--ignore-test=container-ephemeral-storage-request-and-limit",
        "--ignore-test=deployment-has-host-podantiaffinity",
        "--enable-optional-test=container-ports-check",
        "--exit-one-on-warning",
        "--kubernetes-version=v1.30",
    ];
    // YAML is a superset of JSON.
    let objects = Rendered::kustomize("overlays/production").objects;
    let documents: Vec<_> = objects.iter().map(Value::to_string).collect();
    let file = dir.path().join("objects.yaml");
    fs::write(&file, documents.join("\n---\n")).unwrap();
    let command = ["tool", "kube-score", "score", file.to_str().unwrap()];
    let args = [&command[..], &options].concat();
    tools::run("go", args, &tools::sources("kubernetes"), None);
}

#[test]
fn every_container_is_the_program_with_few_rights_and_time_to_end() {
    let dockerfile = read("deploy/Dockerfile");
    for installation in installations() {
        for workload in installation.workloads() {
            let (pod, container, role) = (workload.pod(), workload.container(), workload.role);
            assert_eq!(pod["automountServiceAccountToken"], false, "{role}");
            let identity = &pod["securityContext"];
            assert_eq!(identity["runAsNonRoot"], true, "{role}");
            assert_eq!(identity["seccompProfile"]["type"], "RuntimeDefault", "{role}");
            assert!(
                dockerfile.contains(&format!("\nUSER {}\n", identity["runAsUser"])),
                "{role}"
            );
            let rights = json!({
                "allowPrivilegeEscalation": false,
                "readOnlyRootFilesystem": true,
                "capabilities": {"drop": ["ALL"]}
            });
            assert_eq!(container["securityContext"], rights, "{role}");
            assert!(dockerfile.contains("\nENTRYPOINT [\"rollcall\"]\n") && container["command"].is_null());
            assert_eq!(container["args"][0], role);
            let image = container["image"].as_str().unwrap();
            assert!(
                image.ends_with(concat!("rollcall:", env!("CARGO_PKG_VERSION"))),
                "{image}"
            );
            for amount in ["/requests/cpu", "/requests/memory", "/limits/memory"] {
                assert!(
                    container["resources"].pointer(amount).is_some(),
                    "{role}: {amount}"
                );
            }
            let drains = container.pointer("/lifecycle/preStop/sleep/seconds");
            assert_eq!(drains.is_some(), role == "serve");
            // Kubernetes gives 30 seconds where nothing else is said.
            let grace = pod["terminationGracePeriodSeconds"].as_u64().unwrap_or(30);
            assert!(
                grace > drains.map_or(0, |seconds| seconds.as_u64().unwrap()) + END_SECONDS,
                "{role}"
            );
        }
        assert_eq!(installation.workloads().count(), 3);
    }
}

#[test]
fn what_an_object_names_is_there() {
    for installation in installations() {
        let serve = installation.workload("serve");
        let settings = installation.effective(serve);
        let (_, port) = settings.text("http", "addr").rsplit_once(':').unwrap();
        for workload in ["ingest", "serve"].map(|role| installation.workload(role)) {
            let ports = &workload.container()["ports"];
            let port: u16 = port.parse().unwrap();
            assert_eq!(*ports, json!([{"name": "http", "containerPort": port}]));
            for (probe, path) in [
                ("startup", "/healthz"),
                ("liveness", "/healthz"),
                ("readiness", "/readyz"),
            ] {
                let request = &workload.container()[format!("{probe}Probe")]["httpGet"];
                assert_eq!(*request, json!({"path": path, "port": "http"}), "{probe}");
            }
            assert!(selects(
                &workload.object["spec"]["selector"]["matchLabels"],
                workload.labels()
            ));
        }

        let selected = |selector: &Value| -> Vec<&str> {
            let workloads = installation.workloads();
            let selected = workloads.filter(|workload| selects(selector, workload.labels()));
            selected.map(|workload| workload.role).collect()
        };
        let service = &installation.object("Service", "rollcall-serve")["spec"];
        assert_eq!(selected(&service["selector"]), ["serve"]);
        assert_eq!(service["ports"][0]["targetPort"], "http");
        for role in ["ingest", "serve"] {
            let name = format!("rollcall-{role}");
            let budget = &installation.object("PodDisruptionBudget", &name)["spec"];
            assert_eq!(selected(&budget["selector"]["matchLabels"]), [role]);
            let spread = &installation.workload(role).pod()["topologySpreadConstraints"];
            for constraint in spread.as_array().unwrap() {
                assert!(selected(&constraint["labelSelector"]["matchLabels"]).contains(&role));
            }
        }
        for object in &installation.objects {
            // One of the two may set how many there are, not both.
            let scaled = &object["spec"]["scaleTargetRef"]["name"];
            if let Some(name) = scaled.as_str() {
                let target = installation.object("Deployment", name);
                assert!(target["spec"]["replicas"].is_null(), "{name}");
            }
        }
        let everything = ["NetworkPolicy", "PodMonitor"]
            .into_iter()
            .flat_map(|kind| installation.of_kind(kind));
        for object in everything {
            let spec = &object["spec"];
            let selector = spec.get("podSelector").unwrap_or(&spec["selector"]);
            let mut roles = selected(&selector["matchLabels"]);
            roles.sort_unstable();
            assert_eq!(roles, ["ingest", "migrate", "serve"], "{object}");
        }
    }
}

#[test]
fn keda_and_the_network_policy_go_by_the_settings_of_the_program() {
    let installation = Rendered::kustomize("overlays/production");
    let settings = installation.effective(installation.workload("ingest"));
    let scaled = &installation.object("ScaledObject", "rollcall-ingest")["spec"];
    let trigger = &scaled["triggers"][0];
    for (name, setting) in [
        ("bootstrapServers", "bootstrap_servers"),
        ("topic", "topic"),
        ("consumerGroup", "group_id"),
    ] {
        assert_eq!(trigger["metadata"][name], settings.text("kafka", setting));
    }
    assert!(scaled["maxReplicaCount"].as_u64().unwrap() <= settings.number("kafka", "partitions"));
    let reference = trigger["authenticationRef"]["name"].as_str().unwrap();
    let login = &installation.object("TriggerAuthentication", reference)["spec"]["secretTargetRef"];
    let ingest = installation.workload("ingest").secrets();
    for secret in login.as_array().unwrap() {
        assert!(ingest.iter().any(|(_, key, _)| secret["key"] == *key), "{secret}");
    }

    let policy = &installation.object("NetworkPolicy", "rollcall")["spec"];
    assert_eq!(policy["ingress"], json!([{"ports": [{"port": "http"}]}]));
    let reached = policy["egress"].as_array().unwrap().iter();
    let reached: BTreeSet<_> = reached
        .flat_map(|rule| rule["ports"].as_array().unwrap())
        .map(|port| port["port"].to_string())
        .collect();
    for installation in installations() {
        let settings = installation.effective(installation.workload("ingest"));
        for address in [
            settings.text("kafka", "bootstrap_servers"),
            settings.text("clickhouse", "url"),
        ] {
            let (_, port) = address.rsplit_once(':').unwrap();
            assert!(reached.contains(port), "{address}");
        }
    }
}

#[test]
fn the_program_accepts_all_settings_and_no_secret_is_among_them() {
    let page = read("docs/kubernetes.md");
    for installation in installations() {
        for workload in installation.workloads() {
            // Secrets are printed masked.
            let printed = installation.effective(workload).printed;
            assert!(!printed.contains("***"), "{printed}");
            for (variable, key, _) in workload.secrets() {
                assert!(page.contains(&format!("--from-literal={key}=")), "{key}");
                let mut command = Command::new(ROLLCALL);
                let printed = succeeds(command.arg("config").env(variable, "hidden=acme"));
                assert!(
                    printed.contains(&format!("# {variable}\n")),
                    "{variable}: {printed}"
                );
            }
        }
        assert!(installation.of_kind("Secret").next().is_none());
    }
}

#[test]
fn the_alerts_become_a_rule_of_the_operator_by_the_command_of_the_page() {
    let page = read("docs/kubernetes.md");
    let commands = page.split("```sh\n").skip(1);
    let mut commands = commands.filter_map(|block| block.split_once(" | kubectl apply "));
    let (command, _) = commands.next().unwrap();
    let yaml = tools::run("sh", ["-c", command], &root(), None);
    let rendered = Rendered::parse(&yaml);
    let rules: Value = serde_saphyr::from_str(&read("deploy/monitoring/rules.yml")).unwrap();
    assert_eq!(rendered.object("PrometheusRule", "rollcall")["spec"], rules);
    let objects = Value::from(rendered.objects);
    tools::run("bin/python", ["validate.py"], &kubernetes(), Some(&objects));
}

/// Starts a container as a process, with the settings of a directory and what a Secret has.
async fn start(workload: Workload<'_>, dir: &Path, secret: &BTreeMap<&str, String>) -> Process {
    let args = workload.args(dir);
    let args: Vec<_> = args.iter().map(String::as_str).collect();
    let variables = variables(workload, secret);
    Process::start(&subdirectory(dir, workload.role), &args, &variables).await
}

fn variables<'a>(workload: Workload<'a>, secret: &'a BTreeMap<&str, String>) -> Vec<(&'a str, &'a str)> {
    let secrets = workload.secrets().into_iter();
    secrets
        .filter_map(|(name, key, may_be_absent)| {
            let value = secret.get(key);
            assert!(value.is_some() || may_be_absent, "{key}");
            Some((name, value?.as_str()))
        })
        .collect()
}

/// The status with which a process answers the probe of a container, in its time.
async fn probe(workload: Workload<'_>, name: &str, process: &Process) -> u16 {
    let probe = &workload.container()[name];
    let path = probe["httpGet"]["path"].as_str().unwrap();
    let url = format!("{}{path}", process.ready.api_url.as_deref().unwrap());
    let timeout = Duration::from_secs(probe["timeoutSeconds"].as_u64().unwrap_or(1));
    let client = reqwest::Client::builder().timeout(timeout).build().unwrap();
    client.get(url).send().await.unwrap().status().as_u16()
}

/// Waits for what the readiness probe answers; the others answer 200 throughout.
async fn becomes(status: u16, workload: Workload<'_>, process: &Process) {
    until(&format!("{} answers {status}", workload.role), async || {
        for name in ["startupProbe", "livenessProbe"] {
            assert_eq!(probe(workload, name, process).await, 200, "{}", workload.role);
        }
        (probe(workload, "readinessProbe", process).await == status).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_containers_work_together_as_processes_and_stay_alive_while_clickhouse_is_away() {
    let dir = tempdir().unwrap();
    let installation = Rendered::kustomize("base");
    let [migrate, ingest, serve] = ["migrate", "ingest", "serve"].map(|role| installation.workload(role));
    let parts = Parts::bare(dir.path()).await;
    let [(_, servers), (_, url), _, (_, password)] = parts.variables();
    let mut settings = installation.settings(serve).to_owned();
    for (address, process) in [
        ("kafka:9092", servers),
        ("http://clickhouse:8123", url),
        ("0.0.0.0:8080", "127.0.0.1:0"),
    ] {
        assert!(settings.contains(address), "{address}");
        settings = settings.replace(address, process);
    }
    fs::write(dir.path().join("rollcall.toml"), settings).unwrap();
    let secret = BTreeMap::from([
        ("clickhouse-password", password.to_owned()),
        ("api-keys", "k3y=*".to_owned()),
    ]);

    // As `kubectl apply` starts all at once: both wait for the schema.
    let ingesting = start(ingest, dir.path(), &secret).await;
    let mut serving = start(serve, dir.path(), &secret).await;
    becomes(503, ingest, &ingesting).await;
    becomes(503, serve, &serving).await;
    let mut command = Command::new(ROLLCALL);
    succeeds(
        command
            .args(migrate.args(dir.path()))
            .envs(variables(migrate, &secret)),
    );
    becomes(200, ingest, &ingesting).await;
    becomes(200, serve, &serving).await;

    ingesting.publish((0..10).map(event)).await;
    ingesting.settled().await;
    serving.ready.api_key = Some("k3y".to_owned());
    assert_eq!(conversations(&serving).await, 10);

    drop(parts);
    becomes(503, ingest, &ingesting).await;
    becomes(503, serve, &serving).await;
    assert!(ingesting.signal("TERM").await.success());
    assert!(serving.signal("TERM").await.success());
}
