//! A page for paper: title, facts, sections, and lines to sign on.

use crate::{Plot, Table, text::escape};

/// A report.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    title: String,
    facts: Vec<(String, String)>,
    sections: Vec<(String, Vec<Block>)>,
    signatures: Vec<String>,
}

/// What stands in a section.
#[derive(Clone, Debug, PartialEq)]
pub enum Block {
    /// A paragraph.
    Text(String),
    /// A sentence that must be seen.
    Note(Tone, String),
    /// A table.
    Table(Table),
    /// A drawing.
    Plot(Plot),
    /// Pictures side by side.
    Pictures(Vec<Picture>),
}

/// How a sentence is meant. On paper each has its word, so that colour alone tells nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// As it should be.
    Good,
    /// Look at it.
    Careful,
    /// Not as it should be.
    Bad,
}

/// A picture inside the page.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// The file's bytes.
    pub bytes: Vec<u8>,
    /// `image/jpeg`, `image/png`.
    pub media_type: &'static str,
    /// What it shows: below the picture, and for who cannot see it.
    pub says: String,
}

impl Page {
    /// An empty page.
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), facts: Vec::new(), sections: Vec::new(), signatures: Vec::new() }
    }

    /// One of the facts below the title: station, date, who, digests.
    pub fn fact(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.facts.push((name.into(), value.into()));
        self
    }

    /// One more section.
    pub fn section(mut self, heading: impl Into<String>, blocks: Vec<Block>) -> Self {
        self.sections.push((heading.into(), blocks));
        self
    }

    /// A line to sign on, for each meaning: `measured`, `reviewed`, `approved`.
    pub fn to_sign<S: Into<String>>(mut self, meanings: impl IntoIterator<Item = S>) -> Self {
        self.signatures.extend(meanings.into_iter().map(Into::into));
        self
    }

    /// The whole file.
    pub fn html(&self) -> String {
        let title = escape(&self.title);
        let facts: String = self
            .facts
            .iter()
            .map(|(name, value)| format!("<dt>{}</dt><dd>{}</dd>\n", escape(name), escape(value)))
            .collect();
        let sections: String = self
            .sections
            .iter()
            .map(|(heading, blocks)| {
                let blocks: String = blocks.iter().map(Block::html).collect();
                format!("<section><h2>{}</h2>\n{blocks}</section>\n", escape(heading))
            })
            .collect();
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width\">\n\
             <title>{title}</title>\n<style>{STYLE}</style></head>\n<body><main>\n<h1>{title}</h1>\n\
             <dl>\n{facts}</dl>\n{sections}{}</main></body></html>\n",
            self.signature_lines()
        )
    }

    fn signature_lines(&self) -> String {
        if self.signatures.is_empty() {
            return String::new();
        }
        let line = |meaning: &String| {
            format!(
                "<div class=\"sign\"><span class=\"line\"></span>\
                 <span>{}: name, signature, date</span></div>\n",
                escape(meaning)
            )
        };
        let lines: String = self.signatures.iter().map(line).collect();
        format!("<section class=\"signs\">\n{lines}</section>\n")
    }
}

impl Block {
    fn html(&self) -> String {
        match self {
            Self::Text(text) => format!("<p>{}</p>\n", escape(text)),
            Self::Note(tone, text) => {
                format!("<p class=\"note {}\"><b>{}</b> {}</p>\n", tone.class(), tone.word(), escape(text))
            }
            Self::Table(table) => table.html(),
            Self::Plot(plot) => plot.html(),
            Self::Pictures(pictures) => {
                let pictures: String = pictures.iter().map(Picture::html).collect();
                format!("<div class=\"pictures\">\n{pictures}</div>\n")
            }
        }
    }
}

impl Tone {
    fn word(self) -> &'static str {
        match self {
            Self::Good => "✓ In order.",
            Self::Careful => "▲ Look at this.",
            Self::Bad => "✗ Not in order.",
        }
    }

    fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Careful => "careful",
            Self::Bad => "bad",
        }
    }
}

impl Picture {
    fn html(&self) -> String {
        let says = escape(&self.says);
        format!(
            "<figure><img alt=\"{says}\" src=\"data:{};base64,{}\"><figcaption>{says}</figcaption></figure>\n",
            self.media_type,
            base64(&self.bytes)
        )
    }
}

/// RFC 4648, section 4, with padding.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group =
            chunk.iter().fold(0_u32, |group, byte| group << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let letter = LETTERS[(group >> (18 - 6 * place) & 63) as usize];
            out.push(if place <= chunk.len() { char::from(letter) } else { '=' });
        }
    }
    out
}

const STYLE: &str = include_str!("page.css");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_become_the_letters_that_the_standard_gives() {
        // RFC 4648, section 10.
        for (bytes, letters) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(bytes.as_bytes()), letters);
        }
    }

    #[test]
    fn a_page_asks_the_network_for_nothing_and_runs_nothing() {
        let picture = Picture { bytes: vec![1, 2, 3], media_type: "image/png", says: "\"><script>".into() };
        let page = Page::new("<script>alert(1)</script>")
            .fact("Serial", "<img src=x>")
            .section("S", vec![Block::Text("a < b".into()), Block::Pictures(vec![picture])])
            .section("N", vec![Block::Note(Tone::Bad, "escapes".into())])
            .to_sign(["approved"]);
        let html = page.html();
        for evil in ["<script", "<img src=x", "http:", "https:", "//"] {
            assert!(!html.contains(evil), "{evil} in\n{html}");
        }
        assert!(html.contains("✗ Not in order.") && html.contains("approved: name, signature, date"));
    }
}
