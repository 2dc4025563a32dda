//! What is talked about: subjects, and a small grammar of sentences about them, both in `phrases.json`.

use std::sync::LazyLock;

use rand::{RngExt, rngs::StdRng, seq::IndexedRandom};
use serde::Deserialize;

use crate::pick;

static PHRASES: LazyLock<Phrases> = LazyLock::new(|| {
    serde_json::from_str(include_str!("phrases.json")).expect("the file has the fields of these types")
});

/// In a sentence, `{a}` and `{b}` are two concepts of the subject and `{s}` is its name.
#[derive(Deserialize)]
struct Phrases {
    subjects: Vec<Subject>,
    /// Topics that any conversation may be about.
    any_topics: Vec<String>,
    openings: Vec<String>,
    replies: Vec<String>,
    explanations: Vec<String>,
    prompts: Vec<String>,
}

/// What a mentor teaches.
#[derive(Debug, Deserialize)]
pub(crate) struct Subject {
    /// The mentor's id.
    pub(crate) mentor: String,
    /// The subject's name within a sentence.
    name: String,
    /// Things to learn, as they stand in a sentence.
    concepts: Vec<String>,
    /// What conversations are annotated with.
    topics: Vec<String>,
}

/// Every subject; an organisation has some that follow each other, the most popular first.
pub(crate) fn subjects() -> &'static [Subject] {
    &PHRASES.subjects
}

/// The platform's instructions to the model, before the first message.
pub(crate) fn instructions(subject: &Subject) -> String {
    format!(
        "You are a patient mentor in {}. Ask before you answer, and never do the homework.",
        subject.name
    )
}

/// What a user says first.
pub(crate) fn opening(rng: &mut StdRng, subject: &Subject) -> String {
    sentence(rng, subject, &PHRASES.openings)
}

/// What a user says later.
pub(crate) fn reply(rng: &mut StdRng, subject: &Subject) -> String {
    sentence(rng, subject, &PHRASES.replies)
}

/// What a mentor's model answers: one or two sentences, and often a question.
pub(crate) fn answer(rng: &mut StdRng, subject: &Subject) -> String {
    let (some, others) = PHRASES.explanations.split_at(PHRASES.explanations.len() / 2);
    let mut text = sentence(rng, subject, some);
    if rng.random_ratio(2, 3) {
        text.push(' ');
        text.push_str(&sentence(rng, subject, others));
    }
    if rng.random_ratio(2, 3) {
        text.push_str("\n\n");
        text.push_str(&sentence(rng, subject, &PHRASES.prompts));
    }
    text
}

/// What a conversation is annotated with: none to three topics, all different.
pub(crate) fn topics(rng: &mut StdRng, subject: &'static Subject) -> Vec<&'static str> {
    let count = *pick(rng, &[0, 1, 1, 1, 2, 2, 3]);
    let all: Vec<&String> = subject.topics.iter().chain(&PHRASES.any_topics).collect();
    all.sample(rng, count).map(|name| name.as_str()).collect()
}

fn sentence(rng: &mut StdRng, subject: &Subject, templates: &[String]) -> String {
    let first = rng.random_range(0..subject.concepts.len());
    let second = (first + rng.random_range(1..subject.concepts.len())) % subject.concepts.len();
    pick(rng, templates)
        .replace("{a}", &subject.concepts[first])
        .replace("{b}", &subject.concepts[second])
        .replace("{s}", &subject.name)
}
