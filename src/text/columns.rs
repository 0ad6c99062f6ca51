//! Tables as wide as the terminal: columns that have no room are left out and named, words are wrapped, and nothing is
//! cut.

use crate::text::fit;
use crate::text::marked::{Look, Text, text};

/// A column of a table.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// What stands above it.
    pub head: &'static str,
    /// Which columns go first where there is no room: those of the highest number. None of 0 goes.
    pub rank: u8,
    /// Whether it is of numbers, which end below each other.
    pub right: bool,
}

/// A column of words or addresses.
pub const fn column(head: &'static str, rank: u8) -> Column {
    let right = false;
    Column { head, rank, right }
}

/// A column of numbers.
pub const fn number(head: &'static str, rank: u8) -> Column {
    let right = true;
    Column { head, rank, right }
}

/// Blanks between columns.
const BETWEEN: usize = 2;

/// No address or id is as long: longer words may be broken where a column is narrower.
const WORD: usize = 24;

/// A table that is not laid out yet.
pub struct Grid {
    columns: &'static [Column],
    legend: &'static str,
    rows: Vec<Row>,
}

enum Row {
    Cells(Vec<Text>),
    /// Stands below the row before it, over the whole width.
    Line(Text),
}

impl Grid {
    /// A table of these columns; `legend` says below it what its words mean, if that needs to be said.
    pub fn new(columns: &'static [Column], legend: &'static str) -> Self {
        Self {
            columns,
            legend,
            rows: Vec::new(),
        }
    }

    /// Adds a row, a cell for each column.
    pub fn row(&mut self, cells: impl IntoIterator<Item = Text>) {
        self.rows.push(Row::Cells(cells.into_iter().collect()));
    }

    /// Adds a line below the last row.
    pub fn line(&mut self, line: impl Into<Text>) {
        self.rows.push(Row::Line(line.into()));
    }

    /// The table in so many columns of the terminal; nothing where it has no row.
    pub fn fitted(&self, width: usize) -> Text {
        if self.rows.is_empty() {
            return Text::default();
        }
        let (kept, widths) = self.chosen(width);
        let mut text = Text::default();
        let heads = kept
            .iter()
            .map(|&at| Text::all(Look::Heading, self.columns[at].head));
        self.lines(&mut text, &kept, &widths, &heads.collect::<Vec<_>>());
        for row in &self.rows {
            match row {
                Row::Cells(cells) => {
                    let cells = kept.iter().map(|&at| cells.get(at).cloned().unwrap_or_default());
                    self.lines(&mut text, &kept, &widths, &cells.collect::<Vec<_>>());
                }
                Row::Line(line) => text.push(fit::wrapped(&text!("{line}\n"), width)),
            }
        }
        if !self.legend.is_empty() {
            text.push(fit::wrapped(&text!("{}\n", self.legend), width));
        }
        let left_out = self.columns.iter().enumerate();
        let left_out = left_out.filter(|(at, _)| !kept.contains(at));
        let left_out: Vec<&str> = left_out.map(|(_, column)| column.head).collect();
        if !left_out.is_empty() {
            let line = format!(
                "no room for {}: --width N or --format csv has all\n",
                left_out.join(", ")
            );
            text.push(fit::wrapped(&line.into(), width));
        }
        text
    }

    /// The columns that have room, and how wide each is.
    fn chosen(&self, width: usize) -> (Vec<usize>, Vec<usize>) {
        let longest = WORD.max(width / 3);
        let sizes: Vec<(usize, usize)> = (0..self.columns.len())
            .map(|at| self.sizes(at, longest))
            .collect();
        let mut kept: Vec<usize> = (0..self.columns.len()).collect();
        loop {
            let between = BETWEEN * kept.len().saturating_sub(1);
            let least: usize = kept.iter().map(|&at| sizes[at].1).sum::<usize>() + between;
            let last = kept.iter().copied().filter(|&at| self.columns[at].rank > 0);
            match last.max_by_key(|&at| self.columns[at].rank) {
                Some(last) if least > width => kept.retain(|&at| at != last),
                _ => break,
            }
        }
        let room = width.saturating_sub(BETWEEN * kept.len().saturating_sub(1));
        (
            kept.clone(),
            shares(kept.iter().map(|&at| sizes[at]).collect(), room),
        )
    }

    /// How wide a column is when nothing in it is wrapped, and when all of it is.
    fn sizes(&self, at: usize, longest: usize) -> (usize, usize) {
        let cells = self.rows.iter().filter_map(|row| match row {
            Row::Cells(cells) => cells.get(at),
            Row::Line(_) => None,
        });
        let head = Text::from(self.columns[at].head);
        let (mut whole, mut least) = (0, 0);
        for cell in cells.chain([&head]) {
            whole = whole.max(fit::columns(cell.plain()));
            least = least.max(fit::longest_word(cell).min(longest));
        }
        (whole, least)
    }

    /// One row: as many lines as its highest cell has.
    fn lines(&self, text: &mut Text, kept: &[usize], widths: &[usize], cells: &[Text]) {
        let cells: Vec<Vec<Text>> = cells
            .iter()
            .zip(widths)
            .map(|(cell, &width)| {
                let lines = fit::broken(cell, width, 0);
                lines
                    .iter()
                    .flat_map(|line| fit::chopped(line, width.max(1)))
                    .collect()
            })
            .collect();
        let height = cells.iter().map(Vec::len).max().unwrap_or(0);
        for line in 0..height {
            // Blanks are written when something follows them.
            let mut blanks = 0;
            for (number, cell) in cells.iter().enumerate() {
                let (width, column) = (widths[number], &self.columns[kept[number]]);
                let piece = cell.get(line).cloned().unwrap_or_default();
                let missing = width.saturating_sub(fit::columns(piece.plain()));
                let before = if column.right { missing } else { 0 };
                if piece.is_empty() {
                    blanks += width + BETWEEN;
                    continue;
                }
                text.push(" ".repeat(blanks + before));
                text.push(piece);
                blanks = missing - before + BETWEEN;
            }
            text.push('\n');
        }
    }
}

/// How wide each column is: as wide as its contents, or narrower, the widest first.
fn shares(sizes: Vec<(usize, usize)>, room: usize) -> Vec<usize> {
    let mut widths: Vec<usize> = sizes.iter().map(|size| size.0).collect();
    while widths.iter().sum::<usize>() > room {
        let widest = widths
            .iter_mut()
            .zip(&sizes)
            .filter(|(width, size)| **width > size.1)
            .max_by_key(|(width, _)| **width);
        match widest {
            Some((width, _)) => *width -= 1,
            None => break,
        }
    }
    widths
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: &[Column] = &[column("WHO", 0), column("WHAT", 1), number("N", 2)];

    fn grid() -> Grid {
        let mut grid = Grid::new(COLUMNS, "");
        grid.row(["a.exe".into(), "one two three four".into(), "7".into()]);
        grid.row(["fffffa801820d2c0".into(), "five".into(), "12".into()]);
        grid
    }

    #[test]
    fn words_wrap_before_columns_go() {
        assert_eq!(
            grid().fitted(80).plain(),
            "WHO               WHAT                 N\n\
             a.exe             one two three four   7\n\
             fffffa801820d2c0  five                12\n"
        );
        assert_eq!(
            grid().fitted(32).plain(),
            "WHO               WHAT         N\n\
             a.exe             one two      7\n\
             \u{20}                 three four\n\
             fffffa801820d2c0  five        12\n"
        );
        let narrow = grid().fitted(24);
        let lines: Vec<&str> = narrow.plain().lines().collect();
        assert_eq!(lines[0], "WHO               WHAT");
        assert!(narrow.plain().contains("no room for N: "));
        assert!(lines.iter().all(|line| line.len() <= 24), "{lines:?}");
    }
}
