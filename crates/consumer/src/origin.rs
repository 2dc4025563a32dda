//! What a dead letter says of the record that was rejected.

use crate::ingest::dead_letters::{CUT_FROM, HEADERS, TIMESTAMP};
use crate::kafka::reader::{Header, Stored};
use crate::settings::is_topic_name;

/// What was appended to a rejected record.
pub(crate) struct Origin<'a> {
    /// The record's own headers.
    pub(crate) headers: Vec<Header<'a>>,
    /// The code of the reason.
    pub(crate) code: &'a str,
    pub(crate) topic: &'a str,
    pub(crate) partition: i32,
    pub(crate) offset: &'a str,
    pub(crate) is_cut: bool,
}

impl<'a> Origin<'a> {
    /// `None` if the letter is none of ours.
    pub(crate) fn of(letter: &'a Stored) -> Option<Self> {
        let mut headers = letter.headers()?;
        let is_cut = headers.pop_if(|(name, _)| *name == CUT_FROM).is_some();
        // A letter of before there was this header has none.
        let _timestamp = headers.pop_if(|(name, _)| *name == TIMESTAMP);
        let ours = headers.split_off(headers.len().checked_sub(HEADERS.len())?);
        let value = |index: usize| {
            let (name, value) = ours.get(index)?;
            (Some(name) == HEADERS.get(index)).then_some(())?;
            std::str::from_utf8((*value)?).ok()
        };
        let [_, code, topic, partition, offset] = [value(0)?, value(1)?, value(2)?, value(3)?, value(4)?];
        Some(Self {
            headers,
            code,
            topic: Some(topic).filter(|topic| is_topic_name(topic))?,
            partition: partition.parse().ok()?,
            offset,
            is_cut,
        })
    }
}
