//! Where the organisation and the mentor of an event come from, and what is taken.

/// What exports a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// OTLP JSON with the GenAI semantic conventions.
    OtelGenai,
    /// Traces and observations of Langfuse.
    Langfuse,
}

/// What the tags of a trace are taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tags {
    /// Nothing.
    Ignored,
    /// The topics of the conversation.
    Topics,
}

/// The operations by which a model is asked: `gen_ai.operation.name` of the conventions.
pub const DEFAULT_OPERATIONS: [&str; 3] = ["chat", "generate_content", "text_completion"];

/// How lines become events. An attribute is one of the span or log record, or else of the resource; with Langfuse it is
/// a key of the metadata.
#[derive(Debug, Clone)]
pub struct Mapping {
    /// What exports the lines.
    pub format: Format,
    /// The organisation of all that does not name one itself.
    pub org: Option<String>,
    /// The attribute that names the organisation.
    pub org_attribute: Option<String>,
    /// The attribute that names the mentor; by default `gen_ai.agent.id`, with Langfuse `mentor_id`.
    pub mentor_attribute: Option<String>,
    /// The operations whose spans and log records are taken.
    pub operations: Vec<String>,
    /// What the tags of Langfuse are taken for.
    pub tags: Tags,
}

impl Mapping {
    /// The attribute that names the mentor.
    pub(crate) fn mentor_attribute(&self) -> &str {
        self.mentor_attribute.as_deref().unwrap_or(match self.format {
            Format::OtelGenai => "gen_ai.agent.id",
            Format::Langfuse => "mentor_id",
        })
    }

    /// The organisation of an item, whose attributes are looked up by name.
    pub(crate) fn org(&self, attribute: impl Fn(&str) -> Option<String>) -> Option<String> {
        let named = self.org_attribute.as_deref().and_then(attribute);
        named.or_else(|| self.org.clone())
    }
}
