//! A made-up history of an org, each of whose events follows from its number, and questions about it.

use events::{Annotation, Body, Event, Message, Registration, Role, Sentiment, Timestamp};
use uuid::Uuid;

use crate::oracle::question::{Question, all_transcripts, days};

/// 2024-01-01T00:00:00Z, a Monday.
const BEGIN: i64 = 1_704_067_200_000;
const MINUTE: i64 = 60_000;

/// An event of an org, from the first weeks of 2024: mostly a message, now and then an annotation or a registration.
pub(crate) fn event(org: &'static str, number: u32) -> Event<'static> {
    let index = u128::from(number);
    let conversation_id = Uuid::from_u128(1 + index / 5);
    // Events are not in the order of their instants.
    let time = Timestamp::from_millis(BEGIN + i64::from(number.wrapping_mul(7_919) % 40_000) * MINUTE);
    let user_id = format!("user-{}", number.wrapping_mul(31) % 997).into();
    let body = match number % 20 {
        0 => Body::Annotation(Annotation {
            conversation_id,
            topics: vec![format!("topic-{}", number % 11).into()],
            user_sentiment: Sentiment::Neutral,
            annotated_at: time,
        }),
        1 => Body::Registration(Registration {
            user_id,
            registered_at: time,
        }),
        kind => Body::Message(Message {
            message_id: Uuid::from_u128(1 + index),
            conversation_id,
            role: if kind % 2 == 0 {
                Role::User
            } else {
                Role::Assistant
            },
            user_id: Some(user_id),
            mentor_id: Some(format!("mentor-{}", number % 7).into()),
            content: format!("message {number} of {org}").into(),
            model: (kind % 3 == 0).then(|| format!("model-{}", number % 4).into()),
        }),
    };
    Event {
        org: org.into(),
        id: format!("e-{number}").into(),
        time,
        body,
    }
}

/// Questions to all three endpoints about all of it and a part.
pub(crate) fn questions() -> Vec<Question> {
    let mut questions = vec![all_transcripts()];
    for range in [days("2024-01-01", "2024-01-31"), days("2024-01-10", "2024-01-18")] {
        for grain in ["hour", "day", "week"] {
            let grain = Some(grain);
            questions.push(Question::Usage { range, grain });
            let ways = [
                (None, None),
                (None, Some("activity")),
                (Some("mentor-3".to_owned()), None),
            ];
            questions.extend(ways.map(|(mentor, new_users_by)| Question::Cohorts {
                range,
                grain,
                mentor,
                new_users_by,
            }));
        }
        questions.push(Question::Transcripts {
            start: Some(range.start()),
            end: Some(range.end()),
            mentor: Some("mentor-5".to_owned()),
            topics: vec!["topic-3".to_owned()],
            page_size: None,
        });
    }
    questions
}
