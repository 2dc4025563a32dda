//! `rollcall keys`

use aggregator::{ApiKey, KeyState, Store, migrate::Access};
use anyhow::Context;
use events::Timestamp;
use serde::Serialize;

use crate::{
    cli::{KeysCommand, NewKey},
    secret,
    settings::Settings,
};

/// A key begins so, so that who finds one knows what it is.
const PREFIX: &str = "rollcall_";
/// So many characters out of 62 have more than 256 bits.
const LENGTH: usize = 43;

/// A key as `--json` shows it.
#[derive(Debug, Serialize)]
struct Listed {
    name: String,
    orgs: Vec<String>,
    state: &'static str,
    created_at: String,
    expires_at: Option<String>,
    revoked_at: Option<String>,
    last_used_at: Option<String>,
}

/// Creates, lists or revokes keys.
///
/// # Errors
/// Where the name of a key is taken, or nobody's; where the schema is missing; and where ClickHouse does not answer.
pub(crate) async fn run(settings: &Settings, command: KeysCommand) -> anyhow::Result<()> {
    let store = Store::new(&settings.clickhouse);
    let at = || format!("ClickHouse at {}", settings.clickhouse.url);
    store.require_schema(Access::Read).await.with_context(at)?;
    match command {
        KeysCommand::Create { key, .. } => create(&store, &key).await,
        KeysCommand::List { json, .. } => list(&store, json).await.with_context(at),
        KeysCommand::Revoke { name, .. } => Ok(store.revoke_api_key(&name).await?),
    }
}

#[expect(clippy::print_stdout, reason = "the key is the output of this command")]
async fn create(store: &Store, new: &NewKey) -> anyhow::Result<()> {
    let key = format!("{PREFIX}{}", secret::random(LENGTH));
    let hash = query::hash_key(&key);
    store
        .create_api_key(hash, &new.name, &new.orgs.0, new.expires)
        .await?;
    println!("{key}");
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the keys are the output of this command")]
async fn list(store: &Store, json: bool) -> anyhow::Result<()> {
    let (keys, uses) = (store.api_keys().await?, store.api_key_uses().await?);
    let listed = keys
        .into_iter()
        .map(|key| {
            let last_used_at = uses.get(&key.hash).copied();
            listed(key, last_used_at)
        })
        .collect::<Vec<_>>();
    if json {
        println!("{}", serde_json::to_string_pretty(&listed)?);
    } else {
        print!("{}", table(&listed));
    }
    Ok(())
}

fn listed(key: ApiKey, last_used_at: Option<Timestamp>) -> Listed {
    let text = |at: Option<Timestamp>| at.map(Timestamp::to_rfc3339_seconds);
    Listed {
        state: match key.state() {
            KeyState::Live => "live",
            KeyState::Expired => "expired",
            KeyState::Revoked => "revoked",
        },
        name: key.name,
        orgs: key.orgs,
        created_at: key.created_at.to_rfc3339_seconds(),
        expires_at: text(key.expires_at),
        revoked_at: text(key.revoked_at),
        last_used_at: text(last_used_at),
    }
}

/// Lines with columns that are as wide as what is in them.
fn table(keys: &[Listed]) -> String {
    let or = |at: &Option<String>, none: &str| at.clone().unwrap_or_else(|| none.to_owned());
    let head = ["NAME", "ORGS", "CREATED", "EXPIRES", "LAST USED", "STATE"].map(str::to_owned);
    let rows = keys.iter().map(|key| {
        [
            key.name.clone(),
            key.orgs.join(","),
            key.created_at.clone(),
            or(&key.expires_at, "never"),
            or(&key.last_used_at, "never"),
            key.state.to_owned(),
        ]
    });
    let rows: Vec<_> = std::iter::once(head).chain(rows).collect();
    let lines = rows.iter().map(|row| {
        let cells = row.iter().enumerate().map(|(column, cell)| {
            let width = rows.iter().map(|row| row[column].len()).max();
            format!("{cell:width$}", width = width.unwrap_or_default())
        });
        let cells: Vec<_> = cells.collect();
        format!("{}\n", cells.join("  ").trim_end())
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use aggregator::KeyHash;

    use super::*;

    #[test]
    fn keys_are_a_table_as_wide_as_what_is_in_it() {
        let at = |hours: i64| Timestamp::from_millis(1_700_000_000_000 + hours * 3_600_000);
        let first = ApiKey {
            hash: KeyHash([1; 32]),
            name: "a-dashboard".to_owned(),
            orgs: vec!["acme".to_owned(), "globex".to_owned()],
            created_at: at(0),
            expires_at: Some(at(24)),
            revoked_at: None,
            read_at: at(1),
        };
        let second = ApiKey {
            name: "b".to_owned(),
            orgs: vec!["*".to_owned()],
            expires_at: None,
            revoked_at: Some(at(1)),
            ..first.clone()
        };
        let keys = [listed(first, Some(at(1))), listed(second, None)];
        let expected = "\
NAME         ORGS         CREATED               EXPIRES               LAST USED             STATE
a-dashboard  acme,globex  2023-11-14T22:13:20Z  2023-11-15T22:13:20Z  2023-11-14T23:13:20Z  live
b            *            2023-11-14T22:13:20Z  never                 never                 revoked
";
        assert_eq!(table(&keys), expected);
    }
}
