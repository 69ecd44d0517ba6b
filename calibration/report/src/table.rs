//! A table; columns of numbers stand to the right.

use crate::text::escape;

/// Rows under headings. A row shorter than the head is filled up, a longer one cut.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// One column a heading.
    pub fn new<S: Into<String>>(head: impl IntoIterator<Item = S>) -> Self {
        Self { head: head.into_iter().map(Into::into).collect(), rows: Vec::new() }
    }

    /// One more row.
    pub fn row<S: Into<String>>(mut self, cells: impl IntoIterator<Item = S>) -> Self {
        let mut row: Vec<String> = cells.into_iter().map(Into::into).collect();
        row.resize(self.head.len(), String::new());
        self.rows.push(row);
        self
    }

    /// More rows.
    pub fn rows<S: Into<String>, R: IntoIterator<Item = S>>(self, rows: impl IntoIterator<Item = R>) -> Self {
        rows.into_iter().fold(self, Self::row)
    }

    pub(crate) fn html(&self) -> String {
        let is_number = |column: usize| {
            let mut said = self.rows.iter().filter_map(|row| row.get(column)).filter(|cell| !cell.is_empty());
            said.clone().next().is_some() && said.all(|cell| is_number(cell))
        };
        let classes: Vec<&str> =
            (0..self.head.len()).map(|column| if is_number(column) { " class=\"n\"" } else { "" }).collect();
        let cells = |cells: &[String], tag: &str| -> String {
            let cells = cells.iter().zip(&classes);
            cells.map(|(cell, class)| format!("<{tag}{class}>{}</{tag}>", escape(cell))).collect()
        };
        let head = cells(&self.head, "th");
        let rows: String = self.rows.iter().map(|row| format!("<tr>{}</tr>\n", cells(row, "td"))).collect();
        format!("<table><thead><tr>{head}</tr></thead><tbody>\n{rows}</tbody></table>\n")
    }
}

/// `12.5`, `-3 %`, `0.012 mm`, `4 of 50`, `9.98 10.01 10.03`: numbers, perhaps with a unit; not `1 × dent in "part"`.
fn is_number(cell: &str) -> bool {
    let is_plain = |word: &str| word.trim_end_matches('%').parse::<f64>().is_ok();
    match cell.split_whitespace().collect::<Vec<_>>()[..] {
        [] => false,
        [number, _] | [number, "of", _] => is_plain(number),
        ref words => words.iter().all(|word| is_plain(word)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_as_many_cells_as_the_head_and_no_markup_of_its_own() {
        let table = Table::new(["part", "mm"]).row(["<b>1"]).row(["2", "12.5 mm", "lost"]);
        let html = table.html();
        assert!(html.contains("<td>&lt;b&gt;1</td><td class=\"n\"></td>"), "{html}");
        assert!(html.contains("<td>2</td><td class=\"n\">12.5 mm</td></tr>"), "{html}");
    }

    #[test]
    fn a_column_of_numbers_stands_right_with_its_heading_and_words_that_begin_with_one_do_not() {
        let table =
            Table::new(["rejects", "why"]).row(["4 of 50", "1 × dent in \"part\", at most 0 allowed"]);
        let html = table.row(["-3 %", ""]).html();
        assert!(html.contains("<th class=\"n\">rejects</th><th>why</th>"), "{html}");
        assert!(html.contains("<td class=\"n\">-3 %</td><td></td>"), "{html}");
    }
}
