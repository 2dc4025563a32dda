//! `rollcall forget`

use std::{
    io::{IsTerminal, Write},
    time::Duration,
};

use aggregator::{Erased, Footprint, Store};
use anyhow::{Context, bail};
use events::{Body, Erasure, Event};
use tokio::time::sleep;

use crate::{cli::ForgetOptions, clock, progress, settings::Settings};

/// How soon to look again while another process erases.
const WAIT: Duration = Duration::from_secs(1);

/// Erases what a user said and registered up to now, and keeps it from coming back.
///
/// # Errors
/// Where ClickHouse does not answer or refuses, where the schema is not as this program knows it, and where nobody can be
/// asked for a confirmation.
#[expect(clippy::print_stdout, reason = "what was done is the output of this command")]
pub(crate) async fn run(settings: &Settings, options: &ForgetOptions) -> anyhow::Result<()> {
    let ForgetOptions { org, user, .. } = options;
    let store = Store::new(&settings.clickhouse);
    let at = || format!("ClickHouse at {}", settings.clickhouse.url);
    store.require_known_schema().await.with_context(at)?;
    let erased_at = clock::now();
    let footprint = store.footprint(org, user, erased_at).await.with_context(at)?;
    println!("{user} of {org}: {}", Shown(footprint));
    if options.dry_run {
        return Ok(());
    }
    if !options.yes && !is_confirmed()? {
        println!("nothing is erased");
        return Ok(());
    }
    store.refresh_erasures().await.with_context(at)?;
    let mut batch = store.batch();
    batch.append(&Event {
        org: org.as_str().into(),
        id: "forget".into(),
        time: erased_at,
        body: Body::Erasure(Erasure {
            user_id: user.as_str().into(),
            erased_at,
        }),
    });
    store.insert(&batch.seal(), clock::now).await.with_context(at)?;
    let again = "it is asked for: `ingest` erases it, or run this again";
    let spinner = progress::spinner("erasing");
    loop {
        let step = |step: &str| spinner.set_message(step.to_owned());
        match store.erase(step).await.with_context(at).context(again)? {
            Erased::Elsewhere => {
                spinner.set_message("waiting for another process that erases");
                sleep(WAIT).await;
            }
            Erased::Nothing | Erased::Requests(_) => break,
        }
    }
    spinner.finish_and_clear();
    println!("erased; by its defaults ClickHouse removes the files that held it within a quarter of an hour");
    Ok(())
}

/// Asks whoever is at the terminal.
fn is_confirmed() -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() {
        bail!("this cannot be undone: --yes confirms it");
    }
    let mut stdout = std::io::stdout();
    write!(stdout, "Erase it? This cannot be undone. [y/N] ")?;
    stdout.flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// What is known of a user, in words.
struct Shown(Footprint);

impl std::fmt::Display for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Footprint {
            messages,
            conversations,
            alone,
            registrations,
        } = self.0;
        write!(
            f,
            "messages: {messages}, in conversations: {conversations}, of which nobody else spoke in: {alone}, \
             registrations: {registrations}"
        )
    }
}
