//! What `Accept` says of a media type.

use axum::http::{HeaderMap, header};

/// The weight that a media type has which is listed by name, from 0 to 1; none where it is not, or its weight is no number.
pub(crate) fn weight(headers: &HeaderMap, media_type: &str) -> Option<f32> {
    let ranges = headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let weights = ranges.flat_map(|ranges| ranges.split(',')).filter_map(|range| {
        let mut parts = range.split(';').map(str::trim);
        let named = parts
            .next()
            .is_some_and(|name| name.eq_ignore_ascii_case(media_type));
        let mut weights = parts.filter_map(|part| part.split_once('='));
        let weight = weights.find(|(name, _)| name.trim().eq_ignore_ascii_case("q"));
        let weight = weight.map_or(Ok(1.0), |(_, weight)| weight.trim().parse::<f32>());
        named.then_some(weight.ok()?)
    });
    weights
        .filter(|weight| (0.0..=1.0).contains(weight))
        .reduce(f32::max)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_media_type_has_the_weight_of_the_range_that_names_it() {
        for (accept, expected) in [
            ("application/problem+json", Some(1.0)),
            ("application/json, Application/Problem+JSON;q=0.5", Some(0.5)),
            ("application/problem+json; charset=utf-8; q=0.001", Some(0.001)),
            ("application/problem+json;q=0", Some(0.0)),
            ("application/problem+json;q=x", None),
            ("application/problem+json;q=2", None),
            (
                "application/problem+json;q=0.1, application/problem+json;q=0.2",
                Some(0.2),
            ),
            ("application/json", None),
            ("application/*, */*", None),
            ("application/problem+jsonx", None),
            ("", None),
        ] {
            let headers = HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(accept))]);
            assert_eq!(weight(&headers, "application/problem+json"), expected, "{accept}");
        }
        assert_eq!(weight(&HeaderMap::new(), "text/csv"), None);
    }
}
