//! Python literals, as `str()` writes them: several exporters keep lists and dictionaries so, not as JSON.

/// A literal.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Python {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    /// A list or a tuple.
    List(Vec<Python>),
    Dict(Vec<(Python, Python)>),
}

/// Deeper nesting than any exporter writes is refused.
const DEPTH_MAX: usize = 8;

impl Python {
    /// `None` for anything that is no literal.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut reader = Reader { rest: text };
        let value = reader.value(0)?;
        reader.skip_space();
        reader.rest.is_empty().then_some(value)
    }

    pub(crate) fn int(&self) -> Option<i64> {
        if let Self::Int(value) = self { Some(*value) } else { None }
    }

    /// Of a list of whole numbers.
    pub(crate) fn ints(&self) -> Option<Vec<i64>> {
        if let Self::List(values) = self { values.iter().map(Self::int).collect() } else { None }
    }

    /// Values by their key, of a dictionary whose keys are text.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        let Self::Dict(entries) = self else { return None };
        entries
            .iter()
            .find(|(known, _)| matches!(known, Self::Text(text) if text == key))
            .map(|(_, value)| value)
    }

    /// Names by class number, of `{0: 'a', 1: 'b'}` or `['a', 'b']`; `None` where a number is left out.
    pub(crate) fn names(&self) -> Option<Vec<String>> {
        let text = |value: &Self| if let Self::Text(text) = value { Some(text.clone()) } else { None };
        match self {
            Self::List(values) => values.iter().map(text).collect(),
            Self::Dict(entries) => {
                let mut entries: Vec<(i64, String)> = entries
                    .iter()
                    .map(|(key, value)| Some((key.int()?, text(value)?)))
                    .collect::<Option<_>>()?;
                entries.sort();
                let in_order = entries.iter().zip(0..).all(|((key, _), number)| *key == number);
                in_order.then(|| entries.into_iter().map(|(_, name)| name).collect())
            }
            _ => None,
        }
    }
}

struct Reader<'t> {
    rest: &'t str,
}

impl Reader<'_> {
    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn take(&mut self, start: &str) -> bool {
        self.skip_space();
        let rest = self.rest.strip_prefix(start);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn value(&mut self, depth: usize) -> Option<Python> {
        if depth > DEPTH_MAX {
            return None;
        }
        self.skip_space();
        match self.rest.chars().next()? {
            '[' => self.list("[", "]", depth),
            '(' => self.list("(", ")", depth),
            '{' => self.dict(depth),
            quote @ ('\'' | '"') => self.text(quote).map(Python::Text),
            _ => self.word(),
        }
    }

    fn list(&mut self, open: &str, close: &str, depth: usize) -> Option<Python> {
        self.take(open);
        let mut values = Vec::new();
        while !self.take(close) {
            values.push(self.value(depth + 1)?);
            if !self.take(",") {
                return self.take(close).then_some(Python::List(values));
            }
        }
        Some(Python::List(values))
    }

    fn dict(&mut self, depth: usize) -> Option<Python> {
        self.take("{");
        let mut entries = Vec::new();
        while !self.take("}") {
            let key = self.value(depth + 1)?;
            if !self.take(":") {
                return None;
            }
            entries.push((key, self.value(depth + 1)?));
            if !self.take(",") {
                return self.take("}").then_some(Python::Dict(entries));
            }
        }
        Some(Python::Dict(entries))
    }

    fn text(&mut self, quote: char) -> Option<String> {
        let mut text = String::new();
        let mut chars = self.rest.char_indices().skip(1);
        while let Some((at, c)) = chars.next() {
            match c {
                _ if c == quote => {
                    self.rest = &self.rest[at + c.len_utf8()..];
                    return Some(text);
                }
                '\\' => match chars.next()?.1 {
                    'n' => text.push('\n'),
                    't' => text.push('\t'),
                    'r' => text.push('\r'),
                    letter @ ('x' | 'u' | 'U') => {
                        let digits = match letter {
                            'x' => 2,
                            'u' => 4,
                            _ => 8,
                        };
                        let code: String = chars.by_ref().take(digits).map(|(_, digit)| digit).collect();
                        text.push(char::from_u32(u32::from_str_radix(&code, 16).ok()?)?);
                    }
                    other => text.push(other),
                },
                _ => text.push(c),
            }
        }
        None
    }

    fn word(&mut self) -> Option<Python> {
        let end = self.rest.find(|c: char| !(c.is_alphanumeric() || "+-._".contains(c)));
        let (word, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        match word {
            "None" => Some(Python::None),
            "True" => Some(Python::Bool(true)),
            "False" => Some(Python::Bool(false)),
            _ => match word.parse() {
                Ok(int) => Some(Python::Int(int)),
                Err(_) => word.parse().ok().map(Python::Float),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names(text: &str) -> Option<Vec<String>> {
        Python::parse(text)?.names()
    }

    #[test]
    fn names_are_read_as_python_writes_them() {
        let rows: [(&str, Option<&[&str]>); 10] = [
            ("{0: 'scratch', 1: 'dent'}", Some(&["scratch", "dent"])),
            ("{1: 'b', 0: 'a'}", Some(&["a", "b"])),
            (r#"{0: "it's", 1: 'a "b"'}"#, Some(&["it's", "a \"b\""])),
            (r"{0: 'a\'b\\', 1: 'Gr\xfc\u00df\n'}", Some(&["a'b\\", "Gr\u{fc}\u{df}\n"])),
            ("['a', 'b',]", Some(&["a", "b"])),
            ("('a',)", Some(&["a"])),
            ("{}", Some(&[])),
            ("{0: 'a', 2: 'c'}", None),
            ("{0: 1}", None),
            ("{0: 'a'", None),
        ];
        for (text, expected) in rows {
            assert_eq!(
                names(text),
                expected.map(|names| names.iter().map(|n| (*n).to_owned()).collect()),
                "{text}"
            );
        }
    }

    #[test]
    fn numbers_words_and_nesting() {
        assert_eq!(Python::parse("[640, 640]").unwrap().ints(), Some(vec![640, 640]));
        let args = Python::parse("{'nms': True, 'iou': 0.7, 'name': None, 'kpt': (17, 3)}").unwrap();
        assert_eq!(args.get("nms"), Some(&Python::Bool(true)));
        assert_eq!(args.get("iou"), Some(&Python::Float(0.7)));
        assert_eq!(args.get("name"), Some(&Python::None));
        assert_eq!(args.get("kpt").unwrap().ints(), Some(vec![17, 3]));
        assert_eq!(Python::parse(&"[".repeat(100_000)), None, "nesting has an end");
    }

    proptest! {
        #[test]
        fn any_text_is_a_literal_or_none(text in "[\\[\\](){}'\"\\\\,: 0-9a-zßé.x-]{0,40}") {
            let _ = Python::parse(&text);
        }
    }
}
