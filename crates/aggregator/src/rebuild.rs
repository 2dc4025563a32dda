//! Rebuilding: a rollup made from the facts again, while events arrive and questions are answered.
//!
//! A shadow of the rollup's table is filled by copies of its views, then with all that came before them, and is exchanged
//! with the table in one step. An insert that ran when the copies were made, or when the tables were exchanged, may have
//! seen one table and not the other. Its rows are in a part of the source that is newer than a mark set before, so once
//! those inserts have ended, what is newer than the mark is inserted again: a rollup is a join, which rows that it has
//! do not change.

use std::time::Duration;

use crate::{
    connection::Connection,
    error::Error,
    observed::OBSERVED_TABLE,
    observed_users::OBSERVED_USERS_TABLE,
    rollup::{View, views_into},
    store::Store,
};

/// How long to wait before asking again whether an insert has ended.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

impl Store {
    /// Makes a rollup again from its facts, or from the finer rollup that it is made from.
    ///
    /// Safe while events arrive, and answers stay right. It needs the disk space of a second copy of the table while it
    /// runs. One that was interrupted is completed by running it again. In a cluster each step is made on every node that is
    /// listed before the next.
    ///
    /// # Errors
    /// Those of any query, and [`Error::Busy`] while another process rebuilds or erases.
    pub async fn rebuild(&self, table: &'static str) -> Result<(), Error> {
        let rebuilt = self.alone(self.rebuild_alone(table)).await?;
        rebuilt.ok_or(Error::Busy)
    }

    async fn rebuild_alone(&self, table: &'static str) -> Result<(), Error> {
        let settings = &self.clickhouse.settings;
        let nodes: Vec<Connection> = self
            .nodes()
            .into_iter()
            .map(|node| node.store.clickhouse)
            .collect();
        if [OBSERVED_TABLE, OBSERVED_USERS_TABLE].contains(&table) {
            // What is not observed is counted from rows, until it is observed again.
            for node in &nodes {
                node.change(&format!("TRUNCATE TABLE {table}")).await?;
            }
            return Ok(());
        }
        let shadow = format!("{table}_rebuild");
        let views: Vec<_> = views_into(table).collect();
        self.drop_shadow(&nodes, &shadow, &views).await?;
        for node in &nodes {
            node.change(&format!("CREATE TABLE {shadow} AS {table}")).await?;
        }
        for node in &nodes {
            if let Some(create) = settings.create_distributed_like(table, &shadow) {
                node.change(&create).await?;
            }
        }
        // The latest block of each view's source on each node when the shadow began to be filled.
        let mut marks = Vec::with_capacity(nodes.len());
        let into = settings.spread_over_shards(&shadow);
        for node in &nodes {
            let mut of_node = Vec::with_capacity(views.len());
            for view in &views {
                let (copy, select) = (copy_of(view), view.select_from(view.source));
                let create = format!("CREATE MATERIALIZED VIEW {copy} TO {into} AS {select}");
                node.change(&create).await?;
                of_node.push(node.latest_block(view.source).await?);
            }
            marks.push(of_node);
        }
        for node in &nodes {
            for view in &views {
                node.fill(&into, view, view.source).await?;
            }
        }
        for node in &nodes {
            node.change(&format!("EXCHANGE TABLES {table} AND {shadow}"))
                .await?;
        }
        for node in &nodes {
            node.await_running_inserts().await?;
        }
        for (node, marks) in nodes.iter().zip(marks) {
            for (view, block) in views.iter().zip(marks) {
                // The name of a part: partition, least block, greatest block, level.
                let newer = format!(
                    "(SELECT * FROM {} WHERE toUInt64(splitByChar('_', _part)[3]) > {block})",
                    view.source
                );
                node.fill(&settings.spread_over_shards(table), view, &newer)
                    .await?;
            }
        }
        self.drop_shadow(&nodes, &shadow, &views).await?;
        self.enter_change_of_all().await
    }

    /// The copies go first, on every node: an insert that is running then finds its tables until it ends.
    async fn drop_shadow(&self, nodes: &[Connection], shadow: &str, views: &[View]) -> Result<(), Error> {
        for node in nodes {
            for view in views {
                node.change(&format!("DROP VIEW IF EXISTS {}", copy_of(view)))
                    .await?;
            }
        }
        for node in nodes {
            node.await_running_inserts().await?;
        }
        let into = self.clickhouse.settings.spread_over_shards(shadow);
        for table in [into.as_str(), shadow] {
            for node in nodes {
                node.change(&format!("DROP TABLE IF EXISTS {table}")).await?;
            }
        }
        Ok(())
    }
}

impl Connection {
    /// Inserts what a view makes of a source.
    async fn fill(&self, table: &str, view: &View, source: &str) -> Result<(), Error> {
        self.change(&format!("INSERT INTO {table} {}", view.select_from(source)))
            .await
    }

    /// The number of the latest block of a table's parts; 0 where it has none.
    async fn latest_block(&self, table: &str) -> Result<u64, Error> {
        let block = self
            .client
            .query(include_str!("../sql/latest_block.sql"))
            .param("table", table);
        self.one(block).await
    }

    /// Returns once every insert into the database that is running now has ended.
    pub(crate) async fn await_running_inserts(&self) -> Result<(), Error> {
        let ended = async {
            let mut running = self.running_inserts().await?;
            while !running.is_empty() {
                tokio::time::sleep(POLL_INTERVAL).await;
                let now = self.running_inserts().await?;
                running.retain(|insert| now.contains(insert));
            }
            Ok(())
        };
        tokio::time::timeout(self.settings.maintenance_timeout(), ended)
            .await
            .unwrap_or_else(|_elapsed| Err(Error::timed_out()))
    }

    /// The inserts that are running, by their query ids.
    async fn running_inserts(&self) -> Result<Vec<String>, Error> {
        let running = self.client.query(include_str!("../sql/running_inserts.sql"));
        self.rows(running).await
    }
}

/// The name of a view's copy, which fills the shadow.
fn copy_of(view: &View) -> String {
    format!("{}_rebuild", view.name)
}
