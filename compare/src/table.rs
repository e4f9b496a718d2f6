//! [`Table`]: text in aligned columns that is Markdown, and reads well on a terminal.

use std::fmt;

/// Rows of as many cells as the header has.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
    /// How many columns from the left hold words; the others hold figures.
    words: usize,
}

impl Table {
    pub(crate) fn new(words: usize, header: &[&str]) -> Self {
        Self {
            rows: vec![header.iter().map(ToString::to_string).collect()],
            words,
        }
    }

    /// Adds a row; cells that are missing at its end are empty.
    pub(crate) fn push(&mut self, row: impl IntoIterator<Item = String>) {
        let mut row: Vec<String> = row.into_iter().collect();
        row.resize(self.rows[0].len(), String::new());
        self.rows.push(row);
    }

    fn widths(&self) -> Vec<usize> {
        let width = |column: usize| {
            let cells = self.rows.iter().map(|row| row[column].chars().count());
            cells.max().unwrap_or(0).max(3)
        };
        (0..self.rows[0].len()).map(width).collect()
    }

    fn write_row(
        &self,
        f: &mut fmt::Formatter<'_>,
        row: &[String],
        widths: &[usize],
    ) -> fmt::Result {
        for (column, (cell, &width)) in row.iter().zip(widths).enumerate() {
            if column < self.words {
                write!(f, "| {cell:<width$} ")?;
            } else {
                write!(f, "| {cell:>width$} ")?;
            }
        }
        writeln!(f, "|")
    }

    fn write_rule(&self, f: &mut fmt::Formatter<'_>, widths: &[usize]) -> fmt::Result {
        for (column, &width) in widths.iter().enumerate() {
            if column < self.words {
                write!(f, "|-{:-<width$}-", "")?;
            } else {
                write!(f, "|-{:-<width$}:", "")?;
            }
        }
        writeln!(f, "|")
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths = self.widths();
        for (n, row) in self.rows.iter().enumerate() {
            self.write_row(f, row, &widths)?;
            if n == 0 {
                self.write_rule(f, &widths)?;
            }
        }
        Ok(())
    }
}

/// A figure with three digits and a unit's letter: `3.71 M`, `741 k`, `12.5`.
pub(crate) fn short(figure: f64) -> String {
    match figure {
        _ if figure >= 999.5e6 => format!("{} G", three_digits(figure / 1e9)),
        _ if figure >= 999.5e3 => format!("{} M", three_digits(figure / 1e6)),
        _ if figure >= 999.5 => format!("{} k", three_digits(figure / 1e3)),
        _ => three_digits(figure),
    }
}

/// A figure with about three significant digits.
pub(crate) fn three_digits(figure: f64) -> String {
    match figure.abs() {
        size if size >= 99.95 => format!("{figure:.0}"),
        size if size >= 9.995 => format!("{figure:.1}"),
        size if size >= 0.9995 || size == 0.0 => format!("{figure:.2}"),
        size if size >= 0.09995 => format!("{figure:.3}"),
        _ => format!("{figure:.4}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_words_left_and_figures_right() {
        let mut table = Table::new(1, &["engine", "µs"]);
        table.push(["a".to_owned(), "12.5".to_owned()]);
        table.push(["longer name".to_owned()]);
        let expected = "\
            | engine      |   µs |\n\
            |-------------|-----:|\n\
            | a           | 12.5 |\n\
            | longer name |      |\n";
        assert_eq!(table.to_string(), expected);
    }

    #[test]
    fn figures_have_three_digits() {
        let cases = [
            (3_712_345.0, "3.71 M"),
            (741_200.0, "741 k"),
            (999_700.0, "1.00 M"),
            (12.54, "12.5"),
            (2.5e9, "2.50 G"),
            (0.0, "0.00"),
        ];
        for (figure, text) in cases {
            assert_eq!(short(figure), text);
        }
        assert_eq!(three_digits(0.27149), "0.271");
        assert_eq!(three_digits(0.00123), "0.0012");
    }
}
