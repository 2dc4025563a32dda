//! What a chat event says, and the types of the API's queries and answers.
//!
//! No I/O and no clock: decoding takes the bytes of a record and the instant it was read at. In reading order:
//!
//! - [`day`]: days of the calendar
//! - [`timestamp`]: instants, in whole milliseconds
//! - [`event`]: the four kinds of event
//! - [`mod@decode`]: from a record's headers and value to an event, or to the rule that it breaks
//! - [`period`]: hours, days and weeks of a range of dates
//! - [`answer`]: what the three endpoints ask for and what they return

pub mod answer;
pub mod day;
pub mod decode;
pub mod event;
pub mod period;
pub mod timestamp;

pub use answer::{
    CohortCount, Conversation, ConversationMessage, MessageFilter, MessageRecord, NewUsersBy, Place,
    Progress, TranscriptFilter, folded_topic, topic_key,
};
pub use day::Day;
pub use decode::{Decoded, Rejection, decode, mend_surrogates, schemas};
pub use event::{Annotation, Body, Erasure, Event, Message, Registration, Role, Sentiment};
pub use period::{DateRange, Grain, HOUR_MILLIS, Period};
pub use timestamp::Timestamp;
