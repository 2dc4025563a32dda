//! Kinds of parameters: how each is read from a query, and how it is described.

use std::borrow::Cow;

use axum::http::Uri;
use events::Day;
use utoipa::openapi::{
    KnownFormat, ObjectBuilder, Required, SchemaFormat,
    path::{Parameter, ParameterBuilder, ParameterIn},
    schema::{SchemaType, Type},
};

use crate::parameter_error::ParameterError;

/// The query parameters of a request, in their order.
#[derive(Debug)]
pub(crate) struct Query<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Query<'a> {
    /// The query parameters of an address.
    pub(crate) fn of(uri: &'a Uri) -> Self {
        Self::parse(uri.query().unwrap_or_default())
    }

    /// Reads `application/x-www-form-urlencoded`, which cannot fail.
    pub(super) fn parse(text: &'a str) -> Self {
        Self(form_urlencoded::parse(text.as_bytes()).collect())
    }

    /// The last value of a parameter; none where that is blank.
    fn get(&self, name: &str) -> Option<&str> {
        let mut values = self.0.iter().rev().filter(|(given, _)| given == name);
        values
            .next()
            .map(|(_, value)| value.as_ref())
            .filter(|value| !is_blank(value))
    }
}

/// Whether a value stands for none: it is empty, or spaces. Other white space may be a name.
pub(super) fn is_blank(value: &str) -> bool {
    value.bytes().all(|byte| byte == b' ')
}

/// A day of the calendar, from year 1 to 9999.
pub(super) struct Date {
    pub(super) name: &'static str,
    /// Another name, which is read where the first has no value.
    pub(super) alias: &'static str,
    pub(super) description: &'static str,
}

impl Date {
    pub(super) fn required(&self, query: &Query<'_>) -> Result<Day, ParameterError> {
        self.optional(query)?.ok_or(ParameterError::Missing(self.name))
    }

    pub(super) fn optional(&self, query: &Query<'_>) -> Result<Option<Day>, ParameterError> {
        let named = |name| query.get(name).map(|text| (name, text));
        let Some((name, text)) = named(self.name).or_else(|| named(self.alias)) else {
            return Ok(None);
        };
        let day = text.parse().map_err(|_| ParameterError::NotADate(name))?;
        Ok(Some(day))
    }

    pub(super) fn describe(&self, required: bool) -> Parameter {
        let schema = string().format(Some(SchemaFormat::KnownFormat(KnownFormat::Date)));
        parameter(self.name, self.description, schema)
            .required(if required { Required::True } else { Required::False })
            .build()
    }
}

/// One of a few words, the first of which is the default.
pub(crate) struct Choice<T: 'static> {
    pub(super) name: &'static str,
    pub(super) description: &'static str,
    pub(crate) options: &'static [(&'static str, T)],
}

impl<T: Copy> Choice<T> {
    /// What is asked for, or the default.
    pub(super) fn read(&self, query: &Query<'_>) -> Result<T, ParameterError> {
        let default = self.options.first().map(|(_, option)| *option);
        let given = self.given(query)?.or(default);
        given.ok_or_else(|| self.unknown())
    }

    /// What is asked for; none where nothing is.
    pub(super) fn given(&self, query: &Query<'_>) -> Result<Option<T>, ParameterError> {
        let Some(given) = query.get(self.name) else {
            return Ok(None);
        };
        let option = self.options.iter().find(|(word, _)| *word == given);
        match option {
            Some((_, option)) => Ok(Some(*option)),
            None => Err(self.unknown()),
        }
    }

    fn unknown(&self) -> ParameterError {
        ParameterError::NotAnOption {
            name: self.name,
            options: self.words().join(", "),
        }
    }

    pub(super) fn describe(&self) -> Parameter {
        let words = self.words();
        let schema = string()
            .default(words.first().map(|word| (*word).into()))
            .enum_values(Some(words));
        parameter(self.name, self.description, schema).build()
    }

    fn words(&self) -> Vec<&'static str> {
        self.options.iter().map(|(word, _)| *word).collect()
    }
}

/// A name, or several.
pub(super) struct Text {
    pub(super) name: &'static str,
    pub(super) description: &'static str,
}

impl Text {
    /// Reads a single name.
    pub(super) fn read(&self, query: &Query<'_>) -> Option<String> {
        query.get(self.name).map(|name| truncate(name, 1))
    }

    /// Reads each value that is not blank, however long it is.
    pub(super) fn read_all<'q>(&self, query: &'q Query<'_>) -> impl Iterator<Item = &'q str> {
        let values = query.0.iter().filter(|(name, _)| name == self.name);
        values
            .map(|(_, value)| value.as_ref())
            .filter(|value| !is_blank(value))
    }

    pub(super) fn describe(&self) -> Parameter {
        parameter(self.name, self.description, string()).build()
    }
}

/// A whole number, from 1 up.
pub(super) struct PositiveInteger {
    pub(super) name: &'static str,
    pub(super) description: &'static str,
    pub(super) default: u64,
    pub(super) max: Option<u64>,
}

impl PositiveInteger {
    /// Reads the number. Without a maximum, a number above 64 bits is read as the largest of 64 bits.
    pub(super) fn read(&self, query: &Query<'_>) -> Result<Option<u64>, ParameterError> {
        let Some(text) = query.get(self.name) else {
            return Ok(None);
        };
        let broken = ParameterError::NotWhole {
            name: self.name,
            max: self.max,
        };
        if !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(broken);
        }
        // It has only digits, so only its size can be wrong.
        let number = text.parse().unwrap_or(u64::MAX);
        if number == 0 || self.max.is_some_and(|max| number > max) {
            Err(broken)
        } else {
            Ok(Some(number))
        }
    }

    /// Without its default: that counts only where a page is asked for, and there are clients that send the default of what they
    /// are not given, which asks for one.
    pub(super) fn describe(&self) -> Parameter {
        let schema = ObjectBuilder::new()
            .schema_type(SchemaType::new(Type::Integer))
            .minimum(Some(1_u64))
            .maximum(self.max);
        parameter(self.name, self.description, schema).build()
    }
}

/// A name to compare with the names of events, cut to a length that no such name has, so that queries to the store have
/// a bounded size.
///
/// Names of events have at most 255 characters, and up to `folded` times as many as they are compared. One of more
/// characters equals none of them, and neither does what is left of it here.
pub(crate) fn truncate(name: &str, folded: usize) -> String {
    name.chars().take(folded * 255 + 1).collect()
}

fn parameter(name: &str, description: &str, schema: ObjectBuilder) -> ParameterBuilder {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Query)
        .required(Required::False)
        .description(Some(description))
        .schema(Some(schema))
}

fn string() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::new(Type::String))
}
