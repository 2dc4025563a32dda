//! `rollcall check`

use std::time::Duration;

use aggregator::{Store, migrate::Access};
use anyhow::ensure;
use serde::Serialize;

use crate::{
    cli::{CheckOptions, CheckedRole},
    settings::Settings,
    shutdown::Tasks,
};

/// How long the brokers may take for an answer.
const KAFKA_TIMEOUT: Duration = Duration::from_secs(10);

/// What came of a check.
#[derive(Debug, Serialize)]
struct Checked {
    role: &'static str,
    /// `ClickHouse` or `Kafka`.
    service: &'static str,
    /// What is needed.
    needs: String,
    status: Status,
    /// What to do, or why it is not known.
    advice: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Ok,
    Missing,
    Unknown,
}

impl Status {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Missing => "missing",
            Self::Unknown => "unknown",
        }
    }
}

/// Whether something is there: none, or why not.
type Outcome = Result<(), (Status, String)>;

/// Checks what commands need, and prints a line for each.
///
/// # Errors
/// Where anything is missing or not known.
#[expect(clippy::print_stdout, reason = "what was found is the output of this command")]
pub(crate) async fn run(settings: &Settings, options: &CheckOptions) -> anyhow::Result<()> {
    let tasks = Tasks::new()?;
    let mut checked = Vec::new();
    for role in &options.roles {
        let of_role = async { Ok::<_, anyhow::Error>(check(settings, *role).await) };
        match tasks.unless_stopped(of_role).await? {
            Some(of_role) => checked.extend(of_role),
            None => anyhow::bail!("stopped before the end"),
        }
    }
    if options.json {
        println!("{}", serde_json::to_string_pretty(&checked)?);
    } else {
        for check in &checked {
            println!("{}", line(check));
        }
    }
    let failed = checked.iter().filter(|check| check.status != Status::Ok).count();
    ensure!(failed == 0, "{failed} of {} checks failed", checked.len());
    Ok(())
}

fn line(checked: &Checked) -> String {
    let Checked {
        role,
        service,
        needs,
        status,
        advice,
    } = checked;
    let advice = advice.as_ref().map(|advice| format!(": {advice}"));
    format!(
        "{:7}  {role}: {service}: {needs}{}",
        status.as_str(),
        advice.unwrap_or_default()
    )
}

/// All that a role needs.
async fn check(settings: &Settings, role: CheckedRole) -> Vec<Checked> {
    let mut checked = Vec::new();
    let mut add = |service, needs: String, outcome: Outcome| {
        let (status, advice) = match outcome {
            Ok(()) => (Status::Ok, None),
            Err((status, advice)) => (status, Some(advice)),
        };
        checked.push(Checked {
            role: role.name(),
            service,
            needs,
            status,
            advice,
        });
        status
    };
    if let Some(role) = role.in_clickhouse() {
        for (needs, outcome) in in_clickhouse(settings, role).await {
            add("ClickHouse", needs, outcome);
        }
    }
    if let Some(role) = role.in_kafka() {
        for need in role.needs(&settings.kafka) {
            let outcome = in_kafka(&need, &settings.kafka).await;
            let is_unknown = matches!(outcome, Err((Status::Unknown, _)));
            add("Kafka", need.to_string(), outcome);
            if is_unknown {
                // The others would wait as long for as much.
                break;
            }
        }
    }
    checked
}

async fn in_clickhouse(settings: &Settings, role: aggregator::Role) -> Vec<(String, Outcome)> {
    let settings = &settings.clickhouse;
    let store = Store::new(settings);
    let answers = match store.is_read_only().await {
        Ok(is_read_only) if is_read_only && role.must_write() => Err((
            Status::Missing,
            "set readonly = 0 in the profile of its user".to_owned(),
        )),
        Ok(_) => Ok(()),
        Err(error) => Err(unknown(error)),
    };
    let is_away = answers.is_err();
    let mut checked = vec![(format!("{} answers {}", settings.url, settings.user), answers)];
    if is_away {
        return checked;
    }
    for grant in role.grants(settings) {
        let granted = match store.is_granted(&grant).await {
            Ok(true) => Ok(()),
            Ok(false) => Err((Status::Missing, format!("GRANT {grant} TO {}", settings.user))),
            Err(error) => Err(unknown(error)),
        };
        checked.push((grant, granted));
    }
    if role != aggregator::Role::Migrate {
        let access = if role == aggregator::Role::Ingest {
            Access::Write
        } else {
            Access::Read
        };
        let schema = match store.require_schema(access).await {
            Ok(()) => Ok(()),
            Err(
                error @ (aggregator::Error::OutdatedSchema { .. } | aggregator::Error::NewerSchema { .. }),
            ) => Err((Status::Missing, error.to_string())),
            Err(error) => Err(unknown(error)),
        };
        checked.push((format!("the schema of database {}", settings.database), schema));
    }
    checked
}

async fn in_kafka(need: &consumer::Need, settings: &consumer::Settings) -> Outcome {
    match need.check(settings, KAFKA_TIMEOUT).await {
        Ok(()) => Ok(()),
        Err(consumer::Error::Denied(denial)) => Err((Status::Missing, denial.to_string())),
        Err(error @ consumer::Error::NoTopic { .. }) => Err((Status::Missing, error.to_string())),
        Err(error) => Err(unknown(error)),
    }
}

fn unknown(error: impl Into<anyhow::Error>) -> (Status, String) {
    (Status::Unknown, format!("{:#}", error.into()))
}
