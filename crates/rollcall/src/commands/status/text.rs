//! A status on a screen.

use std::cmp::Reverse;

use aggregator::Growth;
use indicatif::{DecimalBytes, HumanCount};

use super::{
    CLICKHOUSE, DEAD_LETTERS, FORECAST, INGESTION, KAFKA, SCHEMA, TABLES,
    page::{Columns, Page},
    report::{Kafka, Report, Shard, Stored, Table},
};

/// The maximum number of partitions that are shown: those with the greatest lag.
const PARTITIONS: usize = 8;

/// So many days are no forecast any more.
const CENTURY: u64 = 36_500;

/// All of it, section by section.
pub(super) fn render(report: &Report) -> String {
    let mut page = Page::default();
    clickhouse(&mut page, report);
    ingestion(&mut page, report);
    shards(&mut page, report);
    tables(&mut page, report);
    forecast(&mut page, report);
    dead_letters(&mut page, report);
    page.into_text()
}

fn clickhouse(page: &mut Page, report: &Report) {
    page.section("ClickHouse");
    let Some(clickhouse) = &report.clickhouse else {
        page.says("version", &unknown(report, CLICKHOUSE));
        return;
    };
    page.says("version", &clickhouse.version);
    wrong(page, report, CLICKHOUSE);
    if let Some(cluster) = &clickhouse.cluster {
        page.says("cluster", cluster);
    }
    let urls = clickhouse.urls.join(", ");
    page.says("database", &format!("{} at {urls}", clickhouse.database));
    let schema = match (&clickhouse.schema, report.errors.get(SCHEMA)) {
        (None, _) => unknown(report, SCHEMA),
        (Some(_), Some(error)) => error.clone(),
        (Some(schema), None) => format!("at version {}, {}", schema.version, schema.state),
    };
    page.says("schema", &schema);
}

fn ingestion(page: &mut Page, report: &Report) {
    page.section("Ingestion");
    match &report.kafka {
        None => page.says("lag", &unknown(report, KAFKA)),
        Some(kafka) => {
            lag(page, kafka);
            wrong(page, report, KAFKA);
        }
    }
    let Some(reported) = &report.ingestion else {
        page.says("newest event", &unknown(report, INGESTION));
        return;
    };
    let newest = ago(reported.newest_event_at.as_ref(), reported.freshness_seconds);
    page.says("newest event", newest.as_deref().unwrap_or("none yet"));
    let latest = ago(reported.as_of.as_ref(), reported.as_of_age_seconds).map(|latest| {
        let runs = plural(reported.running, "run", "runs");
        format!("{latest}; within the last minute by {runs}")
    });
    page.says("last report", latest.as_deref().unwrap_or("none yet"));
    let rejected = plural(reported.rejected, "record", "records");
    page.says("rejected", &format!("{rejected}, by all runs"));
}

fn lag(page: &mut Page, kafka: &Kafka) {
    let partitions = kafka.partitions.iter();
    let mut behind: Vec<_> = partitions.filter(|partition| partition.lag > 0).collect();
    let lag = format!(
        "{}, in {} of {} partitions of {}",
        plural(kafka.lag, "record", "records"),
        behind.len(),
        kafka.partitions.len(),
        kafka.topic
    );
    page.says("lag", &lag);
    behind.sort_by_key(|partition| (Reverse(partition.lag), partition.number));
    if !behind.is_empty() {
        let mut columns = Columns::new(0, &["PARTITION", "START", "COMMITTED", "END", "LAG"]);
        for partition in behind.iter().take(PARTITIONS) {
            let committed = partition.committed.map(|offset| offset.to_string());
            columns.row([
                partition.number.to_string(),
                partition.start.to_string(),
                committed.unwrap_or("none".to_owned()),
                partition.end.to_string(),
                HumanCount(partition.lag).to_string(),
            ]);
        }
        page.details(&columns);
    }
    if let Some(more @ 1..) = behind.len().checked_sub(PARTITIONS) {
        page.says("", &format!("and {more} more: --json has all"));
    }
    let members = kafka.members.map(|members| plural(members, "member", "members"));
    let members = members.unwrap_or("of which the brokers do not say the members".to_owned());
    page.says("group", &format!("{}, {members}", kafka.group_id));
}

/// Shard by shard, where there is a cluster.
fn shards(page: &mut Page, report: &Report) {
    let (true, Some(shards)) = (is_cluster(report), &report.shards) else {
        return;
    };
    page.section("Shards");
    let heads = [
        "SHARD",
        "VERSION",
        "ROWS",
        "BYTES",
        "PARTS",
        "MOST OF A TABLE",
        "DISK FREE",
        "OF",
    ];
    let mut columns = Columns::new(2, &heads);
    let count = |number: Option<u64>| number.map_or("-".to_owned(), |number| HumanCount(number).to_string());
    let size = |number: Option<u64>| number.map_or("-".to_owned(), bytes);
    for shard in shards {
        columns.row([
            shard.number.to_string(),
            shard.version.clone().unwrap_or("away".to_owned()),
            count(shard.rows),
            size(shard.bytes),
            count(shard.parts),
            count(shard.most_parts),
            size(shard.disk_free_bytes),
            size(shard.disk_total_bytes),
        ]);
    }
    page.columns(&columns);
}

fn tables(page: &mut Page, report: &Report) {
    page.section("Tables");
    let Some(tables) = &report.tables else {
        page.says("rows", &unknown(report, TABLES));
        return;
    };
    let heads = [
        "KIND",
        "TABLE",
        "ROWS",
        "BYTES",
        "PARTS",
        "ROWS OF A SHARD",
        "MOST PARTS",
    ];
    let of_shards = if is_cluster(report) { 0 } else { 2 };
    let mut columns = Columns::new(2, &heads[..heads.len() - of_shards]);
    let (others, shown): (Vec<_>, Vec<_>) = tables.iter().partition(|table| table.kind == "other");
    let mut kind = "";
    for table in shown {
        let named = if table.kind == kind { "" } else { table.kind };
        kind = table.kind;
        columns.row(cells(report, [named, &table.name], &[table]));
    }
    let count = format!("{} tables", others.len());
    columns.row(cells(report, ["other", &count], &others));
    columns.row(cells(report, ["all", ""], &tables.iter().collect::<Vec<_>>()));
    page.columns(&columns);
}

/// The cells of a row about tables.
fn cells(report: &Report, names: [&str; 2], tables: &[&Table]) -> [String; 7] {
    let all = Stored::sum(tables.iter().map(|table| table.stored));
    let answered = report
        .shards
        .iter()
        .flatten()
        .filter(|shard| shard.rows.is_some());
    let of_shards: Vec<_> = answered
        .map(|shard| {
            let sizes = tables.iter().flat_map(|table| &table.shards);
            let sizes = sizes.filter(|size| size.shard == shard.number);
            Stored::sum(sizes.map(|size| size.stored))
        })
        .collect();
    let rows = || of_shards.iter().map(|stored| stored.rows);
    let parts = of_shards.iter().map(|stored| stored.parts).max();
    let [kind, name] = names.map(str::to_owned);
    [
        kind,
        name,
        HumanCount(all.rows).to_string(),
        bytes(all.bytes),
        HumanCount(all.parts).to_string(),
        format!(
            "{} to {}",
            HumanCount(rows().min().unwrap_or(0)),
            HumanCount(rows().max().unwrap_or(0))
        ),
        HumanCount(parts.unwrap_or(0)).to_string(),
    ]
}

fn forecast(page: &mut Page, report: &Report) {
    page.section("Forecast");
    let Some(forecast) = &report.forecast else {
        page.says("growth", &unknown(report, FORECAST));
        return;
    };
    let days = Growth::DAYS;
    let growth = match forecast.bytes_per_day {
        Some(per_day) => format!(
            "{} a day, by the last {days} days that have ended",
            bytes(per_day)
        ),
        None => format!("not enough history: {} of {days} days", forecast.history_days),
    };
    page.says("growth", &growth);
    let shards = report.shards.as_deref().unwrap_or_default();
    // Those of several are with each.
    if let [shard @ Shard { rows: Some(_), .. }] = shards {
        let disk = match (shard.disk_free_bytes, shard.disk_total_bytes) {
            (Some(free), Some(total)) => format!("{} of {} are free", bytes(free), bytes(total)),
            _ => "without a limit".to_owned(),
        };
        page.says("disk", &disk);
    }
    if let Some(days) = forecast.days_until_full {
        let time = if days > CENTURY {
            "more than 100 years".to_owned()
        } else {
            plural(days, "day", "days")
        };
        let mut those = shards.iter().filter(|shard| shard.days_until_full == Some(days));
        let first = those.next().filter(|_| shards.len() > 1);
        let first = first.map_or(String::new(), |shard| format!(", shard {} first", shard.number));
        page.says("full", &format!("in {time} at this growth{first}"));
    }
}

fn dead_letters(page: &mut Page, report: &Report) {
    page.section("Dead letters");
    let Some(letters) = &report.dead_letters else {
        page.says("count", &unknown(report, DEAD_LETTERS));
        return;
    };
    let total = HumanCount(letters.total);
    let of_them = if letters.complete {
        String::new()
    } else {
        format!(
            ", of which {} of the latest were counted",
            HumanCount(letters.counted)
        )
    };
    page.says("count", &format!("{total} in {}{of_them}", letters.topic));
    if letters.counted > 0 {
        let mut columns = Columns::new(1, &["REASON", "COUNT"]);
        let mut reasons: Vec<_> = letters.by_reason.iter().collect();
        reasons.sort_by_key(|(code, count)| (Reverse(**count), *code));
        for (code, count) in reasons {
            columns.row([code.clone(), HumanCount(*count).to_string()]);
        }
        if letters.unreadable > 0 {
            let count = HumanCount(letters.unreadable).to_string();
            columns.row(["none of Rollcall's".to_owned(), count]);
        }
        page.columns(&columns);
    }
}

fn is_cluster(report: &Report) -> bool {
    let clickhouse = report.clickhouse.as_ref();
    clickhouse.is_some_and(|clickhouse| clickhouse.cluster.is_some())
}

/// Says what is wrong with a part that is known, if anything is.
fn wrong(page: &mut Page, report: &Report, part: &str) {
    if let Some(error) = report.errors.get(part) {
        page.says("wrong", error);
    }
}

/// That a part is not known, and why: by itself, or since ClickHouse is not.
fn unknown(report: &Report, part: &str) -> String {
    match report.errors.get(part) {
        Some(error) => format!("unknown: {error}"),
        None => "unknown, as ClickHouse is".to_owned(),
    }
}

/// An instant, and how long ago that was.
fn ago(at: Option<&String>, age: Option<u64>) -> Option<String> {
    Some(format!("{}, {} ago", at?, duration(age?)))
}

fn bytes(count: u64) -> String {
    DecimalBytes(count).to_string()
}

fn plural(count: u64, one: &str, several: &str) -> String {
    format!("{} {}", HumanCount(count), if count == 1 { one } else { several })
}

/// A time in the largest unit of which there are two.
fn duration(seconds: u64) -> String {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    let units = [(DAY, "days"), (HOUR, "h"), (MINUTE, "min")];
    let unit = units.iter().find(|(length, _)| seconds >= 2 * length);
    let (length, name) = unit.copied().unwrap_or((1, "s"));
    format!("{} {name}", HumanCount(seconds / length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_in_the_largest_unit_of_which_there_are_two() {
        for (seconds, text) in [
            (0, "0 s"),
            (119, "119 s"),
            (120, "2 min"),
            (7_199, "119 min"),
            (7_200, "2 h"),
            (172_800, "2 days"),
            (172_800_000, "2,000 days"),
        ] {
            assert_eq!(duration(seconds), text);
        }
    }
}
