//! What operators watch: metrics, alerts, the dashboard for Grafana, and ids of requests in the log. Prometheus itself judges
//! the rules, as `promtool`.

mod queries;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    path::{Path, PathBuf},
    time::Duration,
};

use rdkafka::{
    ClientConfig,
    producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer},
};
use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::tempdir;

use crate::{
    command_line::data::{conversations, event},
    harness::{DEADLINE, Process, root, until},
    tools,
};
use queries::{Exposed, selectors, shown};

/// The part of `deploy/monitoring/rules.yml` that is used here.
#[derive(Debug, Deserialize)]
struct Rules {
    groups: Vec<Group>,
}

#[derive(Debug, Deserialize)]
struct Group {
    rules: Vec<Rule>,
}

#[derive(Debug, Deserialize)]
struct Rule {
    alert: String,
    expr: String,
    annotations: BTreeMap<String, String>,
}

fn file(name: &str) -> PathBuf {
    root().join("deploy/monitoring").join(name)
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

fn rules() -> Vec<Rule> {
    let rules: Rules = serde_saphyr::from_str(&read(&file("rules.yml"))).unwrap();
    rules.groups.into_iter().flat_map(|group| group.rules).collect()
}

/// The queries of the dashboard for Grafana, with what is shown with each answer.
fn dashboard() -> Vec<(String, String)> {
    let dashboard: Value = serde_json::from_str(&read(&file("dashboard.json"))).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = panels.filter_map(|panel| panel["targets"].as_array()).flatten();
    let text = |target: &Value, key| target[key].as_str().unwrap().to_owned();
    targets
        .map(|target| {
            // Grafana sets it to some scrapes.
            let query = text(target, "expr").replace("$__rate_interval", "5m");
            (query, text(target, "legendFormat"))
        })
        .collect()
}

fn promtool(args: &[&str]) {
    tools::run("bin/promtool", args, &tools::promtool(), None);
}

/// The names in backquotes in the first column of the table under a heading of `docs/monitoring.md`.
fn documented(heading: &str) -> BTreeSet<String> {
    let page = read(&root().join("docs/monitoring.md"));
    let mut sections = page.split("\n## ");
    let section = sections
        .find_map(|section| section.strip_prefix(heading))
        .unwrap();
    let rows = section
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split(" | ").next());
    let names = rows.flat_map(|cell| cell.split('`').step_by(2));
    names
        .filter(|name| !name.contains('*'))
        .map(str::to_owned)
        .collect()
}

/// The anchors of the headings of a page.
fn anchors(page: &str) -> BTreeSet<String> {
    let headings = page.lines().filter_map(|line| line.strip_prefix('#'));
    let anchor = |heading: &str| heading.trim_matches(['#', ' ']).to_lowercase().replace(' ', "-");
    headings.map(anchor).collect()
}

async fn exposed(process: &Process) -> String {
    let url = format!("{}/metrics", process.ready.api_url.as_deref().unwrap());
    reqwest::get(url).await.unwrap().text().await.unwrap()
}

#[test]
fn prometheus_accepts_the_configuration_and_each_alert_fires_when_it_should() {
    promtool(&["check", "config", file("prometheus.yml").to_str().unwrap()]);
    promtool(&["test", "rules", file("rules_test.yml").to_str().unwrap()]);

    let (rules, tests) = (rules(), read(&file("rules_test.yml")));
    for rule in &rules {
        let fires = format!("exp_samples: [{{labels: '{{alertname=\"{}\"}}'", rule.alert);
        assert!(tests.contains(&fires), "no test has {} fire", rule.alert);
        let (page, anchor) = rule.annotations["docs"].split_once('#').unwrap();
        assert!(
            anchors(&read(&root().join(page))).contains(anchor),
            "{}",
            rule.alert
        );
    }
    let alerts: BTreeSet<_> = rules.into_iter().map(|rule| rule.alert).collect();
    assert_eq!(documented("Alerts\n"), alerts);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_query_of_alerts_and_dashboard_has_an_answer_from_what_the_program_exposes() {
    let dir = tempdir().unwrap();
    let up = Process::up(dir.path()).await;
    let unknown = event(1).replace("chat.message.created.v1", "chat.message.deleted.v1");
    up.publish([event(0), unknown, "no event".to_owned()]).await;
    up.settled().await;
    assert_eq!(conversations(&up).await, 1);
    // Some are measured every few seconds only, or with the statistics of the client.
    let text = until("all metrics to be there", async || {
        let text = exposed(&up).await;
        let late = [
            "rollcall_skipped_records_total{",
            "rollcall_unstable_records{",
            "process_max_fds ",
        ];
        late.iter().all(|start| text.contains(start)).then_some(text)
    })
    .await;
    let exposed = Exposed::read(&text);
    assert_eq!(documented("Metrics\n"), exposed.names());

    let (rules, dashboard) = (rules(), dashboard());
    for rule in &rules {
        let texts: Vec<_> = rule.annotations.values().map(String::as_str).collect();
        exposed.check(&rule.expr, &shown(&texts.concat()));
    }
    for (query, legend) in &dashboard {
        exposed.check(query, &shown(legend));
    }

    // In Prometheus, with series as they are exposed, whatever their values.
    let series = exposed.series.iter();
    let series: Vec<_> = series
        .map(|series| json!({"series": series, "values": "1x10"}))
        .collect();
    let selected = rules.iter().flat_map(|rule| selectors(&rule.expr));
    let queries = dashboard.iter().map(|(query, _)| query.clone()).chain(selected);
    let answered: Vec<_> = queries
        .map(|query| {
            let one = json!([{"labels": "{}", "value": 1}]);
            json!({"expr": format!("count({query}) > bool 0"), "eval_time": "10m", "exp_samples": one})
        })
        .collect();
    let asked = json!({"tests": [{"interval": "1m", "input_series": series, "promql_expr_test": answered}]});
    let path = dir.path().join("asked.json");
    std::fs::write(&path, asked.to_string()).unwrap();
    promtool(&["test", "rules", path.to_str().unwrap()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_age_of_the_oldest_unsettled_record_is_from_when_it_was_published() {
    const AGE: &str = "rollcall_oldest_unsettled_record_age_seconds ";
    const OF_2024: i64 = 1_715_000_000_000;
    const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);
    let dir = tempdir().unwrap();
    let up = Process::up(dir.path()).await;
    up.publish([event(0)]).await;
    up.settled().await;
    let age = async || {
        let text = exposed(&up).await;
        let age = text.lines().find_map(|line| line.strip_prefix(AGE)).unwrap();
        age.parse::<f64>().unwrap()
    };
    assert!(age().await < 60.0);
    up.send_engine("STOP");

    let kafka = up.kafka();
    let producer: ThreadedProducer<DefaultProducerContext> = ClientConfig::new()
        .set("bootstrap.servers", &kafka.bootstrap_servers)
        .create()
        .unwrap();
    let value = event(1);
    let record = BaseRecord::<(), _>::to(&kafka.topic)
        .payload(&value)
        .timestamp(OF_2024);
    assert!(producer.send(record).is_ok());
    producer.flush(DEADLINE).unwrap();
    let first = until("the record to be read", async || {
        let age = age().await;
        (age >= YEAR.as_secs_f64()).then_some(age)
    })
    .await;
    // Newer ones do not hide it.
    up.publish([event(2)]).await;
    until("it to grow older", async || {
        (age().await > first + 2.0).then_some(())
    })
    .await;
    up.send_engine("CONT");
    up.settled().await;
    until("none to be left", async || (age().await < 60.0).then_some(())).await;
    assert_eq!(conversations(&up).await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_says_of_which_request_an_error_is() {
    let dir = tempdir().unwrap();
    let log = dir.path().join("log");
    let variables = [
        ("ROLLCALL__CLICKHOUSE__URL", "http://127.0.0.1:1"),
        ("ROLLCALL__AUTH__KEYS", "k3y=*"),
        ("ROLLCALL__LOG__FORMAT", "json"),
        ("ROLLCALL__LOG__FILTER", "warn,query::observe=debug"),
    ];
    let args = ["serve", "--http-addr", "127.0.0.1:0"];
    let mut serve =
        Process::start_logging(dir.path(), &args, &variables, File::create(&log).unwrap().into()).await;
    serve.ready.api_key = Some("k3y".to_owned());
    let answer = serve.fetch(&serve.url("acme", "transcripts/")).await;
    assert_eq!(answer.status(), 503);
    let id = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
    let lines: Vec<Value> = until("the request to be logged", async || {
        let text = read(&log);
        let lines = text.lines().filter_map(|line| serde_json::from_str(line).ok());
        let of_request: Vec<Value> = lines
            .filter(|line: &Value| line["span"]["request_id"] == id)
            .collect();
        (of_request.len() >= 2).then_some(of_request)
    })
    .await;
    let (error, answered) = (&lines[0], &lines[1]);
    assert_eq!(
        (&error["level"], &error["message"]),
        (&"ERROR".into(), &"a query of the store failed".into())
    );
    assert_eq!(
        (&answered["route"], &answered["status"]),
        (&"transcripts".into(), &"503".into())
    );
    assert_eq!(answered["outcome"], "complete");
}
