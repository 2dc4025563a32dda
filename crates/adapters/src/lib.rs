//! What other systems export about conversations, as Rollcall's events.
//!
//! No I/O and no clock: the events of a line follow from the line and the [`Mapping`] alone, with ids that follow from
//! those of the line. So exports that overlap, or that are published again, give the same events. In reading order:
//!
//! - `mapping`: where the organisation and the mentor come from, and what is taken
//! - `turn`: what a user asked and what was answered, and the events of that
//! - `dialogue`: the messages of a chat history, in the shapes that providers give them
//! - `otel`: OTLP JSON with the GenAI semantic conventions
//! - `langfuse`: traces and observations of Langfuse
//! - `error`: why a line cannot be adapted, and what is left out of it

mod dialogue;
mod error;
mod langfuse;
mod mapping;
mod otel;
mod turn;

use serde::de::DeserializeOwned;

pub use error::{AdaptError, LeftOut, Problem};
pub use mapping::{DEFAULT_OPERATIONS, Format, Mapping, Tags};

/// What became of a line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Adapted {
    /// CloudEvents in JSON, in the order of the line.
    pub events: Vec<String>,
    /// What gives no event, one for each item.
    pub left_out: Vec<LeftOut>,
}

/// Makes the events of a line of an export.
pub fn adapt(line: &[u8], mapping: &Mapping) -> Result<Adapted, AdaptError> {
    match mapping.format {
        Format::OtelGenai => otel::adapt(line, mapping),
        Format::Langfuse => langfuse::adapt(line, mapping),
    }
}

/// Parses JSON, with each escape of half a surrogate pair read as U+FFFD.
fn parse<T: DeserializeOwned>(json: &[u8]) -> Result<T, serde_json::Error> {
    serde_json::from_slice(json).or_else(|error| {
        events::mend_surrogates(json).map_or(Err(error), |mended| serde_json::from_slice(&mended))
    })
}
