//! `rollcall migrate`

use aggregator::{Store, migrate::latest_version};
use anyhow::Context;

use crate::settings::Settings;

/// Creates or upgrades the schema.
#[expect(clippy::print_stdout, reason = "what was done is the output of this command")]
pub(crate) async fn run(settings: &Settings) -> anyhow::Result<()> {
    let clickhouse = &settings.clickhouse;
    Store::new(clickhouse)
        .migrate(|name| println!("applied {name}"))
        .await
        .with_context(|| {
            format!(
                "cannot migrate the database {} at {}",
                clickhouse.database, clickhouse.url
            )
        })?;
    println!(
        "the schema of database {} is at version {}",
        clickhouse.database,
        latest_version()
    );
    Ok(())
}
