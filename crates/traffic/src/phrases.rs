//! What is talked about: subjects, and a small grammar of sentences about them.

use rand::{RngExt, rngs::StdRng, seq::IndexedRandom};

use crate::pick;

/// What a mentor teaches.
#[derive(Debug)]
pub(crate) struct Subject {
    /// The mentor's id.
    pub(crate) mentor: &'static str,
    /// The subject's name within a sentence.
    pub(crate) name: &'static str,
    /// Things to learn, as they stand in a sentence.
    concepts: [&'static str; 8],
    /// What conversations are annotated with.
    topics: [&'static str; 4],
}

/// Every subject; an organisation has a stretch of these, the best liked first.
pub(crate) const SUBJECTS: [Subject; 12] = [
    Subject {
        mentor: "calculus-coach",
        name: "calculus",
        concepts: [
            "the chain rule",
            "integration by parts",
            "the limit of a quotient",
            "implicit differentiation",
            "a Taylor polynomial",
            "the mean value theorem",
            "a separable differential equation",
            "the area between two curves",
        ],
        topics: ["Derivatives", "Integrals", "Limits and Continuity", "Series"],
    },
    Subject {
        mentor: "essay-editor",
        name: "academic writing",
        concepts: [
            "a thesis statement",
            "the topic sentence of a paragraph",
            "a counterargument",
            "citing a source",
            "the passive voice",
            "an introduction that is not a cliché",
            "paraphrasing",
            "the conclusion of an essay",
        ],
        topics: ["Essay Structure", "Citations", "Grammar", "Argumentation"],
    },
    Subject {
        mentor: "biology-guide",
        name: "biology",
        concepts: [
            "the Krebs cycle",
            "osmosis",
            "the difference between mitosis and meiosis",
            "a Punnett square",
            "the role of ATP",
            "natural selection",
            "protein synthesis",
            "the nitrogen cycle",
        ],
        topics: ["Cell Biology", "Genetics", "Evolution", "Ecology"],
    },
    Subject {
        mentor: "history-tutor",
        name: "modern history",
        concepts: [
            "the causes of the First World War",
            "the Congress of Vienna",
            "the Meiji Restoration",
            "the end of the gold standard",
            "the Suez crisis",
            "a primary source",
            "the Marshall Plan",
            "decolonisation in West Africa",
        ],
        topics: [
            "World Wars",
            "Primary Sources",
            "Economic History",
            "Decolonisation",
        ],
    },
    Subject {
        mentor: "python-mentor",
        name: "Python",
        concepts: [
            "a list comprehension",
            "a generator",
            "the scope of a variable",
            "a dictionary of lists",
            "an off-by-one error",
            "a decorator",
            "reading a CSV file",
            "the `with` statement",
        ],
        topics: ["Data Structures", "Debugging", "Functions", "Files and I/O"],
    },
    Subject {
        mentor: "statistics-helper",
        name: "statistics",
        concepts: [
            "a p-value",
            "the central limit theorem",
            "a confidence interval",
            "the difference between correlation and causation",
            "Bayes' theorem",
            "the standard error",
            "a chi-squared test",
            "an outlier",
        ],
        topics: ["Hypothesis Testing", "Probability", "Regression", "Sampling"],
    },
    Subject {
        mentor: "algorithms-trainer",
        name: "algorithms",
        concepts: [
            "binary search",
            "Dijkstra's algorithm",
            "a hash table with collisions",
            "dynamic programming",
            "the worst case of quicksort",
            "a topological order",
            "the recursion tree",
            "amortised cost",
        ],
        topics: [
            "Sorting and Searching",
            "Graphs",
            "Complexity",
            "Interview Practice",
        ],
    },
    Subject {
        mentor: "career-advisor",
        name: "job hunting",
        concepts: [
            "a cover letter",
            "the gap in my CV",
            "a system design interview",
            "negotiating a salary",
            "a portfolio project",
            "the question about weaknesses",
            "a referral",
            "a take-home exercise",
        ],
        topics: ["Interviews", "CV and Portfolio", "Salary", "Networking"],
    },
    Subject {
        mentor: "spanish-partner",
        name: "Spanish",
        concepts: [
            "the difference between «ser» and «estar»",
            "el pretérito imperfecto",
            "the subjunctive after «ojalá»",
            "reflexive verbs",
            "the personal «a»",
            "«por» and «para»",
            "irregular participles",
            "ordering food in Bogotá",
        ],
        topics: ["Verb Tenses", "Vocabulary", "Conversation", "Pronunciation"],
    },
    Subject {
        mentor: "sql-coach",
        name: "SQL",
        concepts: [
            "a left join",
            "a window function",
            "GROUP BY with HAVING",
            "the third normal form",
            "a correlated subquery",
            "an index that is not used",
            "NULL in a comparison",
            "a transaction's isolation level",
        ],
        topics: ["Joins", "Query Performance", "Schema Design", "Aggregation"],
    },
    Subject {
        mentor: "chemistry-lab",
        name: "chemistry",
        concepts: [
            "balancing a redox equation",
            "Le Chatelier's principle",
            "the pH of a buffer",
            "a limiting reagent",
            "hybrid orbitals",
            "the ideal gas law",
            "a titration curve",
            "an SN2 reaction",
        ],
        topics: [
            "Stoichiometry",
            "Acids and Bases",
            "Organic Chemistry",
            "Lab Report",
        ],
    },
    Subject {
        mentor: "finance-tutor",
        name: "corporate finance",
        concepts: [
            "net present value",
            "the cost of capital",
            "a cash flow statement",
            "the yield of a bond",
            "double-entry bookkeeping",
            "operating leverage",
            "a currency hedge",
            "depreciation",
        ],
        topics: ["Valuation", "Accounting", "Bonds and Rates", "Risk"],
    },
];

/// Topics that any conversation may be about.
const ANY_TOPICS: [&str; 3] = ["Exam Preparation", "Homework Help", "Study Plan"];

// In a sentence, `{a}` and `{b}` are two concepts of the subject and `{s}` is its name.

const OPENINGS: [&str; 16] = [
    "Can you explain {a} to me?",
    "I have an exam in {s} on Friday and I am stuck on {a}.",
    "What is the difference between {a} and {b}?",
    "My notes on {a} make no sense to me any more. Where should I start?",
    "Hi! Could you walk me through an example of {a}?",
    "How does {a} relate to {b}?",
    "I got the question about {a} wrong and I don't see why.",
    "Please quiz me on {a}.",
    "Why does everybody say that {a} comes before {b}?",
    "I missed the class on {a}. Can you sum it up in five minutes?",
    "Is there an easy way to remember {a}?",
    "Our lecturer skipped {a} and went straight to {b}. What did I miss?",
    "I need to hand in something about {a} by tomorrow, help!",
    "When would I ever use {a} in practice?",
    "Could you check whether I have understood {a}?",
    "I am new to {s}. Should I learn {a} first, or {b}?",
];

const REPLIES: [&str; 16] = [
    "Okay, that helps. And what about {b}?",
    "Wait, why is that true?",
    "Could you show me another example, with {a} this time?",
    "I tried it and got a different answer.",
    "So is it the same as {b}?",
    "That part about {a} is where I always get lost.",
    "Can you say that in simpler words?",
    "Got it. What would a harder exercise look like?",
    "Hmm, I thought {a} had nothing to do with {b}.",
    "Ah, now I see it!",
    "Would that be enough for full marks?",
    "My book says something else about {a}.",
    "Let me try: first I look at {a}, then at {b}. Right?",
    "I still don't see how {a} fits in.",
    "What is the most common mistake here?",
    "Thanks, this is much clearer than the lecture.",
];

const EXPLANATIONS: [&str; 16] = [
    "Let us take {a} one step at a time.",
    "Good question: many people mix up {a} and {b}.",
    "The key to {a} is to write down what you already know.",
    "Think of {a} as a tool, and of {b} as the job that it is for.",
    "In {s}, nearly everything about {a} follows from its definition.",
    "Start with a small example of {a}, and change one thing at a time.",
    "You are close. Look again at {a} before you turn to {b}.",
    "There are three things to remember about {a}, and the first is why anybody wants it.",
    "Suppose for a moment that there were no such thing as {a}: what would go wrong?",
    "That is a fair doubt. With {b} it works the other way round.",
    "Here is a picture that may help: put {a} on the left, {b} on the right, and draw what links them.",
    "Most exam questions about {a} come down to the same two steps.",
    "Your idea is right, and the slip is in the last line.",
    "A good rule of thumb: if you can explain {a} to a friend, you are ready for {b}.",
    "Let me put it in other words.",
    "This is the part of {s} where patience pays off.",
];

const PROMPTS: [&str; 10] = [
    "Where in {a} do you lose the thread?",
    "Can you tell me in one sentence what {a} is for?",
    "Try the next one on your own and show me what you get.",
    "What do you expect to happen with {b}?",
    "Shall we do an exercise on {a}?",
    "Which of the two steps is harder for you?",
    "Would an example with {b} help?",
    "How would you check the result?",
    "What have you tried so far?",
    "Tell me when you are ready, and we go on to {b}.",
];

/// The platform's instructions to the model, before the first message.
pub(crate) fn instructions(subject: &Subject) -> String {
    format!(
        "You are a patient mentor in {}. Ask before you answer, and never do the homework.",
        subject.name
    )
}

/// What a user says first.
pub(crate) fn opening(rng: &mut StdRng, subject: &Subject) -> String {
    sentence(rng, subject, &OPENINGS)
}

/// What a user says later.
pub(crate) fn reply(rng: &mut StdRng, subject: &Subject) -> String {
    sentence(rng, subject, &REPLIES)
}

/// What a mentor's model answers: one or two sentences, and often a question.
pub(crate) fn answer(rng: &mut StdRng, subject: &Subject) -> String {
    let (some, others) = EXPLANATIONS.split_at(EXPLANATIONS.len() / 2);
    let mut text = sentence(rng, subject, some);
    if rng.random_ratio(2, 3) {
        text.push(' ');
        text.push_str(&sentence(rng, subject, others));
    }
    if rng.random_ratio(2, 3) {
        text.push_str("\n\n");
        text.push_str(&sentence(rng, subject, &PROMPTS));
    }
    text
}

/// What a conversation is annotated with: none to three topics, all different.
pub(crate) fn topics(rng: &mut StdRng, subject: &Subject) -> Vec<&'static str> {
    let count = *pick(rng, &[0, 1, 1, 1, 2, 2, 3]);
    let all: Vec<&str> = subject.topics.into_iter().chain(ANY_TOPICS).collect();
    all.sample(rng, count).copied().collect()
}

fn sentence(rng: &mut StdRng, subject: &Subject, templates: &[&str]) -> String {
    let first = rng.random_range(0..subject.concepts.len());
    let second = (first + rng.random_range(1..subject.concepts.len())) % subject.concepts.len();
    pick(rng, templates)
        .replace("{a}", subject.concepts[first])
        .replace("{b}", subject.concepts[second])
        .replace("{s}", subject.name)
}
