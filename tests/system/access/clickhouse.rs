//! What `docs/operate.md` says about ClickHouse's rights is enough.

use std::path::Path;

use tempfile::tempdir;

use super::{documented_row, documented_section};
use crate::{
    command_line::{
        data::{conversations, erasure, event},
        run,
    },
    harness::{Process, on_free_port, subdirectory, until},
};

const COMMANDS: [&str; 9] = [
    "migrate", "ingest", "serve", "keys", "forget", "status", "export", "verify", "rebuild",
];
const PASSWORD: &str = "testbed";

/// Has the engine whose data will be in `data` know a user for each command, named after it, with the rights that are
/// documented, and ask for all rights that a server of ClickHouse can ask for.
fn configure_users(data: &Path) {
    let section = documented_section("Access");
    let engines = ["MergeTree", "ReplacingMergeTree", "AggregatingMergeTree", "Null"];
    let users = COMMANDS.map(|command| {
        let cells = documented_row(&section, "**Rights in ClickHouse**", command);
        let [on_database, besides] = cells.as_slice() else {
            panic!("{cells:?}");
        };
        let mut grants = vec![format!("{on_database} ON rollcall.*")];
        if besides != "none" {
            grants.push(besides.clone());
        }
        if matches!(command, "migrate" | "rebuild") {
            for engine in engines {
                assert!(section.contains(&format!("`{engine}`")), "{engine}");
                grants.push(format!("TABLE ENGINE ON {engine}"));
            }
        }
        let grants = grants.iter().map(|grant| format!("<query>GRANT {grant}</query>"));
        format!(
            "<{command}><password>{PASSWORD}</password><networks><ip>127.0.0.1</ip></networks>\
             <profile>default</profile><quota>default</quota><grants>{}</grants></{command}>",
            grants.collect::<String>()
        )
    });
    let users = format!("<clickhouse><users>{}</users></clickhouse>", users.concat());
    let engine = subdirectory(data, "engine");
    std::fs::write(subdirectory(&engine, "users.d").join("commands.xml"), users).unwrap();
    let strict = "<clickhouse><access_control_improvements>\
                  <select_from_system_db_requires_grant>true</select_from_system_db_requires_grant>\
                  </access_control_improvements></clickhouse>";
    std::fs::write(subdirectory(&engine, "config.d").join("strict.xml"), strict).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documented_rights_in_clickhouse_are_enough() {
    let dir = tempdir().unwrap();
    let data = dir.path().join("data");
    configure_users(&data);
    let clickhouse = Process::start(dir.path(), &on_free_port(&["dev", "clickhouse"], &data), &[]).await;
    let kafka = Process::start(&subdirectory(dir.path(), "kafka"), &["dev", "kafka"], &[]).await;
    let url = clickhouse.ready.clickhouse_url.as_deref().unwrap();
    let login = |user| {
        [
            ("ROLLCALL__CLICKHOUSE__URL", url),
            ("ROLLCALL__CLICKHOUSE__USER", user),
            ("ROLLCALL__CLICKHOUSE__PASSWORD", PASSWORD),
            (
                "ROLLCALL__KAFKA__BOOTSTRAP_SERVERS",
                kafka.ready.bootstrap_servers.as_deref().unwrap(),
            ),
            ("ROLLCALL__AUTH__KEYS", "k3y=*"),
            ("ROLLCALL__AUTH__REFRESH_SECS", "1"),
            ("ROLLCALL__CLICKHOUSE__ERASE_INTERVAL_SECS", "1"),
        ]
    };
    let succeeds = async |args: &[&'static str]| {
        let ended = run(args, &login(args[0])).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        ended.stdout
    };

    succeeds(&["migrate"]).await;
    let role = async |role: &'static str| {
        let dir = subdirectory(dir.path(), role);
        Process::start(&dir, &[role, "--http-addr", "127.0.0.1:0"], &login(role)).await
    };
    let (ingest, mut serve) = (role("ingest").await, role("serve").await);
    serve.ready.api_key = Some("k3y".to_owned());
    kafka.publish((0..100).map(event)).await;
    ingest.settled().await;
    until("serve is ready", async || {
        let url = format!("{}/readyz", serve.ready.api_url.as_deref().unwrap());
        (serve.fetch(&url).await.status() == 200).then_some(())
    })
    .await;
    for endpoint in [
        "usage-summary/?start_date=2024-05-01&end_date=2024-05-31",
        "user-cohorts-over-time/?start_date=2024-05-01&end_date=2024-05-31",
        "transcripts/?topics=greetings",
        "transcripts/?page=1&page_size=10",
    ] {
        serve.ask("acme", endpoint).await;
    }
    assert_eq!(conversations(&serve).await, 100);
    let created = succeeds(&["keys", "create", "--name", "partner", "--orgs", "acme"]).await;
    serve.ready.api_key = Some(created.trim().to_owned());
    until("the key is known", async || {
        let (status, _) = serve.get("acme", "mentors/").await;
        (status == 200).then_some(())
    })
    .await;
    until("its use is kept", async || {
        let listed = succeeds(&["keys", "list", "--json"]).await;
        (!listed.contains("\"last_used_at\": null")).then_some(())
    })
    .await;
    succeeds(&["keys", "revoke", "partner"]).await;
    serve.ready.api_key = Some("k3y".to_owned());
    succeeds(&["status"]).await;
    for what in ["usage", "cohorts", "transcripts", "messages"] {
        let days: &[_] = if matches!(what, "usage" | "cohorts") {
            &["--from", "2024-05-01", "--to", "2024-05-31"]
        } else {
            &[]
        };
        let exported = succeeds(&[&["export", "--org", "acme", what], days].concat()).await;
        assert!(exported.lines().count() > 30, "{exported}");
    }
    succeeds(&["verify"]).await;
    succeeds(&["rebuild", "--all"]).await;
    succeeds(&["migrate"]).await;
    assert_eq!(conversations(&serve).await, 100);
    succeeds(&["forget", "--org", "acme", "--user", "u-7", "--yes"]).await;
    assert_eq!(conversations(&serve).await, 99);
    kafka.publish([erasure("u-8")]).await;
    until("ingest has erased it", async || {
        (conversations(&serve).await == 98).then_some(())
    })
    .await;
}
