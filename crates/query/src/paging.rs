//! Pages of a list, and the headers that lead from one to another.

use std::{fmt, str::FromStr};

use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri, header};
use events::{Conversation, Place, Timestamp};
use percent_encoding::{CONTROLS, utf8_percent_encode};
use uuid::Uuid;

/// How many items all pages hold together.
pub(crate) const X_TOTAL_COUNT: HeaderName = HeaderName::from_static("x-total-count");

/// The parameter that asks for one page, by its number.
pub(crate) const PAGE: &str = "page";
/// The parameter that asks for pages of another size.
pub(crate) const PAGE_SIZE: &str = "page_size";

/// The parameter that asks for what comes after a place.
pub(crate) const CURSOR: &str = "cursor";

/// The maximum length of `Link`, in bytes. It repeats the address up to four times, and proxies refuse an answer with large
/// headers: nginx with more than 4 KiB by default.
const MAX_LINK: usize = 2_048;

/// What of a list is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Whole,
    Page(Page),
    /// So many at most that come after a place.
    After(Cursor, u64),
}

/// Where a part of a list begins: after a place, or at the beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cursor(pub(crate) Option<Place>);

impl Cursor {
    /// After a conversation.
    pub(crate) fn after(conversation: &Conversation) -> Self {
        Self(Some(Place {
            inserted_at: conversation.inserted_at,
            id: conversation.id,
        }))
    }

    /// The header that leads to what comes after this, in parts of such a size, of a list at this address.
    pub(crate) fn header(self, uri: &Uri, size: u64) -> HeaderMap {
        let (cursor, size) = (self.to_string(), size.to_string());
        let link = link(uri, "next", &[(CURSOR, &cursor), (PAGE_SIZE, &size)]);
        links(&[link])
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => f.write_str("*"),
            Some(place) => write!(f, "{}_{}", place.inserted_at.as_millis(), place.id.simple()),
        }
    }
}

impl FromStr for Cursor {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        if text == "*" {
            return Ok(Self(None));
        }
        let (millis, id) = text.split_once('_').ok_or(())?;
        let cursor = Self(Some(Place {
            inserted_at: Timestamp::from_millis(millis.parse().map_err(|_| ())?),
            id: Uuid::try_parse(id).map_err(|_| ())?,
        }));
        // Only as it was given: no signs, no zeros before it.
        (cursor.to_string() == text).then_some(cursor).ok_or(())
    }
}

/// A page of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Page {
    /// Which one, from 1 up.
    pub(crate) number: u64,
    /// How many items a page holds, from 1 to [`Self::MAX_SIZE`].
    pub(crate) size: u64,
}

impl Page {
    /// The size of a page where the request gives none.
    pub(crate) const DEFAULT_SIZE: u64 = 100;
    /// The maximum size.
    pub(crate) const MAX_SIZE: u64 = 1_000;
    /// Beyond the end of any list, and far below where the store's arithmetic would overflow.
    const MAX_OFFSET: u64 = 1 << 53;

    /// How many items the pages before this one hold.
    pub(crate) fn offset(self) -> u64 {
        (self.number - 1).saturating_mul(self.size).min(Self::MAX_OFFSET)
    }

    /// The headers of a page of a list of `total` items: `X-Total-Count`, and `Link` (RFC 8288) with the
    /// relations `first`, `prev`, `next` and `last`, as they apply, to the path and query of this address. `Link` is left
    /// out where it would be too long.
    pub(crate) fn headers(self, uri: &Uri, total: u64) -> HeaderMap {
        let last = total.div_ceil(self.size).max(1);
        let numbers = [
            ("first", Some(1)),
            ("prev", (self.number > 1).then(|| last.min(self.number - 1))),
            ("next", (self.number < last).then(|| self.number + 1)),
            ("last", Some(last)),
        ];
        let size = self.size.to_string();
        let link = |(relation, number): (&str, Option<u64>)| {
            let number = number?.to_string();
            Some(link(uri, relation, &[(PAGE, &number), (PAGE_SIZE, &size)]))
        };
        let mut headers = links(&numbers.into_iter().filter_map(link).collect::<Vec<_>>());
        headers.insert(X_TOTAL_COUNT, HeaderValue::from(total));
        headers
    }
}

/// The headers with these links.
fn links(links: &[String]) -> HeaderMap {
    let links = links.join(", ");
    // A percent-encoded path and query are visible ASCII, so this always adds the header.
    let links = (links.len() <= MAX_LINK).then(|| HeaderValue::try_from(links));
    let links = links.and_then(Result::ok).map(|links| (header::LINK, links));
    links.into_iter().collect()
}

/// A link to the address of a request with another page in it: all other parameters stay as they are.
fn link(uri: &Uri, relation: &str, page: &[(&str, &String)]) -> String {
    let path = utf8_percent_encode(uri.path(), CONTROLS);
    let pairs = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    let others = pairs.filter(|(name, _)| ![PAGE, PAGE_SIZE, CURSOR].contains(&name.as_ref()));
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(others)
        .extend_pairs(page)
        .finish();
    format!(r#"<{path}?{query}>; rel="{relation}""#)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_to_the_pages_around_and_keep_the_other_parameters() {
        let uri = Uri::from_static("/a/transcripts/?page=9&topics=a%2Cb&x=%C3%A4&page_size=3&x=2");
        for (number, total, expected) in [
            (1, 0, "first 1, last 1"),
            (1, 10, "first 1, last 1"),
            (1, 11, "first 1, next 2, last 2"),
            (2, 30, "first 1, prev 1, next 3, last 3"),
            (3, 30, "first 1, prev 2, last 3"),
            // Pages past the end lead back to the last.
            (9, 30, "first 1, prev 3, last 3"),
            (u64::MAX, 0, "first 1, prev 1, last 1"),
        ] {
            let headers = Page { number, size: 10 }.headers(&uri, total);
            assert_eq!(headers["x-total-count"], total.to_string().as_str());
            let links = expected.split(", ").map(|link| {
                let (relation, page) = link.split_once(' ').unwrap();
                let query = format!("topics=a%2Cb&x=%C3%A4&x=2&page={page}&page_size=10");
                format!(r#"</a/transcripts/?{query}>; rel="{relation}""#)
            });
            assert_eq!(
                headers["link"],
                links.collect::<Vec<_>>().join(", ").as_str(),
                "{number} of {total}"
            );
        }
    }

    #[test]
    fn a_link_is_ascii_whatever_the_address() {
        let uri = Uri::try_from("/a/%22%3E/ä\"{}/transcripts?topics='ä".as_bytes()).unwrap();
        let headers = Page { number: 1, size: 10 }.headers(&uri, 0);
        let link = headers["link"].to_str().unwrap();
        assert!(
            link.starts_with("</a/%22%3E/%C3%A4\"{}/transcripts?topics=%27%C3%A4&page=1"),
            "{link}"
        );
    }

    #[test]
    fn links_longer_than_two_kilobytes_are_left_out() {
        let page = Page { number: 2, size: 10 };
        let headers = |topic: usize| {
            let uri = format!("/a/?topics={}", "x".repeat(topic));
            page.headers(&uri.parse().unwrap(), 30)
        };
        let others = headers(0)["link"].len();
        let longest = (2_048 - others) / 4;
        assert!(headers(longest).contains_key("link"));
        let without = headers(longest + 1);
        assert!(!without.contains_key("link"));
        assert_eq!(without["x-total-count"], "30");
    }

    #[test]
    fn a_cursor_is_read_as_it_is_written() {
        let place = |millis| Place {
            inserted_at: Timestamp::from_millis(millis),
            id: Uuid::from_u128(0xff),
        };
        for cursor in [None, Some(place(1_709_251_199_999)), Some(place(0))].map(Cursor) {
            assert_eq!(cursor.to_string().parse(), Ok(cursor), "{cursor}");
        }
        let id = "000000000000000000000000000000ff";
        for broken in [
            "",
            "**",
            "1",
            "_",
            "1_",
            &format!("+1_{id}"),
            &format!("01_{id}"),
            &format!("1_{}", id.to_uppercase()),
            &format!("99999999999999999999_{id}"),
            &format!("1_{id}0"),
        ] {
            assert_eq!(broken.parse::<Cursor>(), Err(()), "{broken}");
        }
    }

    #[test]
    fn a_cursor_leads_to_what_comes_next() {
        let uri = Uri::from_static("/a/transcripts/?cursor=*&page_size=7&topics=a%2Cb");
        let headers = Cursor(None).header(&uri, 7);
        assert_eq!(
            headers["link"],
            r#"</a/transcripts/?topics=a%2Cb&cursor=*&page_size=7>; rel="next""#
        );
    }

    #[test]
    fn the_offset_of_a_huge_page_does_not_overflow() {
        for (number, size, offset) in [(1, 1_000, 0), (4, 7, 21), (u64::MAX, 1_000, 1 << 53)] {
            assert_eq!(Page { number, size }.offset(), offset);
        }
    }
}
