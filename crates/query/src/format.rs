//! In which form an answer is written.

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Response},
};

use crate::{accept, cache};

/// In which form an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Json,
    Csv,
}

/// The form that a request asks for: by `export`, else by `Accept`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked {
    pub(crate) format: Format,
    /// Whether it is to be kept as a file.
    is_export: bool,
}

impl Asked {
    /// What `export` says, if it is given, or else these headers.
    pub(crate) fn by(export: Option<Format>, headers: &HeaderMap) -> Self {
        let weight = |media_type| accept::weight(headers, media_type).unwrap_or_default();
        let format = export.unwrap_or(if weight("text/csv") > weight("application/json") {
            Format::Csv
        } else {
            Format::Json
        });
        Self {
            format,
            is_export: export == Some(Format::Csv),
        }
    }

    /// A response with a whole answer, whose file would have this name.
    pub(crate) fn whole(self, name: &str, body: Vec<u8>) -> Response {
        let tag = cache::tag(&body);
        let mut response = self.streamed(name, body.into());
        response.headers_mut().insert(header::ETAG, tag);
        response
    }

    /// A response with an answer that is made while it is sent, whose file would have this name.
    pub(crate) fn streamed(self, name: &str, body: Body) -> Response {
        let mut response = body.into_response();
        let content_type = match self.format {
            Format::Json => "application/json",
            Format::Csv => "text/csv; charset=utf-8; header=present",
        };
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        if self.is_export {
            let disposition = HeaderValue::try_from(format!("attachment; filename=\"{name}.csv\""));
            headers.extend(disposition.map(|disposition| (header::CONTENT_DISPOSITION, disposition)));
        }
        response
    }
}
