//! What a chat event says, and what follows from a set of them.
//!
//! No I/O and no clock: decoding takes the bytes of a record and the instant it was read at; the oracle takes
//! events and gives answers. In reading order:
//!
//! - [`timestamp`]: instants, in whole milliseconds
//! - [`event`]: the three kinds of event
//! - [`period`]: hours, days and weeks of a range of dates
//! - [`answer`]: what the three endpoints ask for and what they tell

pub mod answer;
pub mod event;
pub mod period;
pub mod timestamp;

pub use answer::{CohortCount, Conversation, NewUsersBy, TranscriptFilter};
pub use event::{Annotation, Body, Event, Message, Registration, Role, Sentiment};
pub use period::{DateRange, Grain, Period};
pub use timestamp::Timestamp;
