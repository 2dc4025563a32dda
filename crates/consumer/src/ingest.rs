//! From records to rows in the sink, and to the offsets that are committed behind them. In reading order:
//!
//! - `pipeline`: the loop: source → decode → batch → insert → settle
//! - `source`: membership of the group, commits, pauses
//! - `protocol`: what differs between the protocols of groups
//! - `unreadable`: batches that cannot be unpacked or parsed, found to be passed over
//! - `record`: from a record to its named outcome
//! - `rejections`: rejected records in the log
//! - `batch`, `batcher`: rows, dead letters and the offsets that they stand for; when a batch is closed
//! - `delivery`: from a closed batch to its receipt
//! - `rows`: rows, written until the sink has acknowledged them
//! - `refused`: the records of a refused batch, of which those at fault are found
//! - `bisect`: which of many records a sink refuses
//! - `breaker`: whether it refuses all of them
//! - `dead_letters`: rejected records, in their topic
//! - `ledger`: from receipts to the offsets that may be committed; the only place that makes one
//! - `gaps`: offsets without a record, and which of them were lost
//! - `lag`: what waits in the logs, and what they no longer hold
//! - `unsettled`: how old the oldest record is that is read and not settled
//! - `backoff`, `budget`: how long to wait, how much to hold
//! - `counters`: metrics before anything is counted

pub(crate) mod backoff;
pub(crate) mod batch;
pub(crate) mod batcher;
pub(crate) mod bisect;
pub(crate) mod breaker;
pub(crate) mod budget;
pub(crate) mod counters;
pub(crate) mod dead_letters;
pub(crate) mod delivery;
pub(crate) mod gaps;
pub(crate) mod lag;
pub(crate) mod ledger;
pub(crate) mod pipeline;
pub(crate) mod protocol;
pub(crate) mod record;
pub(crate) mod refused;
pub(crate) mod rejections;
pub(crate) mod rows;
pub(crate) mod source;
pub(crate) mod unreadable;
pub(crate) mod unsettled;
