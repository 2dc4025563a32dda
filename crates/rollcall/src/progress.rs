//! Progress bars, on standard error where that is a terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// A bar of `total` bytes.
pub(crate) fn bytes(message: &str, total: u64) -> ProgressBar {
    bar(
        message,
        total,
        "{msg:24} {bar:32} {bytes}/{total_bytes} {bytes_per_sec} {eta}",
    )
}

/// A bar of `total` things, which are named in the plural.
pub(crate) fn count(message: &str, total: u64, things: &str) -> ProgressBar {
    let template =
        format!("{{msg:24}} {{bar:32}} {{human_pos}}/{{human_len}} {things}, {{per_sec}}, {{eta}}");
    bar(message, total, &template)
}

/// A spinner, for what takes an unknown time.
pub(crate) fn spinner(message: &str) -> ProgressBar {
    let spinner = ProgressBar::new_spinner().with_message(message.to_owned());
    spinner.enable_steady_tick(Duration::from_millis(120));
    spinner
}

fn bar(message: &str, total: u64, template: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(template).expect("the templates of this file are correct");
    ProgressBar::new(total)
        .with_style(style)
        .with_message(message.to_owned())
}
