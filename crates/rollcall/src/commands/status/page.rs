//! Lines of [`WIDTH`] characters at most: names with what is to be said of them, and columns.

/// The maximum number of characters of a line.
pub(super) const WIDTH: usize = 120;
/// The number of characters before what is said of a name, the name included.
const INDENT: usize = 16;
/// The maximum number of characters of a cell.
const CELL: usize = 60;

/// What is shown, line by line.
#[derive(Debug, Default)]
pub(super) struct Page(String);

/// Rows of cells: the first columns, of words, are aligned to the left, and the others, of numbers, to the right.
#[derive(Debug)]
pub(super) struct Columns {
    words: usize,
    rows: Vec<Vec<String>>,
}

impl Page {
    /// All lines.
    pub(super) fn into_text(self) -> String {
        self.0
    }

    /// The heading of a section.
    pub(super) fn section(&mut self, name: &str) {
        if !self.0.is_empty() {
            self.line("");
        }
        self.line(name);
    }

    /// A name and what is to be said of it, on as many lines as that takes.
    pub(super) fn says(&mut self, name: &str, text: &str) {
        let mut name = name;
        for line in wrapped(text, WIDTH - INDENT) {
            self.line(&format!("  {name:width$}{line}", width = INDENT - 2));
            name = "";
        }
    }

    /// Columns in a section.
    pub(super) fn columns(&mut self, columns: &Columns) {
        for line in columns.lines() {
            self.line(&format!("  {line}"));
        }
    }

    /// Columns that say more of the name before.
    pub(super) fn details(&mut self, columns: &Columns) {
        for line in columns.lines() {
            self.line(&format!("{:INDENT$}{line}", ""));
        }
    }

    fn line(&mut self, line: &str) {
        self.0.push_str(line.trim_end());
        self.0.push('\n');
    }
}

impl Columns {
    /// Columns with these heads, of which so many are of words.
    pub(super) fn new(words: usize, heads: &[&str]) -> Self {
        let heads = heads.iter().map(|head| (*head).to_owned());
        Self {
            words,
            rows: vec![heads.collect()],
        }
    }

    /// Adds a row. What a cell has beyond the number of heads is left out.
    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let cells = cells.into_iter().take(self.rows[0].len());
        self.rows
            .push(cells.map(|cell| cell.chars().take(CELL).collect()).collect());
    }

    fn lines(&self) -> impl Iterator<Item = String> {
        self.rows.iter().map(|row| {
            let cells = row.iter().enumerate().map(|(column, cell)| {
                let widths = self.rows.iter().map(|row| row[column].chars().count());
                let width = widths.max().unwrap_or_default();
                if column < self.words {
                    format!("{cell:width$}")
                } else {
                    format!("{cell:>width$}")
                }
            });
            cells.collect::<Vec<_>>().join("  ")
        })
    }
}

/// The words of a text, on lines of so many characters at most.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let length = |text: &str| text.chars().count();
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let chars: Vec<_> = word.chars().collect();
        for piece in chars.chunks(width) {
            let piece: String = piece.iter().collect();
            match lines.last_mut() {
                Some(line) if length(line) + 1 + length(&piece) <= width => {
                    line.push(' ');
                    line.push_str(&piece);
                }
                _ => lines.push(piece),
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_wrapped_between_words_and_within_those_that_are_too_long() {
        let mut page = Page::default();
        page.section("Part");
        page.says("name", &format!("{} {} end", "a".repeat(100), "ä".repeat(150)));
        let expected = format!(
            "Part\n  name          {}\n{indent}{}\n{indent}{} end\n",
            "a".repeat(100),
            "ä".repeat(104),
            "ä".repeat(46),
            indent = " ".repeat(16)
        );
        assert_eq!(page.into_text(), expected);
    }

    #[test]
    fn words_are_aligned_to_the_left_and_numbers_to_the_right() {
        let mut columns = Columns::new(1, &["NAME", "ROWS", "PARTS"]);
        columns.row(["ä", "1,000", "12"].map(str::to_owned));
        columns.row(["longer", "1", "3"].map(str::to_owned));
        let mut page = Page::default();
        page.columns(&columns);
        let expected = "  NAME     ROWS  PARTS\n  ä       1,000     12\n  longer      1      3\n";
        assert_eq!(page.into_text(), expected);
    }
}
