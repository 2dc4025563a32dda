//! Late facts change past answers exactly as the oracle's.

use events::{Annotation, Body, Event, Message, Registration, Role, Sentiment, Timestamp};
use oracle::Oracle;
use serde_json::Value;
use tempfile::tempdir;
use uuid::Uuid;

use super::{
    question::{Question, all_transcripts, days, difference},
    wire::{Spelling, record},
};
use crate::harness::Process;

const ORG: &str = "late";

/// An endpoint whose answers change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Changes {
    Transcripts,
    Usage,
    Cohorts,
}

fn event(id: &'static str, time: &str, body: Body<'static>) -> Event<'static> {
    Event {
        org: ORG.into(),
        id: id.into(),
        time: at(time),
        body,
    }
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(text).unwrap()
}

fn says(user_id: &'static str, message: u128, time: &str, mentor_id: &'static str) -> Event<'static> {
    let message = Message {
        message_id: Uuid::from_u128(message),
        conversation_id: Uuid::from_u128(1),
        role: Role::User,
        user_id: Some(user_id.into()),
        mentor_id: Some(mentor_id.into()),
        content: format!("{user_id} at {time}").into(),
        model: None,
    };
    event("m", time, Body::Message(message))
}

fn answered(message: u128, time: &str, model: &'static str) -> Event<'static> {
    let mut event = says("ada", message, time, "euclid");
    if let Body::Message(message) = &mut event.body {
        message.role = Role::Assistant;
        message.model = Some(model.into());
    }
    event
}

fn registers(user_id: &'static str, registered_at: &str) -> Event<'static> {
    let registration = Registration {
        user_id: user_id.into(),
        registered_at: at(registered_at),
    };
    event("r", "2024-01-20T00:00:00Z", Body::Registration(registration))
}

fn annotates(id: &'static str, annotated_at: &str, topic: &'static str) -> Event<'static> {
    let annotation = Annotation {
        conversation_id: Uuid::from_u128(1),
        topics: vec![topic.into()],
        user_sentiment: Sentiment::Positive,
        annotated_at: at(annotated_at),
    };
    event(id, "2024-01-20T00:00:00Z", Body::Annotation(annotation))
}

fn questions() -> Vec<(Changes, Question)> {
    let ranges = [
        days("2024-01-08", "2024-01-14"),
        days("2024-01-03", "2024-01-10"),
        days("2023-12-01", "2024-01-31"),
    ];
    let mut questions = vec![(Changes::Transcripts, all_transcripts())];
    for range in ranges {
        for grain in [None, Some("hour"), Some("week")] {
            questions.push((Changes::Usage, Question::Usage { range, grain }));
            let ways = [
                (None, None),
                (None, Some("activity")),
                (Some("euclid".to_owned()), None),
            ];
            questions.extend(ways.map(|(mentor, new_users_by)| {
                let cohorts = Question::Cohorts {
                    range,
                    grain,
                    mentor,
                    new_users_by,
                };
                (Changes::Cohorts, cohorts)
            }));
        }
        let transcripts = Question::Transcripts {
            start: Some(range.start()),
            end: Some(range.end()),
            mentor: Some("euclid".to_owned()),
            topics: vec!["art".to_owned()],
            page_size: None,
        };
        questions.push((Changes::Transcripts, transcripts));
    }
    questions
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::too_many_lines, reason = "it is a sequence of steps")]
async fn late_events_change_past_answers_exactly_as_the_oracle_says() {
    let dir = tempdir().unwrap();
    let process = Process::up(dir.path()).await;
    let mut oracle = Oracle::default();
    let first = vec![
        says("ada", 10, "2024-01-10T10:00:00Z", "euclid"),
        answered(11, "2024-01-10T10:00:01Z", "m-1"),
        says("bob", 12, "2024-01-11T23:59:59.999Z", "euclid"),
        says("ada", 13, "2024-01-11T12:00:00Z", "gauss"),
        annotates("b", "2024-01-12T00:00:00Z", "art"),
    ];
    let stages: Vec<(&str, Vec<Event<'static>>, &[Changes])> = vec![
        (
            "the first events",
            first.clone(),
            &[Changes::Transcripts, Changes::Usage, Changes::Cohorts],
        ),
        (
            "a registration before the range",
            vec![registers("ada", "2023-12-01T00:00:00Z")],
            &[Changes::Cohorts],
        ),
        (
            "a registration within the range",
            vec![registers("bob", "2024-01-09T05:00:00Z")],
            &[Changes::Cohorts],
        ),
        (
            "a later registration",
            vec![registers("bob", "2024-01-12T00:00:00Z")],
            &[],
        ),
        (
            "one who registers and is silent",
            vec![registers("cy", "2024-01-13T00:00:00Z")],
            &[Changes::Cohorts],
        ),
        (
            "an earlier annotation",
            vec![annotates("z", "2024-01-11T23:59:59.999Z", "old")],
            &[],
        ),
        (
            "the same instant, a lesser id",
            vec![annotates("a", "2024-01-12T00:00:00Z", "less")],
            &[],
        ),
        (
            "the same instant, a greater id",
            vec![annotates("c", "2024-01-12T00:00:00Z", "Art ")],
            &[Changes::Transcripts],
        ),
        (
            "a later annotation",
            vec![annotates("a", "2024-01-12T00:00:00.001Z", "new")],
            &[Changes::Transcripts],
        ),
        (
            "a message that becomes the earliest",
            vec![says("cy", 9, "2024-01-03T00:00:00Z", "gauss")],
            &[Changes::Transcripts, Changes::Usage, Changes::Cohorts],
        ),
        (
            "another model under the same message",
            vec![answered(11, "2024-01-12T09:00:00Z", "m-2")],
            &[Changes::Transcripts],
        ),
        (
            "the earliest message of somebody else's week",
            vec![says("dee", 14, "2024-01-07T23:59:59.999Z", "euclid")],
            &[Changes::Transcripts, Changes::Usage, Changes::Cohorts],
        ),
        ("everything again", first, &[]),
    ];

    let questions = questions();
    let mut before: Vec<Value> = Vec::new();
    for (what, events, changes) in stages {
        for event in &events {
            oracle.add(event);
        }
        process
            .publish_records(events.iter().map(|event| record(event, Spelling::default())))
            .await;
        process.settled().await;
        let mut answers = Vec::new();
        for (_, question) in &questions {
            let answer = question.ask(&process, ORG).await.unwrap();
            let expected = question.expected(&oracle, ORG);
            if let Some(difference) = difference(&answer, &expected) {
                panic!("after {what}: {question:?}: {difference}");
            }
            answers.push(answer);
        }
        for kind in [Changes::Usage, Changes::Cohorts, Changes::Transcripts] {
            let of_kind = questions.iter().enumerate().filter(|(_, (of, _))| *of == kind);
            let changed = of_kind
                .into_iter()
                .any(|(index, _)| before.get(index) != answers.get(index));
            assert_eq!(
                changed,
                changes.contains(&kind),
                "{what}: whether {kind:?} changed"
            );
        }
        before = answers;
    }
}
