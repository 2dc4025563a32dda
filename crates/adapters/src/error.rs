//! Why a line cannot be adapted, and what is left out of one that can.

use strum::IntoStaticStr;
use thiserror::Error;

/// A line that cannot be adapted, with the item of it that is at fault.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{item}{problem}")]
pub struct AdaptError {
    /// Names the item as a prefix of the message; empty where the line as a whole is at fault.
    item: String,
    problem: Problem,
}

/// What is wrong with a line or with an item of it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Problem {
    /// It is not JSON, or a field has another type.
    #[error("{0}")]
    Json(String),
    /// It is JSON of another kind.
    #[error("not an export request of OTLP: it has neither resourceSpans nor resourceLogs")]
    NotOtlp,
    /// It is JSON of another kind.
    #[error("neither a trace nor an observation")]
    NotLangfuse,
    /// Nothing says which organisation it belongs to.
    #[error("no organisation: give --org, or name what holds it with --org-attribute")]
    NoOrg,
    /// An id is not of the form that its format prescribes, so others would write it differently.
    #[error("{0}: not {1} hexadecimal digits")]
    NotHex(&'static str, usize),
    /// A time that cannot be read.
    #[error("{0}: not a time")]
    NotATime(&'static str),
    /// Messages that cannot be read; an attribute's text may be cut by a limit on its length.
    #[error("{0}: not a list of messages")]
    NotMessages(&'static str),
}

impl Problem {
    /// The problem of the line as a whole.
    pub(crate) const fn of_line(self) -> AdaptError {
        AdaptError {
            item: String::new(),
            problem: self,
        }
    }

    /// The problem of an item of a line, which has an id.
    pub(crate) fn of(self, kind: &str, id: &str) -> AdaptError {
        AdaptError {
            item: format!("{kind} {id}: "),
            problem: self,
        }
    }
}

impl From<serde_json::Error> for Problem {
    fn from(error: serde_json::Error) -> Self {
        Self::Json(error.to_string())
    }
}

/// What gives no event. As text, what there is a number of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, IntoStaticStr)]
pub enum LeftOut {
    /// A span of another operation, or of none.
    #[strum(serialize = "spans that are no chat")]
    OtherSpan,
    /// A log record that does not describe an operation.
    #[strum(serialize = "log records other than gen_ai.client.inference.operation.details")]
    OtherLog,
    /// A log record that cannot be put in the conversation of its span.
    #[strum(serialize = "log records without gen_ai.conversation.id")]
    LogWithoutConversation,
    /// An export request of metrics or profiles.
    #[strum(serialize = "lines of metrics or profiles")]
    OtherSignal,
    /// A step between a question and its answer.
    #[strum(serialize = "calls that neither follow a message of a user nor answer one")]
    Step,
    /// An observation below the one that stands for the trace.
    #[strum(serialize = "observations inside a trace")]
    Nested,
    /// An observation that stands for a trace, and is no chat by its type.
    #[strum(serialize = "observations of types other than generation, agent, chain and span")]
    OtherType,
    /// An observation whose conversation only its trace knows.
    #[strum(serialize = "observations without sessionId, which only their traces name")]
    WithoutSession,
    /// What Langfuse records about its own calls of models.
    #[strum(serialize = "calls of models by Langfuse itself")]
    Internal,
}

impl LeftOut {
    /// What there is a number of.
    pub fn description(self) -> &'static str {
        self.into()
    }
}
