//! Answers as CSV (RFC 4180), for spreadsheets.

use std::borrow::Cow;

use csv::{Terminator, WriterBuilder};
use events::{Conversation, MessageRecord};

use crate::dto::{Cohorts, MentorCount, TopicCount, UsageCount};

/// The names of the columns of conversations.
const CONVERSATION: [&str; 8] = [
    "id",
    "inserted_at",
    "user_id",
    "first_message",
    "message_count",
    "model",
    "topics",
    "user_sentiment",
];

/// The names of the columns of records of messages.
const MESSAGE_RECORD: [&str; 8] = [
    "message_id",
    "conversation_id",
    "time",
    "role",
    "user_id",
    "mentor_id",
    "content",
    "model",
];

/// The first line of a list of conversations.
pub(crate) fn conversation_header() -> Vec<u8> {
    rows([CONVERSATION.map(Cow::Borrowed)])
}

/// A line for each conversation. The names of topics are written as the parameter `topics` takes them.
pub(crate) fn conversations(conversations: &[Conversation]) -> Vec<u8> {
    rows(conversations.iter().map(|conversation| {
        [
            conversation.id.to_string().into(),
            conversation.inserted_at.to_rfc3339().into(),
            text(&conversation.user_id),
            text(&conversation.first_message),
            conversation.message_count.to_string().into(),
            text(&conversation.model),
            topic_names(&conversation.topics),
            conversation.user_sentiment.into(),
        ]
    }))
}

/// The first line of a list of records of messages.
pub(crate) fn message_record_header() -> Vec<u8> {
    rows([MESSAGE_RECORD.map(Cow::Borrowed)])
}

/// A line for each record of a message.
pub(crate) fn message_records(records: &[MessageRecord]) -> Vec<u8> {
    rows(records.iter().map(|record| {
        [
            record.message_id.to_string().into(),
            record.conversation_id.to_string().into(),
            record.time.to_rfc3339().into(),
            record.role.as_str().into(),
            text(&record.user_id),
            text(&record.mentor_id),
            text(&record.content),
            text(&record.model),
        ]
    }))
}

/// A line for each period, after the names of the columns.
pub(crate) fn usage(counts: &[UsageCount]) -> Vec<u8> {
    let counts = counts
        .iter()
        .map(|count| [count.date.as_str().into(), count.user_count.to_string().into()]);
    table(["date", "user_count"], counts)
}

/// A line for each period, after the names of the columns.
pub(crate) fn cohorts(cohorts: &Cohorts) -> Vec<u8> {
    let counts = cohorts
        .periods
        .iter()
        .zip(&cohorts.new_users)
        .zip(&cohorts.veteran_users);
    let counts = counts.map(|((period, new_users), veteran_users)| {
        [
            period.as_str().into(),
            new_users.to_string().into(),
            veteran_users.to_string().into(),
        ]
    });
    table(["periods", "new_users", "veteran_users"], counts)
}

/// A line for each mentor, after the names of the columns.
pub(crate) fn mentors(mentors: &[MentorCount]) -> Vec<u8> {
    let mentors = mentors.iter().map(|mentor| {
        [
            text(&mentor.mentor_id),
            mentor.conversation_count.to_string().into(),
        ]
    });
    table(["mentor_id", "conversation_count"], mentors)
}

/// A line for each topic, after the names of the columns.
pub(crate) fn topics(topics: &[TopicCount]) -> Vec<u8> {
    let topics = topics
        .iter()
        .map(|topic| [text(&topic.name), topic.conversation_count.to_string().into()]);
    table(["name", "conversation_count"], topics)
}

fn table<'a, const N: usize>(
    columns: [&'a str; N],
    lines: impl IntoIterator<Item = [Cow<'a, str>; N]>,
) -> Vec<u8> {
    rows([columns.map(Cow::Borrowed)].into_iter().chain(lines))
}

fn rows<'a, const N: usize>(rows: impl IntoIterator<Item = [Cow<'a, str>; N]>) -> Vec<u8> {
    let mut writer = WriterBuilder::new()
        .terminator(Terminator::CRLF)
        .from_writer(Vec::new());
    for row in rows {
        writer
            .write_record(row.iter().map(|field| field.as_bytes()))
            .expect("a vector takes whatever is written, and all rows have as many fields");
    }
    writer.into_inner().expect("a vector takes whatever is written")
}

/// A text of somebody else's. One that a spreadsheet would take for a formula begins with an apostrophe.
fn text(text: &str) -> Cow<'_, str> {
    let is_formula = text.starts_with([
        '=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}',
    ]);
    if is_formula {
        format!("'{text}").into()
    } else {
        text.into()
    }
}

fn topic_names(names: &[String]) -> Cow<'_, str> {
    let names: Vec<_> = names
        .iter()
        .map(|name| {
            if name.contains([',', '"']) {
                format!("\"{}\"", name.replace('"', "\"\"")).into()
            } else {
                Cow::Borrowed(name.as_str())
            }
        })
        .collect();
    text(&names.join(",")).into_owned().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_spreadsheet_would_take_for_a_formula_is_a_text() {
        for (given, written) in [
            ("=1+1", "'=1+1"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\tx", "'\tx"),
            ("\u{ff1d}1", "'\u{ff1d}1"),
            ("1=1", "1=1"),
            ("'=1", "'=1"),
            ("", ""),
        ] {
            assert_eq!(text(given), written);
        }
    }

    #[test]
    fn topics_are_written_as_they_are_asked_for() {
        for (names, written) in [
            (&[][..], ""),
            (&["a"], "a"),
            (&["a", "sines, cosines"], "a,\"sines, cosines\""),
            (&["say \"hi\""], "\"say \"\"hi\"\"\""),
            (&["=1", "b"], "'=1,b"),
        ] {
            let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
            assert_eq!(topic_names(&names), written);
        }
    }

    #[test]
    fn lines_end_as_rfc_4180_has_it_and_fields_are_quoted_where_they_must_be() {
        let counts = [UsageCount {
            date: "2024-01-01".to_owned(),
            user_count: 3,
        }];
        assert_eq!(usage(&counts), b"date,user_count\r\n2024-01-01,3\r\n");
        let written = rows([["a,b".into(), "say \"hi\"\nagain".into(), Cow::Borrowed("")]]);
        assert_eq!(written, b"\"a,b\",\"say \"\"hi\"\"\nagain\",\r\n");
    }
}
