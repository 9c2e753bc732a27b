//! A table: rows under headings, each column as wide as what is in it.

use unicode_width::UnicodeWidthStr as _;

use crate::terminal::{Style, harmless, paint};

/// What is between two columns.
const GAP: &str = "  ";
/// The widest that a column gets, unless it is the last one.
const COLUMN_MAX: usize = 60;

/// One cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    pub fn styled(text: impl AsRef<str>, style: Style) -> Self {
        Self {
            text: harmless(text.as_ref()),
            style,
        }
    }
}

impl<T: AsRef<str>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::styled(text, Style::Plain)
    }
}

/// A status word in its colour.
pub fn status(word: &str) -> Cell {
    let style = match word {
        "Succeeded" | "Approved" | "Active" | "Enabled" | "SUCCEEDED" => Style::Good,
        "Failed" | "Rejected" | "FAILED" | "FAULT" | "TIMED_OUT" => Style::Bad,
        "InProgress" | "IN_PROGRESS" => Style::Busy,
        "Waiting" | "Stopping" | "Disabled" | "Inactive" => Style::Attention,
        _ => Style::Dim,
    };
    Cell::styled(word, style)
}

/// Rows under headings.
#[derive(Clone, Debug)]
pub struct Table {
    headings: Vec<&'static str>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    pub fn new(headings: &[&'static str]) -> Self {
        Self {
            headings: headings.to_vec(),
            rows: Vec::new(),
        }
    }

    pub fn row(&mut self, cells: Vec<Cell>) {
        self.rows.push(cells);
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The lines, each with its break.
    pub fn render(&self, colour: bool) -> String {
        let headings: Vec<Cell> = self
            .headings
            .iter()
            .map(|heading| Cell::styled(heading, Style::Dim))
            .collect();
        let all = || std::iter::once(&headings).chain(&self.rows);
        let widths: Vec<usize> = (0..self.headings.len())
            .map(|at| {
                let cells = all().filter_map(|row| row.get(at));
                let widest = cells.map(|cell| cell.text.width()).max();
                widest.unwrap_or(0).min(COLUMN_MAX)
            })
            .collect();
        all().map(|row| line(row, &widths, colour)).collect()
    }
}

fn line(row: &[Cell], widths: &[usize], colour: bool) -> String {
    let mut line = String::new();
    // Nothing is padded behind the last cell that holds anything.
    let filled = row.iter().rposition(|cell| !cell.text.is_empty());
    for (at, cell) in row.iter().enumerate().take(filled.map_or(0, |at| at + 1)) {
        line.push_str(&paint(&cell.text, cell.style, colour));
        if Some(at) != filled {
            let width = widths.get(at).copied().unwrap_or(0);
            let missing = width.saturating_sub(cell.text.width());
            line.push_str(&" ".repeat(missing));
            line.push_str(GAP);
        }
    }
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn columns_are_as_wide_as_what_is_in_them() {
        let mut table = Table::new(&["NAME", "STATUS", "WHY"]);
        table.row(vec!["web".into(), status("Succeeded"), "".into()]);
        table.row(vec![
            "漢字".into(),
            status("Failed"),
            "it \u{1b}[31mbroke".into(),
        ]);
        expect![[r#"
            NAME  STATUS     WHY
            web   Succeeded
            漢字  Failed     it broke
        "#]]
        .assert_eq(&table.render(false));
    }

    #[test]
    fn colours_do_not_change_the_layout() {
        let mut table = Table::new(&["A", "B"]);
        table.row(vec![status("Succeeded"), "x".into()]);
        expect![[r#"
            "\u{1b}[2mA\u{1b}[0m          \u{1b}[2mB\u{1b}[0m\n\u{1b}[32mSucceeded\u{1b}[0m  x\n""#]]
        .assert_eq(&format!("{:?}", table.render(true)));
    }
}
