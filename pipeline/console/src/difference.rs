//! Two texts, line by line: what went, what came, and enough around it to know where.

use serde::Serialize;
use similar::{ChangeTag, TextDiff};

/// Lines around a change that are shown with it.
const AROUND: usize = 3;

/// One line as a page shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Line {
    /// `same`, `old`, `new`, or `gap` for lines that are passed over.
    pub(crate) side: &'static str,
    /// Without its end.
    pub(crate) text: String,
}

/// From `old` to `new`; nothing where they are the same.
pub(crate) fn lines(old: &str, new: &str) -> Vec<Line> {
    let difference = TextDiff::from_lines(old, new);
    let mut lines = Vec::new();
    for group in difference.grouped_ops(AROUND) {
        if !lines.is_empty() {
            lines.push(Line { side: "gap", text: String::new() });
        }
        for change in group.iter().flat_map(|op| difference.iter_changes(op)) {
            let side = match change.tag() {
                ChangeTag::Equal => "same",
                ChangeTag::Delete => "old",
                ChangeTag::Insert => "new",
            };
            lines.push(Line { side, text: change.value().trim_end_matches(['\n', '\r']).to_owned() });
        }
    }
    lines
}

/// The changed lines in one sentence: `− max = 0.6; + max = 0.5`, the first few of them.
pub(crate) fn in_short(lines: &[Line]) -> String {
    const SHOWN: usize = 6;
    let changed: Vec<String> = lines
        .iter()
        .filter_map(|line| match line.side {
            "old" => Some(format!("− {}", line.text.trim())),
            "new" => Some(format!("+ {}", line.text.trim())),
            _ => None,
        })
        .collect();
    let more = changed.len().saturating_sub(SHOWN);
    let mut says = changed.into_iter().take(SHOWN).collect::<Vec<_>>().join("; ");
    if more > 0 {
        says += &format!("; and {more} more lines");
    }
    says
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_went_and_came_is_told_with_its_surroundings_and_nothing_of_what_is_far() {
        let old: String = (0..30).map(|n| format!("line {n}\n")).collect();
        let new = old.replace("line 3\n", "line three\n").replace("line 25\n", "");
        let told = lines(&old, &new);
        let sides: String = told.iter().map(|line| &line.side[..1]).collect();
        assert_eq!(sides, "sssonsssgsssosss");
        assert_eq!(in_short(&told), "− line 3; + line three; − line 25");
        assert!(lines(&old, &old).is_empty());
        assert!(in_short(&lines("", &old)).ends_with("and 24 more lines"));
    }
}
