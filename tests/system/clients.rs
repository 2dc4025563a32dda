//! The published clients of the three endpoints accept every answer, and read from it what the oracle has.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tempfile::tempdir;

use crate::{
    harness::Process,
    oracle::{
        self,
        question::{Question, difference},
        world::{World, sample},
    },
    tools,
};

/// How many worlds they are asked about.
const WORLDS: usize = 2;
/// A key of another org.
const OTHER_KEY: &str = "k3y";

/// A question as a client reads it, the question, and the oracle's answer.
pub(crate) type Asked = (Value, Question, Value);

/// How a client read an answer.
#[derive(Debug, serde::Deserialize)]
struct ClientAnswer {
    status: u16,
    /// The body, through the client's models if it is a success.
    answer: Option<Value>,
    /// Why the models refused the body.
    refused: Option<String>,
}

/// A running system that has settled some worlds.
pub(crate) struct Running {
    pub(crate) process: Process,
    pub(crate) worlds: Vec<(String, World)>,
    _dir: tempfile::TempDir,
}

impl Running {
    pub(crate) async fn start() -> Self {
        let dir = tempdir().unwrap();
        let keys = format!("{OTHER_KEY}=other");
        let variables = [
            ("ROLLCALL__AUTH__KEYS", keys.as_str()),
            ("ROLLCALL__HTTP__PREFIX", "/dm"),
        ];
        let process = Process::up_with(dir.path(), &variables).await;
        let worlds = sample(WORLDS).into_iter().enumerate();
        let worlds: Vec<_> = worlds
            .map(|(number, world)| (format!("world-{number}"), world))
            .collect();
        oracle::publish(&process, &worlds).await;
        Self {
            process,
            worlds,
            _dir: dir,
        }
    }

    /// The URLs that clients use, without and with the prefix.
    fn base_urls(&self) -> [String; 2] {
        let url = self.process.ready.api_url.clone().unwrap();
        [url.clone(), url + "/dm"]
    }

    /// Has a client ask the questions, with the key of `up` if none is given.
    fn ask(
        &self,
        client: &impl Fn(&Value) -> Vec<u8>,
        base_url: &str,
        key: Option<&str>,
        questions: &[Value],
    ) -> Vec<ClientAnswer> {
        let key = key.or(self.process.ready.api_key.as_deref());
        let input = json!({ "base_url": base_url, "key": key, "questions": questions });
        serde_json::from_slice(&client(&input)).unwrap()
    }

    /// The questions that a client can ask, each with the oracle's answer.
    pub(crate) fn questions(&self, can_be_asked: impl Fn(&Question) -> bool) -> Vec<Asked> {
        let of_world = |(org, world): &(String, World)| {
            let oracle = oracle::oracle(org, world);
            let questions = world.questions.iter().filter(|question| can_be_asked(question));
            questions
                .map(|question| {
                    (
                        asked(org, question),
                        question.clone(),
                        question.expected(&oracle, org),
                    )
                })
                .collect::<Vec<_>>()
        };
        self.worlds.iter().flat_map(of_world).collect()
    }
}

/// Whether the published clients know the parameters, and can write them.
fn can_be_asked(question: &Question) -> bool {
    let (_, parameters) = question.request();
    writes_days(question) && !parameters.iter().any(|(name, _)| *name == "new_users_by")
}

/// Whether C's `strftime`, by which some clients write days, can write those of a question: it writes the year 1 with one
/// digit.
pub(crate) fn writes_days(question: &Question) -> bool {
    let (_, parameters) = question.request();
    !parameters
        .iter()
        .any(|(name, value)| name.ends_with("_date") && value.starts_with('0'))
}

pub(crate) fn asked(org: &str, question: &Question) -> Value {
    let (endpoint, repeatable) = question.request();
    let mut parameters = BTreeMap::<_, String>::new();
    for (name, value) in repeatable {
        // The clients take each parameter once: what the API reads from several is one list for them.
        let list = parameters.entry(name).or_default();
        *list = if list.is_empty() {
            value
        } else {
            format!("{list},{value}")
        };
    }
    json!({ "org": org, "endpoint": endpoint, "parameters": parameters })
}

/// Requests that are refused, each with its key, the status, and a word of the body.
fn refused_requests() -> [(Option<&'static str>, Value, u16, &'static str); 4] {
    let question = |org: &str, end: &str| {
        let days = json!({ "start_date": "2024-01-01", "end_date": end, "group_by": "day" });
        json!({ "org": org, "endpoint": "usage-summary/", "parameters": days })
    };
    [
        (Some("wrong"), question("world-0", "2024-01-02"), 401, "key"),
        (Some(OTHER_KEY), question("world-0", "2024-01-02"), 403, "org"),
        (None, question("nobody", "2024-01-02"), 404, "org"),
        (None, question("world-0", "2023-12-31"), 400, "start_date"),
    ]
}

/// Compares a client's answers with the oracle's. `accepts` returns whether its models can represent the answer at all.
pub(crate) fn compare(
    system: &Running,
    client: impl Fn(&Value) -> Vec<u8>,
    questions: &[Asked],
    accepts: impl Fn(&Question) -> bool,
) {
    let bodies: Vec<_> = questions.iter().map(|(asked, ..)| asked.clone()).collect();
    for base_url in system.base_urls() {
        let answers = system.ask(&client, &base_url, None, &bodies);
        assert_eq!(answers.len(), questions.len());
        let mut accepted = [0, 0, 0];
        for ((_, question, expected), answer) in questions.iter().zip(answers) {
            assert_eq!(answer.status, 200, "{question:?}: {answer:?}");
            assert_eq!(
                answer.refused.is_none(),
                accepts(question),
                "{question:?}: {answer:?}"
            );
            if let Some(found) = answer.answer {
                let difference = difference(&found, expected);
                assert!(
                    difference.is_none(),
                    "{question:?}: {}",
                    difference.unwrap_or_default()
                );
                accepted[match question {
                    Question::Transcripts { .. } => 0,
                    Question::Usage { .. } => 1,
                    Question::Cohorts { .. } => 2,
                }] += 1;
            }
        }
        assert!(accepted.iter().all(|count| *count > 3), "{accepted:?}");
    }
    for (key, question, status, named) in refused_requests() {
        let [base_url, _] = system.base_urls();
        let answers = system.ask(&client, &base_url, key, std::slice::from_ref(&question));
        let body = answers[0].answer.as_ref().unwrap();
        assert_eq!(answers[0].status, status, "{question}: {body}");
        assert!(
            body["detail"].as_str().unwrap().contains(named),
            "{question}: {body}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_published_python_client_accepts_every_answer() {
    // Its model accepts days alone: hours, under `group_by=hour`, are the contract's documented departure.
    let accepts = |question: &Question| {
        !matches!(
            question,
            Question::Usage {
                grain: Some("hour" | "hourly"),
                ..
            }
        )
    };
    let ask = |input: &Value| tools::run("bin/python", ["ask.py"], &tools::python(), Some(input));
    let system = Running::start().await;
    compare(&system, ask, &system.questions(can_be_asked), accepts);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_published_typescript_client_accepts_every_answer() {
    let ask = |input: &Value| tools::run("node", ["ask.mjs"], &tools::node(), Some(input));
    let system = Running::start().await;
    compare(&system, ask, &system.questions(can_be_asked), |_| true);
}
