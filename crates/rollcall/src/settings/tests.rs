use std::collections::BTreeMap;

use tempfile::TempDir;

use super::{effective::REFERENCE, *};

fn load(toml: &str, variables: &[(&str, &str)]) -> anyhow::Result<Settings> {
    load_with(toml, variables, None)
}

fn load_with(
    toml: &str,
    variables: &[(&str, &str)],
    http_addr: Option<SocketAddr>,
) -> anyhow::Result<Settings> {
    let dir = tempfile::tempdir().unwrap();
    let common = CommonOptions {
        config: Some(file(&dir, toml)),
        http_addr,
        ..CommonOptions::default()
    };
    Settings::layered(&common, environment(variables))
}

fn file(dir: &TempDir, toml: &str) -> PathBuf {
    let path = dir.path().join("rollcall.toml");
    std::fs::write(&path, toml).unwrap();
    path
}

fn environment(variables: &[(&str, &str)]) -> Environment {
    let variables = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Environment::default().source(Some(variables.collect()))
}

fn refused(toml: &str, variables: &[(&str, &str)]) -> String {
    format!("{:#}", load(toml, variables).unwrap_err())
}

#[test]
fn the_reference_shows_the_defaults() {
    let read = load(REFERENCE, &[]).unwrap();
    // Two defaults depend on the command: the reference shows the usual ones.
    let usual = Settings {
        http: HttpSettings {
            addr: Some(([127, 0, 0, 1], API_PORT).into()),
            ..HttpSettings::default()
        },
        log: LogSettings {
            filter: Some("info".to_owned()),
            ..LogSettings::default()
        },
        named: read.named.clone(),
        ..Settings::default()
    };
    assert_eq!(format!("{read:?}"), format!("{usual:?}"));
    // What the settings leave out of their debug text.
    assert_eq!(read.clickhouse.password, "");
    assert_eq!(
        read.clickhouse.query_timeout_secs,
        usual.clickhouse.query_timeout_secs
    );
    assert_eq!(
        read.clickhouse.insert_timeout_secs,
        usual.clickhouse.insert_timeout_secs
    );
}

#[test]
fn guidance_on_batch_sizes_names_the_defaults() {
    let page = include_str!("../../../../docs/operate.md");
    let guidance = page
        .split("\n## ")
        .find_map(|section| section.strip_prefix("Batch sizes\n"))
        .unwrap();
    let kafka = consumer::Settings::default();
    for (setting, default) in [
        ("kafka.batch_records", kafka.batch_records.get().to_string()),
        (
            "kafka.batch_bytes",
            format!("{} MiB", kafka.batch_bytes.get() >> 20),
        ),
        ("kafka.batch_delay_ms", kafka.batch_delay_ms.to_string()),
        ("kafka.batches_in_flight", kafka.batches_in_flight.to_string()),
        ("kafka.budget_bytes", format!("{} MiB", kafka.budget_bytes >> 20)),
    ] {
        let row = format!("| `{setting}` | {default} |");
        assert!(guidance.contains(&row), "{row}");
    }
}

/// The names in each section of the reference, those of lines such as `#key = "value"` included.
fn names_in_reference() -> BTreeMap<&'static str, BTreeSet<&'static str>> {
    let mut sections: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    let mut section = "";
    for line in REFERENCE.lines() {
        if let Some(header) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            section = header;
            if let Some((parent, table)) = header.split_once('.') {
                sections.entry(parent).or_default().insert(table);
            }
        } else if let Some((name, _)) = line.trim_start_matches('#').split_once(" = ")
            && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
        {
            sections.entry(section).or_default().insert(name);
        }
    }
    sections
}

/// serde names every known field when it meets an unknown one.
#[test]
fn the_reference_names_every_setting_and_no_other() {
    let sections = names_in_reference();
    let message = refused("[no_such_section]", &[]);
    let known = |message: &str| -> BTreeSet<String> {
        let (_, known) = message.split_once("expected").unwrap();
        let (known, _) = known.split_once(" for key").unwrap_or((known, ""));
        known.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    };
    let owned = |names: &BTreeSet<&str>| {
        names
            .iter()
            .map(|name| (*name).to_owned())
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(known(&message), owned(&sections.keys().copied().collect()));
    for (section, names) in &sections {
        let message = refused(&format!("[{section}]\nno_such_setting = 1"), &[]);
        assert_eq!(known(&message), owned(names), "{section}");
    }
}

#[test]
fn the_command_line_overrides_the_environment_and_that_the_file() {
    let toml = "[kafka]\ntopic = \"of-file\"\ngroup_id = \"of-file\"\n[http]\naddr = \"127.0.0.1:1\"";
    let variables = [
        ("ROLLCALL__KAFKA__TOPIC", "of-environment"),
        ("ROLLCALL__HTTP__ADDR", "127.0.0.1:2"),
    ];
    let settings = load_with(toml, &variables, Some(([127, 0, 0, 1], 3).into())).unwrap();
    assert_eq!(settings.kafka.group_id, "of-file");
    assert_eq!(settings.kafka.topic, "of-environment");
    assert_eq!(settings.http.addr().port(), 3);
}

#[test]
fn the_environment_can_set_every_type() {
    let variables = [
        ("ROLLCALL__KAFKA__CREATE_TOPICS", "false"),
        ("ROLLCALL__KAFKA__PARTITIONS", "12"),
        ("ROLLCALL__KAFKA__GROUP_ID", "42"),
        ("ROLLCALL__KAFKA__PROPERTIES__SECURITY_PROTOCOL", "ssl"),
        ("ROLLCALL__CLICKHOUSE__PASSWORD", "007"),
        ("ROLLCALL__HTTP__PREFIX", "/dm"),
        ("ROLLCALL__AUTH__KEYS", "k=a,b;all=*"),
        ("ROLLCALL__EMBEDDED__DATA_DIR", "/data"),
        ("ROLLCALL__LOG__FORMAT", "json"),
    ];
    let settings = load("", &variables).unwrap();
    assert!(!settings.kafka.create_topics);
    assert_eq!(settings.kafka.partitions.get(), 12);
    assert_eq!(settings.kafka.group_id, "42");
    assert_eq!(settings.kafka.properties["security_protocol"], "ssl");
    assert_eq!(settings.clickhouse.password, "007");
    assert_eq!(settings.http.prefix.as_str(), "/dm");
    assert!(!settings.auth.keys.is_empty());
    assert_eq!(settings.embedded.data_dir.as_deref(), Some(Path::new("/data")));
    assert!(matches!(settings.log.format, LogFormat::Json));
}

#[test]
fn a_bad_setting_is_named_in_one_line() {
    let cases: [(&str, (&str, &str), &str); 25] = [
        ("[kafka]\ntopics = 1", ("", ""), "topics"),
        ("[kafak]\ntopic = \"t\"", ("", ""), "kafak"),
        ("[kafka]\npartitions = \"many\"", ("", ""), "kafka.partitions"),
        ("[kafka]\npartitions = 0", ("", ""), "kafka.partitions"),
        ("[http]\naddr = \"nowhere\"", ("", ""), "http.addr"),
        ("", ("ROLLCALL__HTTP__ADDR", "nowhere"), "http.addr"),
        ("", ("ROLLCALL__HTTP__PREFIX", "dm"), "http.prefix"),
        ("", ("ROLLCALL__AUTH__KEYS", "secret"), "auth.keys"),
        ("", ("ROLLCALL__AUTH__REFRESH_SECS", "0"), "auth.refresh_secs"),
        ("", ("ROLLCALL__AUTH__MAX_AGE_SECS", "4"), "auth.max_age_secs"),
        ("", ("ROLLCALL__AUTH__BURST", "0"), "auth.burst"),
        ("", ("ROLLCALL__AUTH__ORGS", "a b"), "auth.orgs"),
        ("", ("ROLLCALL__KAFKA__TOPIC", ""), "kafka.topic"),
        ("", ("ROLLCALL__KAFKA__BUDGET_BYTES", "1"), "kafka.budget_bytes"),
        (
            "",
            ("ROLLCALL__CLICKHOUSE__URL", "clickhouse:8123"),
            "clickhouse.url",
        ),
        (
            "",
            ("ROLLCALL__CLICKHOUSE__URL", "http://me:secret@clickhouse:8123"),
            "clickhouse.password",
        ),
        (
            "",
            ("ROLLCALL__CLICKHOUSE__URL", "http://one:8123,two:8123"),
            "clickhouse.url",
        ),
        (
            "[clickhouse]\nurl = \"http://one:8123, http://two:8123/path\"",
            ("", ""),
            "clickhouse.url",
        ),
        (
            "[clickhouse]\nca_file = \"/nowhere/ca.pem\"",
            ("", ""),
            "clickhouse.ca_file: cannot read /nowhere/ca.pem",
        ),
        (
            "[clickhouse]\nca_file = \"Cargo.toml\"",
            ("", ""),
            "clickhouse.ca_file: Cargo.toml holds no certificate",
        ),
        (
            "[clickhouse.settings]\nasync_insert = 1",
            ("", ""),
            "clickhouse.settings.async_insert",
        ),
        (
            "[clickhouse]\nmaintenance_timeout_secs = 0",
            ("", ""),
            "clickhouse.maintenance_timeout_secs",
        ),
        ("", ("ROLLCALL__EMBEDDED__ENGINE", ""), "embedded.engine"),
        ("", ("ROLLCALL__LOG__FORMAT", "xml"), "log.format"),
        ("", ("ROLLCALL__KAFKA__TYPO", "1"), "typo"),
    ];
    for (toml, variable, name) in cases {
        let variables: &[_] = if variable.0.is_empty() { &[] } else { &[variable] };
        let message = refused(toml, variables);
        assert!(message.contains(name), "{name} is not in: {message}");
        assert_eq!(message.lines().count(), 1, "{message}");
        assert!(!message.contains("secret"), "{message}");
    }
}

fn effective(toml: &str, variables: &[(&str, &str)]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let sources = Sources::read(Some(&file(&dir, toml)), environment(variables)).unwrap();
    let shown = effective::render(&sources).unwrap();
    let lines = shown.lines().map(|line| match line.split_once(" # ") {
        Some((setting, origin)) if origin.ends_with("rollcall.toml") => format!("{setting} # FILE\n"),
        _ => format!("{line}\n"),
    });
    lines.collect()
}

#[test]
fn each_setting_in_effect_is_shown_with_where_it_comes_from() {
    let file = r#"
        [kafka.properties]
        security.protocol = "ssl"
        "ssl.key.password" = "hidden-1"
        [clickhouse]
        user = 'a "b"'
    "#;
    let variables = [
        ("ROLLCALL__KAFKA__BATCH_RECORDS", "1000"),
        ("ROLLCALL__CLICKHOUSE__REPLICATED", "true"),
        ("ROLLCALL__CLICKHOUSE__CLUSTER", "main"),
        ("ROLLCALL__CLICKHOUSE__PASSWORD", "hidden-2"),
        ("ROLLCALL__AUTH__KEYS", "hidden-3=*"),
    ];
    let shown = effective(file, &variables);
    for lines in [
        "[kafka]\nbatch_bytes = 67108864 # default\n",
        "\nbatch_records = 1000 # ROLLCALL__KAFKA__BATCH_RECORDS\n",
        "\n\n[kafka.properties]\n\"security.protocol\" = \"ssl\" # FILE\n\"ssl.key.password\" = \"***\" # FILE\n\n[clickhouse]\n",
        "\nreplicated = true # ROLLCALL__CLICKHOUSE__REPLICATED\n",
        "\ncluster = \"main\" # ROLLCALL__CLICKHOUSE__CLUSTER\n",
        "\npassword = \"***\" # ROLLCALL__CLICKHOUSE__PASSWORD\n",
        "\nuser = \"a \\\"b\\\"\" # FILE\n",
        "\nkeys = \"***\" # ROLLCALL__AUTH__KEYS\n",
    ] {
        assert!(shown.contains(lines), "{lines:?} is not in:\n{shown}");
    }
    assert!(!shown.contains("hidden"), "{shown}");
}

#[test]
fn settings_that_are_shown_can_be_read_again() {
    let defaults = effective("", &[]);
    let [read, reference] = [&defaults, REFERENCE].map(|toml| Settings {
        named: Named::default(),
        ..load(toml, &[]).unwrap()
    });
    assert_eq!(format!("{read:?}"), format!("{reference:?}"));
    assert_eq!(effective(&defaults, &[]), defaults.replace("# default", "# FILE"));
    assert!(defaults.contains("\npassword = \"\" # default\n"));
}
