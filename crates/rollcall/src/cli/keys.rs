//! The command line of `rollcall keys`.

use std::time::Duration;

use clap::{Args, Subcommand};
use query::keys::is_org;

use super::ClientOptions;

/// What to do with the API keys.
#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Create a key and print it, alone; it is kept as a hash and cannot be shown again
    Create {
        #[command(flatten)]
        key: NewKey,
        #[command(flatten)]
        client: ClientOptions,
    },
    /// List the keys, also those that are revoked or expired
    List {
        /// As a JSON array, times in RFC 3339
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        client: ClientOptions,
    },
    /// Revoke a key; every `serve` refuses it within seconds
    Revoke {
        /// Its name
        name: String,
        #[command(flatten)]
        client: ClientOptions,
    },
}

/// A key that is to be created.
#[derive(Debug, Args)]
pub(crate) struct NewKey {
    /// Its name, which no other key has that lives: 1 to 64 of [A-Za-z0-9._-]
    #[arg(long, value_name = "NAME", value_parser = parse_name)]
    pub(crate) name: String,
    /// The organisations that it opens, comma-separated; '*' for all
    #[arg(long, value_name = "ORG,ORG", value_parser = parse_orgs)]
    pub(crate) orgs: Orgs,
    /// How long it lives, as in 90s, 30m, 12h, 30d or 8w; by default until it is revoked
    #[arg(long, value_name = "TIME", value_parser = parse_lifetime)]
    pub(crate) expires: Option<Duration>,
}

/// The organisations that a key opens; `*` alone stands for all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Orgs(pub(crate) Vec<String>);

impl KeysCommand {
    pub(super) const fn client(&self) -> &ClientOptions {
        match self {
            Self::Create { client, .. } | Self::List { client, .. } | Self::Revoke { client, .. } => client,
        }
    }
}

/// # Errors
/// Where it is no name. The names of keys are written as those of organisations are.
fn parse_name(text: &str) -> Result<String, String> {
    if is_org(text) {
        Ok(text.to_owned())
    } else {
        Err("must be 1 to 64 of [A-Za-z0-9._-]".to_owned())
    }
}

/// # Errors
/// Where it is no list of organisations.
fn parse_orgs(text: &str) -> Result<Orgs, String> {
    let orgs: Vec<_> = text.split(',').map(|org| org.trim().to_owned()).collect();
    if text.trim() == "*" || orgs.iter().all(|org| is_org(org)) {
        Ok(Orgs(orgs))
    } else {
        Err("must be organisations (1 to 64 of [A-Za-z0-9._-] each), comma-separated, or * alone".to_owned())
    }
}

/// # Errors
/// Where it is not a number with a unit, at least a second and at most a thousand years.
fn parse_lifetime(text: &str) -> Result<Duration, String> {
    const DAY: u64 = 24 * 60 * 60;
    const MAX: u64 = 1_000 * 365 * DAY;
    let (unit, number) = match text.chars().last() {
        Some('s') => (1, text.strip_suffix('s')),
        Some('m') => (60, text.strip_suffix('m')),
        Some('h') => (60 * 60, text.strip_suffix('h')),
        Some('d') => (DAY, text.strip_suffix('d')),
        Some('w') => (7 * DAY, text.strip_suffix('w')),
        _ => (0, None),
    };
    let digits = number.filter(|number| number.bytes().all(|byte| byte.is_ascii_digit()));
    let seconds = digits
        .and_then(|digits| digits.parse::<u64>().ok()?.checked_mul(unit))
        .filter(|seconds| (1..=MAX).contains(seconds));
    seconds
        .map(Duration::from_secs)
        .ok_or_else(|| "must be a whole number from 1 up with s, m, h, d or w, as in 30d".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lifetime_is_a_number_with_a_unit() {
        for (text, seconds) in [
            ("90s", Some(90)),
            ("30m", Some(1_800)),
            ("12h", Some(43_200)),
            ("30d", Some(2_592_000)),
            ("8w", Some(4_838_400)),
            ("0d", None),
            ("30", None),
            ("d", None),
            ("", None),
            ("-1d", None),
            ("+1d", None),
            ("1.5d", None),
            ("1y", None),
            ("99999999999999999999d", None),
            ("400000d", None),
            ("30 d", None),
            ("30ä", None),
        ] {
            let expected = seconds.map(Duration::from_secs);
            assert_eq!(parse_lifetime(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn a_key_opens_organisations_or_all() {
        let orgs = |names: &[&str]| Some(Orgs(names.iter().map(|name| (*name).to_owned()).collect()));
        for (text, expected) in [
            ("acme", orgs(&["acme"])),
            ("acme, b.c", orgs(&["acme", "b.c"])),
            ("*", orgs(&["*"])),
            ("", None),
            ("acme,", None),
            ("acme,*", None),
            ("a b", None),
        ] {
            assert_eq!(parse_orgs(text).ok(), expected, "{text}");
        }
    }
}
