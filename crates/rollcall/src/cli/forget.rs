//! The command line of `rollcall forget`.

use clap::Args;
use query::keys::is_org;

/// Who is to be forgotten.
#[derive(Debug, Args)]
pub(crate) struct ForgetOptions {
    /// The organisation
    #[arg(long, value_name = "ORG", value_parser = parse_org)]
    pub(crate) org: String,
    /// The user, by the user_id of events
    #[arg(long, value_name = "USER", value_parser = parse_user)]
    pub(crate) user: String,
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
    /// Say what would be erased, and erase nothing
    #[arg(long, conflicts_with = "yes")]
    pub(crate) dry_run: bool,
}

/// # Errors
/// Where it is no name of an organisation.
fn parse_org(text: &str) -> Result<String, String> {
    if is_org(text) {
        Ok(text.to_owned())
    } else {
        Err("must be 1 to 64 of [A-Za-z0-9._-]".to_owned())
    }
}

/// # Errors
/// Where no event can name such a user.
fn parse_user(text: &str) -> Result<String, String> {
    if (1..=255).contains(&text.chars().count()) {
        Ok(text.to_owned())
    } else {
        Err("must be 1 to 255 characters".to_owned())
    }
}
