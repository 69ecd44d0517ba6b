//! Words and numbers as they stand on paper.

/// `text` where HTML expects text or a quoted attribute.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// A number with as many digits as it takes to tell it from its neighbours `step` away; no `-0`.
pub(crate) fn number(value: f64, step: f64) -> String {
    let digits = if step >= 1.0 || step <= 0.0 { 0 } else { (-step.log10().floor()) as usize };
    let text = format!("{value:.digits$}");
    let is_zero = text.trim_start_matches('-').chars().all(|c| c == '0' || c == '.');
    if is_zero { text.trim_start_matches('-').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_person_typed_cannot_become_markup() {
        assert_eq!(escape("<b a='1' c=\"2\">&"), "&lt;b a=&#39;1&#39; c=&quot;2&quot;&gt;&amp;");
    }

    #[test]
    fn a_tick_has_the_digits_that_its_neighbours_ask_for() {
        assert_eq!(number(0.30000000000000004, 0.1), "0.3");
        assert_eq!(number(-0.0001, 0.1), "0.0");
        assert_eq!((number(20.0, 20.0), number(0.025, 0.005)), ("20".to_owned(), "0.025".to_owned()));
    }
}
