//! Progress bars, on standard error where that is a terminal.

use std::{sync::LazyLock, time::Duration};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// All bars that are shown.
static BARS: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

/// A bar of `total` bytes.
pub(crate) fn bytes(message: &str, total: u64) -> ProgressBar {
    bar(
        message,
        total,
        "{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}",
    )
}

/// A bar of `total` things, which are named in the plural.
pub(crate) fn count(message: &str, total: u64, things: &str) -> ProgressBar {
    let template = format!("{{msg}} {{wide_bar}} {{human_pos}}/{{human_len}} {things} {{eta}}");
    bar(message, total, &template)
}

/// A spinner, for what takes an unknown time.
pub(crate) fn spinner(message: &str) -> ProgressBar {
    let spinner = BARS.add(ProgressBar::new_spinner().with_message(message.to_owned()));
    spinner.enable_steady_tick(Duration::from_millis(120));
    spinner
}

/// Writes to the terminal while no bar is in the way.
pub(crate) fn above_bars<T>(write: impl FnOnce() -> T) -> T {
    BARS.suspend(write)
}

fn bar(message: &str, total: u64, template: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(template).expect("the templates of this file are correct");
    BARS.add(
        ProgressBar::new(total)
            .with_style(style)
            .with_message(message.to_owned()),
    )
}
