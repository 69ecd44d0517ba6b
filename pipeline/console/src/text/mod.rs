//! Every text that people read, in every language, from one catalogue: each page brings its own part of it.

use crate::page;
use serde::Deserialize;
use std::{collections::BTreeMap, sync::LazyLock};

/// A language of the console.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Lang {
    /// English.
    #[default]
    En,
    /// Simplified Chinese.
    Zh,
}

impl Lang {
    /// Every language, in the order of the menu.
    pub(crate) const ALL: [Self; 2] = [Self::En, Self::Zh];

    /// As in the cookie and the attribute `lang`.
    pub(crate) fn tag(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Zh => "zh-CN",
        }
    }

    /// Its own name for itself.
    pub(crate) fn own_name(self) -> &'static str {
        match self {
            Self::En => "English",
            Self::Zh => "中文",
        }
    }

    /// From a cookie's value or the first language of `Accept-Language`.
    pub(crate) fn read(word: &str) -> Option<Self> {
        let first = word.split([',', ';']).next().unwrap_or_default().trim();
        let primary = first.split('-').next().unwrap_or_default();
        match primary.to_ascii_lowercase().as_str() {
            "en" => Some(Self::En),
            "zh" => Some(Self::Zh),
            _ => None,
        }
    }
}

/// One text in each language.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    en: String,
    zh: String,
}

/// The shell's texts, then each page's.
fn sources() -> impl Iterator<Item = (&'static str, &'static str)> {
    let own = [("shell", include_str!("../shell/shell.toml")), ("word", include_str!("words.toml"))];
    own.into_iter().chain(page::ALL.iter().map(|page| (page.name, page.texts)))
}

/// `name.key` → text. A file that does not read is a bug that a test finds; its texts then show as their keys.
static CATALOGUE: LazyLock<BTreeMap<String, Text>> = LazyLock::new(|| {
    let mut all = BTreeMap::new();
    for (name, source) in sources() {
        match toml::from_str::<BTreeMap<String, Text>>(source) {
            Ok(texts) => all.extend(texts.into_iter().map(|(key, text)| (format!("{name}.{key}"), text))),
            Err(error) => tracing::error!(file = name, %error, "Texts of the console do not read."),
        }
    }
    all
});

/// The text of `key` in `lang`; the key itself where there is none.
pub(crate) fn t(key: &str, lang: Lang) -> String {
    match (CATALOGUE.get(key), lang) {
        (Some(text), Lang::En) => text.en.clone(),
        (Some(text), Lang::Zh) => text.zh.clone(),
        (None, _) => key.to_owned(),
    }
}

/// A text whose key ends in a word of the data: a verdict, a role.
pub(crate) fn t_of(start: &str, end: &str, lang: Lang) -> String {
    t(&format!("{start}{end}"), lang)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{collections::BTreeSet, fs, path::Path};

    /// What the sources ask for: whole keys, and beginnings of keys that are put together (`t_of("verdict.", …)`).
    fn asked() -> (BTreeSet<String>, BTreeSet<String>) {
        let (mut whole, mut begun) = (BTreeSet::new(), BTreeSet::new());
        let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).expect("readable") {
                let path = entry.expect("readable").path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                if !path.extension().is_some_and(|end| end == "rs" || end == "html") {
                    continue;
                }
                let source = fs::read_to_string(&path).expect("UTF-8");
                // Tests speak of keys that are not there.
                let source = source.split("#[cfg(test)]").next().unwrap_or_default();
                for call in ["t(\"", "fill(\"", "t_of(\""] {
                    let keys = if call == "t_of(\"" { &mut begun } else { &mut whole };
                    for (place, _) in source.match_indices(call) {
                        // `asset("…")` ends in the same letters.
                        let before = source[..place].chars().next_back();
                        let key = source[place + call.len()..].split('"').next().unwrap_or_default();
                        let is_call = !before.is_some_and(|c| c.is_alphanumeric() || c == '_');
                        if is_call && key.contains('.') && !key.contains(['<', ' ', '{']) {
                            keys.insert(key.to_owned());
                        }
                    }
                }
            }
        }
        (whole, begun)
    }

    #[test]
    fn every_file_of_texts_reads_and_no_text_is_empty() {
        for (name, source) in sources() {
            let read = toml::from_str::<BTreeMap<String, Text>>(source);
            let texts = read.unwrap_or_else(|error| panic!("{name}.toml: {error}"));
            for (key, text) in texts {
                assert!(
                    !text.en.trim().is_empty() && !text.zh.trim().is_empty(),
                    "{name}.{key} has an empty text"
                );
                let holes = |text: &str| text.matches('{').count();
                assert_eq!(holes(&text.en), holes(&text.zh), "{name}.{key} has other holes in one language");
            }
        }
    }

    #[test]
    fn every_key_that_is_asked_for_has_a_text_and_every_text_is_asked_for() {
        let (whole, begun) = asked();
        let missing: Vec<_> = whole.iter().filter(|key| !CATALOGUE.contains_key(*key)).collect();
        assert!(missing.is_empty(), "no text for {missing:?}");
        for start in &begun {
            assert!(CATALOGUE.keys().any(|key| key.starts_with(start)), "no text begins with {start}");
        }
        let of_a_page = |key: &String| {
            page::ALL.iter().any(|page| {
                *key == format!("{}.title", page.name)
                    || (page.group.is_some() && *key == format!("{}.menu", page.name))
            })
        };
        let is_asked = |key: &String| {
            of_a_page(key) || whole.contains(key) || begun.iter().any(|start| key.starts_with(start))
        };
        let unused: Vec<_> = CATALOGUE.keys().filter(|key| !is_asked(key)).collect();
        assert!(unused.is_empty(), "nobody asks for {unused:?}");
    }

    #[test]
    fn a_browser_says_which_language_its_user_reads() {
        assert_eq!(Lang::read("zh-CN,zh;q=0.9,en;q=0.8"), Some(Lang::Zh));
        assert_eq!(Lang::read("en"), Some(Lang::En));
        assert_eq!(Lang::read("de-DE,en"), None);
    }
}
