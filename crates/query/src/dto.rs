//! The bodies of answers, which Serde writes: the rest of the crate uses the types of `events`.

use events::{
    CohortCount, Conversation, ConversationMessage, DateRange, Grain, MessageRecord, Progress, Timestamp,
};
use serde::Serialize;
use utoipa::{
    ToSchema,
    openapi::{
        ObjectBuilder, RefOr, Schema,
        schema::{SchemaType, Type},
    },
};
use uuid::Uuid;

/// What went wrong.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ErrorBody {
    /// One sentence that names the parameter at fault.
    #[schema(example = "start_date must be a date as YYYY-MM-DD")]
    pub(crate) detail: String,
}

/// A topic of a conversation.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TopicModel<'a> {
    /// Its name.
    #[schema(max_length = 255)]
    name: &'a str,
}

/// A conversation.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Transcript<'a> {
    /// The text of its earliest message by a user; empty if there is none.
    first_message: &'a str,
    /// Its topics by its latest annotation; empty until there is one.
    topics: Vec<TopicModel<'a>>,
    /// Its id.
    id: Uuid,
    /// Its user; `anonymous` if none is known.
    user_id: &'a str,
    /// How many distinct messages of users and assistants it has.
    message_count: u64,
    /// The model of its latest message by an assistant that names one; empty if none does.
    model: &'a str,
    /// The time of its earliest message, in UTC.
    #[schema(format = DateTime, example = "2024-02-29T23:59:59.999Z")]
    inserted_at: String,
    /// How its user felt by its latest annotation: positive, negative or neutral; unknown until there is one.
    user_sentiment: &'a str,
}

/// A mentor, and how many conversations began with it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MentorCount {
    pub(crate) mentor_id: String,
    /// Those whose earliest message is to the mentor, and falls in the range.
    pub(crate) conversation_count: u64,
}

/// A topic, and how many conversations have it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TopicCount {
    /// As topics are compared: trimmed, and by Unicode case folding.
    pub(crate) name: String,
    /// Those whose latest annotation has it, and whose earliest message falls in the range.
    pub(crate) conversation_count: u64,
}

/// How far ingestion is, of all organisations.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Pipeline {
    /// The time of the newest event that is settled, in UTC; null until there is one.
    #[schema(format = DateTime)]
    newest_event_at: Option<String>,
    /// How many records wait in Kafka that are not settled.
    lag: u64,
    /// How many records were rejected so far.
    rejected: u64,
    /// When ingestion has reported this, in UTC; null if it never has.
    #[schema(format = DateTime)]
    as_of: Option<String>,
}

impl From<Progress> for Pipeline {
    fn from(progress: Progress) -> Self {
        Self {
            newest_event_at: progress.newest_event_at.map(Timestamp::to_rfc3339),
            lag: progress.lag,
            rejected: progress.rejected,
            as_of: progress.as_of.map(Timestamp::to_rfc3339),
        }
    }
}

/// A message of a conversation.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Message)]
pub(crate) struct MessageModel<'a> {
    id: Uuid,
    /// Who speaks: user, assistant, system or tool.
    role: &'a str,
    /// Empty if nobody is named.
    user_id: &'a str,
    /// Empty if none is named.
    mentor_id: &'a str,
    content: &'a str,
    /// Empty if none is named.
    model: &'a str,
    /// When it was sent, in UTC.
    #[schema(format = DateTime, example = "2024-02-29T23:59:59.999Z")]
    created_at: String,
}

impl<'a> From<&'a ConversationMessage> for MessageModel<'a> {
    fn from(message: &'a ConversationMessage) -> Self {
        Self {
            id: message.id,
            role: &message.role,
            user_id: &message.user_id,
            mentor_id: &message.mentor_id,
            content: &message.content,
            model: &message.model,
            created_at: message.created_at.to_rfc3339(),
        }
    }
}

/// A record of a message, as a line of an export.
#[derive(Debug, Serialize)]
pub(crate) struct MessageRecordModel<'a> {
    message_id: Uuid,
    conversation_id: Uuid,
    /// When it was sent, in UTC.
    time: String,
    /// Who speaks: user, assistant, system or tool.
    role: &'a str,
    /// Empty if nobody is named.
    user_id: &'a str,
    /// Empty if none is named.
    mentor_id: &'a str,
    content: &'a str,
    /// Empty if none is named.
    model: &'a str,
}

impl<'a> From<&'a MessageRecord> for MessageRecordModel<'a> {
    fn from(record: &'a MessageRecord) -> Self {
        Self {
            message_id: record.message_id,
            conversation_id: record.conversation_id,
            time: record.time.to_rfc3339(),
            role: &record.role,
            user_id: &record.user_id,
            mentor_id: &record.mentor_id,
            content: &record.content,
            model: &record.model,
        }
    }
}

/// How many users were active in a period.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct UsageCount {
    /// The period: its day, a week's Monday, a month's first day, or under `group_by=hour` the hour's first instant in UTC.
    #[schema(schema_with = date_or_hour)]
    pub(crate) date: String,
    /// Distinct users who wrote to any mentor in the part of the period that lies in the range.
    pub(crate) user_count: u64,
}

/// New and veteran users over time: three lists of equal length.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Cohorts {
    /// The first instant of each period, in UTC; that of a week or month that the range cuts may precede the range.
    #[schema(value_type = Vec<chrono::DateTime<chrono::Utc>>, example = json!(["2023-06-01T00:00:00Z"]))]
    pub(crate) periods: Vec<String>,
    /// Users who registered within the range, counted as `new_users_by` says.
    #[schema(example = json!([8]))]
    pub(crate) new_users: Vec<u64>,
    /// Users active in the period who registered before the range began.
    #[schema(example = json!([42]))]
    pub(crate) veteran_users: Vec<u64>,
}

/// New and veteran users of one period, as a line of an export; named as the lists of [`Cohorts`] are.
#[derive(Debug, Serialize)]
pub(crate) struct CohortPeriod {
    /// The first instant of the period, in UTC.
    periods: String,
    new_users: u64,
    veteran_users: u64,
}

impl From<&CohortCount> for CohortPeriod {
    fn from(count: &CohortCount) -> Self {
        Self {
            periods: count.period.start.to_rfc3339_seconds(),
            new_users: count.new_users,
            veteran_users: count.veteran_users,
        }
    }
}

impl<'a> From<&'a Conversation> for Transcript<'a> {
    fn from(conversation: &'a Conversation) -> Self {
        Self {
            first_message: &conversation.first_message,
            topics: conversation
                .topics
                .iter()
                .map(|name| TopicModel { name })
                .collect(),
            id: conversation.id,
            user_id: &conversation.user_id,
            message_count: conversation.message_count,
            model: &conversation.model,
            inserted_at: conversation.inserted_at.to_rfc3339(),
            user_sentiment: conversation.user_sentiment,
        }
    }
}

/// Labels the counts of a range's periods with their dates.
pub(crate) fn usage_counts(range: DateRange, grain: Grain, counts: Vec<u64>) -> Vec<UsageCount> {
    let label = |start: Timestamp| match grain {
        Grain::Hour => start.to_rfc3339_seconds(),
        Grain::Day | Grain::Week | Grain::Month => start.day().to_string(),
    };
    let labels = range.periods(grain).map(|period| label(period.start));
    labels
        .zip(counts)
        .map(|(date, user_count)| UsageCount { date, user_count })
        .collect()
}

impl From<&[CohortCount]> for Cohorts {
    fn from(counts: &[CohortCount]) -> Self {
        Self {
            periods: counts
                .iter()
                .map(|count| count.period.start.to_rfc3339_seconds())
                .collect(),
            new_users: counts.iter().map(|count| count.new_users).collect(),
            veteran_users: counts.iter().map(|count| count.veteran_users).collect(),
        }
    }
}

/// A day, or an instant under `group_by=hour`. Without a `format`: generators make one type of it, most of which cannot be
/// both.
fn date_or_hour() -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(SchemaType::new(Type::String))
        .pattern(Some(r"^\d{4}-\d{2}-\d{2}(T\d{2}:00:00Z)?$"))
        .examples(["2024-01-01", "2024-01-01T05:00:00Z"])
        .description(Some(
            "The period: its day, a week's Monday, a month's first day, or under `group_by=hour` the hour's first instant in UTC.",
        ))
        .into()
}
