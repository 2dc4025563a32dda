//! Commands find the parts of another one: by its data directory, or by settings.

use std::{
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Stdio},
};

use tempfile::tempdir;

use super::{
    data::{conversations, event},
    run, run_with_input,
};
use crate::harness::{Parts, Process, ROLLCALL, on_free_port, subdirectory};

/// Asserts that no command finds anything in a data directory.
async fn assert_nothing_runs(data: &Path) {
    let data = data.to_str().unwrap();
    for command in [
        &["verify"][..],
        &["rebuild", "--all"],
        &["replay", "--dead-letters"],
        &["status"],
        &["produce", "-"],
    ] {
        let ended = run(&[command, &["--data-dir", data]].concat(), &[]).await;
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert_eq!(ended.stderr.lines().count(), 1, "{ended:?}");
        assert!(ended.stderr.contains("--data-dir: no `up`"), "{ended:?}");
        assert!(ended.stderr.contains(data), "{ended:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_data_directory_of_up_leads_to_its_kafka_and_its_clickhouse() {
    let dir = tempdir().unwrap();
    let data = dir.path().join("data");
    assert_nothing_runs(&data).await;
    let topics = [
        ("ROLLCALL__KAFKA__TOPIC", "of-up"),
        ("ROLLCALL__KAFKA__DEAD_LETTER_TOPIC", "letters-of-up"),
        ("ROLLCALL__CLICKHOUSE__DATABASE", "of-up"),
    ];
    let up = Process::up_with(dir.path(), &topics).await;
    let file = data.join("running.json");
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "it holds a key and a password");

    // The command line comes before the environment.
    let elsewhere = [
        ("ROLLCALL__KAFKA__BOOTSTRAP_SERVERS", "127.0.0.1:9"),
        ("ROLLCALL__CLICKHOUSE__URL", "http://127.0.0.1:9"),
    ];
    let input = (event(1) + "\nnonsense\n").into_bytes();
    for (command, printed) in [
        (&["produce", "--force", "-"][..], "published 2 events to of-up"),
        (&["verify"], "users: agrees with the facts"),
        (&["rebuild", "users"], "users: rebuilt"),
        (&["migrate"], "the schema of database of-up"),
        (
            &["replay", "--dead-letters", "--dry-run"],
            "would replay 1 dead letters",
        ),
        (
            &["status"],
            "lag           0 records, in 0 of 64 partitions of of-up",
        ),
    ] {
        let args = [command, &["--data-dir", data.to_str().unwrap()]].concat();
        let ended = run_with_input(&args, &elsewhere, input.clone()).await;
        assert_eq!(ended.code, Some(0), "{command:?}: {ended:?}");
        assert!(ended.stdout.contains(printed), "{command:?}: {ended:?}");
        up.settled().await;
    }
    assert_eq!(conversations(&up).await, 1);

    assert!(up.signal("TERM").await.success());
    assert!(!file.exists());
    assert_nothing_runs(&data).await;
    let up = Process::up(dir.path()).await;
    up.signal("KILL").await;
    assert!(file.exists());
    assert_nothing_runs(&data).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_alone_has_no_kafka_and_says_so() {
    let dir = tempdir().unwrap();
    let parts = Parts::start(dir.path()).await;
    let data = dir.path().join("clickhouse/data");
    let of_engine = ["--data-dir", data.to_str().unwrap()];
    let ended = run(&[&["verify"][..], &of_engine].concat(), &[]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let ended = run(&[&["produce", "-"][..], &of_engine].concat(), &parts.variables()).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("has no Kafka"), "{ended:?}");
    let ended = run(&[&["status"][..], &of_engine].concat(), &[]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stdout.contains("unknown: not configured"), "{ended:?}");
    assert!(ended.stdout.contains(", current"), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn up_uses_the_services_that_settings_name_and_says_so() {
    let dir = tempdir().unwrap();
    let parts = Parts::start(dir.path()).await;
    let [(_, servers), (_, url), credentials @ ..] = parts.variables();
    let dir = subdirectory(dir.path(), "up");
    let config = dir.join("settings.toml");
    let kafka = format!("[kafka]\nbootstrap_servers = \"{servers}\"\n");
    let data = dir.join("data");
    let from_file = ["--config", config.to_str().unwrap()];
    let args = [&on_free_port(&["up"], &data)[..], &from_file].concat();
    let of_environment = [
        ("ROLLCALL__CLICKHOUSE__URL", url),
        ("ROLLCALL__LOG__FILTER", "info"),
    ];
    let nowhere = "[kafka]\nbootstrap_servers = \"127.0.0.1:9\"\n".to_owned();
    let from_command_line = ["--kafka", servers];
    for (toml, more, origin) in [
        (kafka, &[][..], "settings.toml sets kafka.bootstrap_servers"),
        (
            nowhere,
            &from_command_line,
            "ROLLCALL__CLICKHOUSE__URL sets clickhouse.url",
        ),
    ] {
        std::fs::write(&config, toml).unwrap();
        let log = dir.join("log");
        let up = Process::start_logging(
            &dir,
            &[&args[..], more].concat(),
            &[&of_environment[..], &credentials].concat(),
            Stdio::from(std::fs::File::create(&log).unwrap()),
        )
        .await;
        assert_eq!(up.ready.bootstrap_servers.as_deref(), Some(servers));
        assert_eq!(up.ready.clickhouse_url.as_deref(), Some(url));
        let log = std::fs::read_to_string(&log).unwrap();
        assert!(log.contains(origin), "{log}");
        assert!(
            log.contains("ROLLCALL__CLICKHOUSE__URL sets clickhouse.url"),
            "{log}"
        );
        assert!(up.signal("TERM").await.success());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_batch_is_kept_in_a_data_directory_that_is_named_relatively() {
    let dir = tempdir().unwrap();
    let mut rollcall = Command::new(ROLLCALL);
    rollcall.current_dir(dir.path());
    let args = on_free_port(&["up"], Path::new("data"));
    let up = Process::start_by(rollcall, dir.path(), &args, &[], Stdio::inherit()).await;
    let events: Vec<_> = (0..10_000).map(event).collect();
    let data = dir.path().join("data");
    let produce = ["produce", "-", "--data-dir", data.to_str().unwrap()];
    let ended = run_with_input(&produce, &[], events.join("\n").into_bytes()).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    up.settled().await;
    assert_eq!(conversations(&up).await, 10_000);
}
