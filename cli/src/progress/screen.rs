//! The screen: a region at the bottom of the terminal that is drawn again and again.
//!
//! What scrolls above the region stays; the region itself is never taller than the screen, or the
//! terminal could not be moved back to its beginning.

use std::io::{self, Write};

/// A region of lines.
#[derive(Debug, Default)]
pub struct Screen {
    drawn: usize,
}

impl Screen {
    /// Puts the lines where those of the last call were.
    pub fn draw(&mut self, out: &mut impl Write, lines: &[String]) -> io::Result<()> {
        let mut text = self.back();
        for line in lines {
            // Each line is cleared to its end, so that nothing of the old one is left.
            text.push_str(line);
            text.push_str("\u{1b}[K\n");
        }
        text.push_str("\u{1b}[J");
        self.drawn = lines.len();
        out.write_all(text.as_bytes())?;
        out.flush()
    }

    /// Puts lines above the region, where they stay; the region is to be drawn again.
    pub fn above(&mut self, out: &mut impl Write, lines: &[String]) -> io::Result<()> {
        let mut text = self.back();
        text.push_str("\u{1b}[J");
        for line in lines {
            text.push_str(line);
            text.push('\n');
        }
        self.drawn = 0;
        out.write_all(text.as_bytes())?;
        out.flush()
    }

    /// Leaves the region as it is: what follows is written below it.
    pub fn leave(&mut self) {
        self.drawn = 0;
    }

    fn back(&self) -> String {
        if self.drawn == 0 {
            String::new()
        } else {
            format!("\u{1b}[{}A\r", self.drawn)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a terminal would show: a model of the few sequences that are used.
    fn shown(bytes: &[u8]) -> Vec<String> {
        let text = String::from_utf8(bytes.to_vec()).expect("UTF-8");
        let mut lines: Vec<String> = vec![String::new()];
        let mut row = 0;
        let mut rest = text.as_str();
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix("\u{1b}[K") {
                rest = after;
            } else if let Some(after) = rest.strip_prefix("\u{1b}[J") {
                lines.truncate(row + 1);
                lines[row].clear();
                rest = after;
            } else if let Some(after) = rest.strip_prefix("\u{1b}[") {
                let (number, after) = after.split_once('A').expect("a move upwards");
                row -= number.parse::<usize>().expect("a number");
                rest = after;
            } else if let Some(after) = rest.strip_prefix('\n') {
                row += 1;
                if lines.len() == row {
                    lines.push(String::new());
                }
                rest = after;
            } else if let Some(after) = rest.strip_prefix('\r') {
                rest = after;
            } else {
                let end = rest.find(['\u{1b}', '\n', '\r']).unwrap_or(rest.len());
                lines[row] = rest[..end].to_owned();
                rest = &rest[end..];
            }
        }
        lines
    }

    fn own(lines: &[&str]) -> Vec<String> {
        lines.iter().map(|line| (*line).to_owned()).collect()
    }

    #[test]
    fn a_region_is_drawn_over_and_shrinks() {
        let mut screen = Screen::default();
        let mut out = Vec::new();
        screen.draw(&mut out, &own(&["a", "b", "c"])).expect("draw");
        screen.draw(&mut out, &own(&["A", "B"])).expect("draw");
        assert_eq!(shown(&out), ["A", "B", ""]);
    }

    #[test]
    fn what_goes_above_stays_there() {
        let mut screen = Screen::default();
        let mut out = Vec::new();
        screen.draw(&mut out, &own(&["tree"])).expect("draw");
        screen
            .above(&mut out, &own(&["log 1", "log 2"]))
            .expect("above");
        screen.draw(&mut out, &own(&["tree 2"])).expect("draw");
        assert_eq!(shown(&out), ["log 1", "log 2", "tree 2", ""]);
    }

    #[test]
    fn a_region_that_was_left_is_not_drawn_over() {
        let mut screen = Screen::default();
        let mut out = Vec::new();
        screen.draw(&mut out, &own(&["one"])).expect("draw");
        screen.leave();
        screen.draw(&mut out, &own(&["two"])).expect("draw");
        assert_eq!(shown(&out), ["one", "two", ""]);
    }
}
