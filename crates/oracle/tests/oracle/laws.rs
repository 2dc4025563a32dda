//! Every answer is a function of the set of events: neither their order nor their repetition can be seen.

use std::collections::BTreeSet;

use events::{CohortCount, Conversation, DateRange, Event, Grain, NewUsersBy, TranscriptFilter};
use oracle::Oracle;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::generate::small_event;

const GRAINS: [Grain; 4] = [Grain::Hour, Grain::Day, Grain::Week, Grain::Month];

#[derive(Debug, PartialEq, Eq)]
struct Answers {
    exists: bool,
    usage: Vec<Vec<u64>>,
    cohorts: Vec<Vec<CohortCount>>,
    transcripts: Vec<Vec<Conversation>>,
}

fn oracle<'a>(events: impl IntoIterator<Item = &'a Event<'static>>) -> Oracle {
    let mut oracle = Oracle::default();
    events.into_iter().for_each(|event| oracle.add(event));
    oracle
}

fn range(start: &str, end: &str) -> DateRange {
    DateRange::new(start.parse().unwrap(), end.parse().unwrap()).unwrap()
}

fn answers(oracle: &Oracle, org: &str) -> Answers {
    let ranges = [
        range("2023-12-20", "2024-01-20"),
        range("2024-01-02", "2024-01-09"),
        range("2024-01-01", "2024-01-01"),
    ];
    let mut answers = Answers {
        exists: oracle.org_exists(org),
        usage: vec![],
        cohorts: vec![],
        transcripts: vec![],
    };
    for range in &ranges {
        for grain in GRAINS {
            answers.usage.push(oracle.usage_summary(org, *range, grain));
            for mentor in [None, Some("ada"), Some("nobody")] {
                for by in [NewUsersBy::Registration, NewUsersBy::Activity] {
                    answers
                        .cohorts
                        .push(oracle.cohorts(org, *range, grain, mentor, by));
                }
            }
        }
    }
    let day = |text: &str| Some(text.parse().unwrap());
    let filters = [
        TranscriptFilter::default(),
        TranscriptFilter {
            start: day("2024-01-01"),
            ..TranscriptFilter::default()
        },
        TranscriptFilter {
            end: day("2023-12-31"),
            ..TranscriptFilter::default()
        },
        TranscriptFilter {
            mentor: Some("ada".into()),
            ..TranscriptFilter::default()
        },
        TranscriptFilter {
            topics: vec!["maths".into()],
            ..TranscriptFilter::default()
        },
    ];
    answers.transcripts = filters
        .iter()
        .map(|filter| oracle.transcripts(org, filter))
        .collect();
    answers
}

proptest! {
    #[test]
    fn order_and_repetition_change_no_answer(
        (events, shuffled) in vec(small_event(), 0..60).prop_flat_map(|events| {
            let twice: Vec<_> = events.iter().chain(&events).cloned().collect();
            (Just(events), Just(twice).prop_shuffle())
        })
    ) {
        for org in ["acme", "zeta", "nowhere"] {
            prop_assert_eq!(answers(&oracle(&events), org), answers(&oracle(&shuffled), org));
            prop_assert_eq!(answers(&oracle(&events), org), answers(&oracle(events.iter().rev()), org));
        }
    }

    #[test]
    fn another_org_changes_no_answer(events in vec(small_event(), 0..40)) {
        let own = events.iter().filter(|event| event.org == "acme");
        prop_assert_eq!(answers(&oracle(&events), "acme"), answers(&oracle(own), "acme"));
    }

    #[test]
    fn answers_agree_with_each_other(events in vec(small_event(), 0..60)) {
        let oracle = oracle(&events);
        let whole = range("2023-12-01", "2024-01-31");
        for grain in GRAINS {
            let usage = oracle.usage_summary("acme", whole, grain);
            let cohorts = oracle.cohorts("acme", whole, grain, None, NewUsersBy::Activity);
            prop_assert_eq!(usage.len(), cohorts.len());
            for (count, cohort) in usage.iter().zip(&cohorts) {
                // A user may have registered after the range that they were active in; all others are one of both.
                prop_assert!(cohort.new_users + cohort.veteran_users <= *count);
            }
            for mentor in ["ada", "bob", "cy", "dee"] {
                let with_mentor = oracle.cohorts("acme", whole, grain, Some(mentor), NewUsersBy::Activity);
                for (all, some) in cohorts.iter().zip(&with_mentor) {
                    prop_assert!(some.new_users <= all.new_users && some.veteran_users <= all.veteran_users);
                }
            }
        }
        let listed = oracle.transcripts("acme", &TranscriptFilter::default());
        let ids: BTreeSet<_> = listed.iter().map(|conversation| conversation.id).collect();
        prop_assert_eq!(ids.len(), listed.len());
        prop_assert!(listed.iter().all(|conversation| conversation.inserted_at.as_millis() > 0));
        prop_assert!(listed.windows(2).all(|pair| pair[0].inserted_at >= pair[1].inserted_at));
    }
}
