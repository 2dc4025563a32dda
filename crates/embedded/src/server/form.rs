//! Parameters in a form (`multipart/form-data`), as clients send them that are too long for a URL.

use axum::{
    body::Body,
    http::{HeaderMap, header},
};
use multer::{Constraints, Multipart, SizeLimit};

use super::{
    ask::Ask,
    exception::{Exception, Refusal},
};

/// The longest field of a form, in bytes: as a server has it by default.
/// <https://clickhouse.com/docs/operations/settings/settings#http_max_field_value_size>
const LONGEST_FIELD: u64 = 131_072;

/// What stands between the fields, where the body is a form.
pub(super) fn boundary(headers: &HeaderMap) -> Option<String> {
    multer::parse_boundary(headers.get(header::CONTENT_TYPE)?.to_str().ok()?).ok()
}

/// Reads the fields of a form of at most `longest` bytes; each is a parameter, as if it stood in the URL.
pub(super) async fn read(
    ask: &mut Ask,
    body: Body,
    boundary: String,
    longest: usize,
) -> Result<(), Exception> {
    let limit = u64::try_from(longest).unwrap_or(u64::MAX);
    let constraints =
        Constraints::new().size_limit(SizeLimit::new().whole_stream(limit).per_field(LONGEST_FIELD));
    let mut form = Multipart::with_constraints(body.into_data_stream(), boundary, constraints);
    while let Some(field) = form.next_field().await.map_err(|error| refused(&error))? {
        if field.file_name().is_some() {
            return Err(Exception::new(
                Refusal::NotImplemented,
                "External tables in a form are not supported by the embedded engine",
            ));
        }
        let name = field.name().unwrap_or_default().to_owned();
        let value = field.bytes().await.map_err(|error| refused(&error))?;
        let value = String::from_utf8(value.into()).map_err(|_| {
            Exception::new(
                Refusal::BadArguments,
                format!("Field {name} of the form is not UTF-8"),
            )
        })?;
        ask.set(name, value)?;
    }
    Ok(())
}

fn refused(error: &multer::Error) -> Exception {
    let refusal = match error {
        multer::Error::StreamSizeExceeded { .. } => Refusal::QueryIsTooLarge,
        multer::Error::FieldSizeExceeded { .. } => Refusal::PocoException,
        _ => Refusal::BadArguments,
    };
    Exception::new(refusal, format!("Cannot read the form: {error}"))
}
