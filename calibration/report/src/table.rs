//! A table; numbers stand to the right.

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
        let head: String = self.head.iter().map(|cell| format!("<th>{}</th>", escape(cell))).collect();
        let cell = |cell: &String| {
            let class = if is_number(cell) { " class=\"n\"" } else { "" };
            format!("<td{class}>{}</td>", escape(cell))
        };
        let row = |row: &Vec<String>| format!("<tr>{}</tr>\n", row.iter().map(cell).collect::<String>());
        let rows: String = self.rows.iter().map(row).collect();
        format!("<table><thead><tr>{head}</tr></thead><tbody>\n{rows}</tbody></table>\n")
    }
}

/// `12.5`, `-3 %`, `0.012 mm`: a number, perhaps with a unit.
fn is_number(cell: &str) -> bool {
    cell.split_whitespace().next().is_some_and(|first| first.trim_end_matches('%').parse::<f64>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_as_many_cells_as_the_head_and_no_markup_of_its_own() {
        let table = Table::new(["part", "mm"]).row(["<b>1"]).row(["2", "12.5 mm", "lost"]);
        let html = table.html();
        assert!(html.contains("<td>&lt;b&gt;1</td><td></td>"), "{html}");
        assert!(html.contains("<td class=\"n\">2</td><td class=\"n\">12.5 mm</td></tr>"), "{html}");
    }
}
