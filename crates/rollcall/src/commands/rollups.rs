//! `rollcall verify` and `rollcall rebuild`

use aggregator::{Store, verified_tables};
use anyhow::{Context, ensure};

use crate::{progress, settings::Settings};

/// Compares rollups with the facts; none named means all.
///
/// # Errors
/// Where they differ, and where ClickHouse does not answer.
#[expect(clippy::print_stdout, reason = "what was found is the output of this command")]
pub(crate) async fn verify(settings: &Settings, named: &[String]) -> anyhow::Result<()> {
    let store = store(settings).await?;
    let mut drifted = Vec::new();
    for table in chosen(named) {
        let spinner = progress::spinner(&format!("verifying {table}"));
        let drift = store
            .verify(table)
            .await
            .with_context(|| format!("cannot verify {table} at {}", settings.clickhouse.url))?;
        spinner.finish_and_clear();
        match drift {
            None => println!("{table}: agrees with the facts"),
            Some(drift) => {
                println!("{drift}");
                drifted.push(table);
            }
        }
    }
    ensure!(
        drifted.is_empty(),
        "rollups differ from their facts; to correct them: rollcall rebuild {}",
        drifted.join(" ")
    );
    Ok(())
}

/// Makes rollups again from the facts; none named means all.
///
/// # Errors
/// Where ClickHouse fails to.
#[expect(clippy::print_stdout, reason = "what was done is the output of this command")]
pub(crate) async fn rebuild(settings: &Settings, named: &[String]) -> anyhow::Result<()> {
    ensure!(
        !settings.clickhouse.replicated,
        "clickhouse.replicated: rebuild does not know replicas"
    );
    let store = store(settings).await?;
    for table in chosen(named) {
        let spinner = progress::spinner(&format!("rebuilding {table}"));
        store.rebuild(table).await.with_context(|| {
            format!(
                "cannot rebuild {table} at {}; run it again to complete what is half done",
                settings.clickhouse.url
            )
        })?;
        spinner.finish_and_clear();
        println!("{table}: rebuilt");
    }
    Ok(())
}

/// The store, once it is certain that its rollups are defined as this program defines them.
async fn store(settings: &Settings) -> anyhow::Result<Store> {
    let store = Store::new(&settings.clickhouse);
    store
        .require_known_schema()
        .await
        .with_context(|| format!("ClickHouse at {}", settings.clickhouse.url))?;
    Ok(store)
}

/// The tables of these names, each after the finer one that it is made from.
fn chosen(named: &[String]) -> impl Iterator<Item = &'static str> {
    verified_tables()
        .into_iter()
        .filter(move |table| named.is_empty() || named.iter().any(|name| name == table))
}
