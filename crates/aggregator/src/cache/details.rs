//! What conversations show, as they were read when a page had them.

use std::collections::HashMap;

use events::Conversation;
use futures::future::try_join;

use super::{Cache, Source, parts::Parts};
use crate::error::Error;

/// So many rows of new parts are looked through for conversations that are held; of more, all are forgotten.
const FEW_ROWS: u64 = 100_000;

/// How much memory they take, in bytes, before all but those of the last page are forgotten.
const BYTES: usize = 4 << 20;

/// Conversations as their facts tell of them.
#[derive(Debug, Default)]
pub(crate) struct Details {
    /// Of `messages` and of `annotations`: what has come in parts besides is not told by those that are held.
    parts: [Parts; 2],
    held: HashMap<u128, Conversation>,
    bytes: usize,
}

impl Details {
    /// The tables that tell of a conversation.
    pub(super) const TABLES: [&'static str; 2] = ["messages", "conversation_annotations"];

    /// Forgets those that something has come of besides what these parts had.
    pub(super) async fn refresh(&mut self, store: &Source, org: &str, now: [Parts; 2]) -> Result<(), Error> {
        let [before_messages, before_annotations] = &self.parts;
        let [messages, annotations] = &now;
        let changed = try_join(
            self.changed(store, org, Self::TABLES[0], before_messages, messages),
            self.changed(store, org, Self::TABLES[1], before_annotations, annotations),
        )
        .await?;
        match changed {
            (Some(messages), Some(annotations)) => {
                for id in messages.iter().chain(&annotations) {
                    if let Some(gone) = self.held.remove(id) {
                        self.bytes -= bytes(&gone);
                    }
                }
            }
            _ => self.clear(),
        }
        self.parts = now;
        Ok(())
    }

    /// Which conversations the parts of a table tell of that are not known; none where that may be any.
    async fn changed(
        &self,
        store: &Source,
        org: &str,
        table: &'static str,
        before: &Parts,
        now: &Parts,
    ) -> Result<Option<Vec<u128>>, Error> {
        let Some(known) = before.known_among(now) else {
            return Ok(None);
        };
        if known.len() == now.len() || self.held.is_empty() {
            return Ok(Some(Vec::new()));
        }
        if now.rows_besides(&known) > FEW_ROWS {
            return Ok(None);
        }
        let sql = include_str!("../../sql/conversations_changed.sql").replace("${table}", table);
        let query = now
            .query(store, table, &sql, org)
            .param("known", known)
            .param("limit", FEW_ROWS);
        let changed: Vec<u128> = store.run(query.fetch_all()).await?;
        Cache::count(changed.len());
        // There may be more: known parts that were merged meanwhile are new to the statement.
        let are_all = u64::try_from(changed.len()).is_ok_and(|changed| changed < FEW_ROWS);
        Ok(are_all.then_some(changed))
    }

    /// Those of these ids that there are, in the order of the ids; what is not held is read.
    pub(crate) async fn of(
        &mut self,
        store: &Source,
        org: &str,
        ids: &[u128],
    ) -> Result<Vec<Conversation>, Error> {
        let missing: Vec<u128> = ids
            .iter()
            .copied()
            .filter(|id| !self.held.contains_key(id))
            .collect();
        let read = store.conversations(org, &missing).await?;
        Cache::count(read.len());
        for conversation in read {
            self.bytes += bytes(&conversation);
            self.held.insert(conversation.id.as_u128(), conversation);
        }
        let conversations = ids.iter().filter_map(|id| self.held.get(id).cloned()).collect();
        if self.bytes > BYTES {
            self.held.retain(|id, _| ids.contains(id));
            self.held.shrink_to_fit();
            self.bytes = self.held.values().map(bytes).sum();
            if self.bytes > BYTES {
                self.clear();
            }
        }
        Ok(conversations)
    }

    /// Forgets all.
    pub(super) fn clear(&mut self) {
        self.held = HashMap::new();
        self.bytes = 0;
    }

    /// About how much memory they take, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes + self.parts.iter().map(Parts::bytes).sum::<usize>()
    }
}

fn bytes(conversation: &Conversation) -> usize {
    let texts = [
        &conversation.user_id,
        &conversation.first_message,
        &conversation.model,
    ];
    2 * size_of::<(u128, Conversation)>()
        + texts
            .into_iter()
            .chain(&conversation.topics)
            .map(|text| size_of::<String>() + text.len())
            .sum::<usize>()
}
