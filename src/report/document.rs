//! A Markdown document that never grows over a limit.

use crate::text;

/// What tables leave free, for the words around and after them.
const RESERVE: usize = 24 * 1024;

/// A Markdown document of bounded size. Tables are cut at a row, with a line that says how many rows are missing.
pub(crate) struct Document {
    text: String,
    limit: usize,
}

impl Document {
    /// An empty document of at most `limit` bytes.
    #[must_use]
    pub(crate) fn new(limit: usize) -> Self {
        Self { text: String::new(), limit }
    }

    /// Adds a paragraph or a block, where it still fits.
    pub(crate) fn paragraph(&mut self, markdown: &str) {
        if self.text.len() + markdown.len() + 2 <= self.limit {
            self.text.push_str(markdown.trim_end_matches('\n'));
            self.text.push_str("\n\n");
        }
    }

    /// Adds a section's heading.
    pub(crate) fn heading(&mut self, words: &str) {
        self.paragraph(&format!("### {words}"));
    }

    /// Adds a list.
    pub(crate) fn list(&mut self, mark: &str, items: impl IntoIterator<Item = String>) {
        let lines = items.into_iter().map(|item| format!("{mark} {item}"));
        self.rows("", lines, "line");
    }

    /// Adds a table of cells that are Markdown already; nothing where there are no rows.
    pub(crate) fn table<const N: usize>(&mut self, heads: [&str; N], rows: impl IntoIterator<Item = [String; N]>) {
        let head = format!("| {} |\n|{}\n", heads.join(" | "), "---|".repeat(N));
        self.rows(&head, rows.into_iter().map(|cells| format!("| {} |", cells.join(" | "))), "row");
    }

    /// The document.
    #[must_use]
    pub(crate) fn finish(self) -> String {
        self.text
    }

    fn rows(&mut self, head: &str, rows: impl Iterator<Item = String>, noun: &str) {
        // Two thirds of what is left: a long table leaves room for those that come after it.
        let left = self.limit.saturating_sub(RESERVE).saturating_sub(self.text.len());
        let room = self.text.len() + left / 3 * 2;
        let mut written = 0;
        let mut left_out = 0;
        for row in rows {
            let head = if written == 0 { head } else { "" };
            if left_out > 0 || self.text.len() + head.len() + row.len() + 2 > room {
                left_out += 1;
                continue;
            }
            self.text.push_str(head);
            self.text.push_str(&row);
            self.text.push('\n');
            written += 1;
        }
        if written > 0 {
            self.text.push('\n');
        }
        if left_out > 0 {
            let left_out = text::count(left_out, noun);
            self.paragraph(&format!("_{left_out} left out here: GitHub shows no summary over 1 MiB. All are in `record.json`._"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_cut_at_a_row_and_says_so() {
        let limit = RESERVE + 1000;
        let mut document = Document::new(limit);
        document.table(["a", "b"], (0..1000).map(|row| [format!("é{row}"), "x".to_owned()]));
        document.paragraph("after");
        let text = document.finish();
        let rows = text.lines().filter(|line| line.starts_with("| é")).count();
        assert!(rows > 10, "{text}");
        assert!(text.contains(&format!("_{} rows left out here", 1000 - rows)), "{text}");
        assert!(text.ends_with("after\n\n") && text.len() <= limit);
    }

    #[test]
    fn a_table_without_rows_is_not_there() {
        let mut document = Document::new(usize::MAX);
        document.table(["a"], []);
        assert_eq!(document.finish(), "");
    }
}
