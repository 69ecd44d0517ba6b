//! Taking secrets out of what leaves the station: those that the config holds by name, and whatever looks like one.

use std::collections::BTreeSet;
use toml_edit::{DocumentMut, Item, Value};

const REMOVED: &str = "(removed)";

/// A key with one of these in its name holds a secret; so do `key`, `…_key`, `pin`, `pw` and `psk`.
const WORDS: [&str; 12] = [
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "secret",
    "token",
    "credential",
    "private",
    "user-pw",
    "user_pw",
    "api_key",
    "apikey",
];

/// Shorter values are too common to be sought in other texts.
const LENGTH_MIN: usize = 4;

/// What was found to be secret so far.
#[derive(Debug, Default)]
pub(super) struct Secrets {
    values: BTreeSet<String>,
}

fn names_a_secret(key: &str) -> bool {
    let key = key.to_lowercase();
    WORDS.iter().any(|word| key.contains(word))
        || ["key", "pin", "pw", "psk"].contains(&key.as_str())
        || ["_key", "-key"].iter().any(|end| key.ends_with(end))
}

impl Secrets {
    /// How many different ones.
    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    /// A config file without its secrets, which are remembered, so that [`Secrets::without`] finds them elsewhere too.
    pub(super) fn learn(&mut self, toml: &str) -> String {
        let shown = match toml.parse::<DocumentMut>() {
            Ok(mut document) => {
                document.iter_mut().for_each(|(key, item)| self.take(key.get(), item));
                document.to_string()
            }
            // Nobody knows what is what in it: whole lines go.
            Err(_) => toml.lines().map(|line| self.broken(line) + "\n").collect(),
        };
        let lines = shown.lines().map(|line| match line.rfind('#') {
            Some(at) if holds_a_word(&line[at..]) => format!("{}# {REMOVED}", &line[..at]),
            _ => line.to_owned(),
        });
        let shown: String = lines.map(|line| line + "\n").collect();
        self.without(&shown)
    }

    fn broken(&mut self, line: &str) -> String {
        match line.split_once('=') {
            Some((key, value)) if names_a_secret(key.trim().trim_matches('"')) => {
                self.keep(value.trim().trim_matches(['"', '\'']));
                format!("{key}= {REMOVED:?}")
            }
            _ => line.to_owned(),
        }
    }

    fn take(&mut self, key: &str, item: &mut Item) {
        match item {
            Item::Value(value) => self.take_value(key, value),
            Item::Table(table) => table.iter_mut().for_each(|(key, item)| self.take(key.get(), item)),
            Item::ArrayOfTables(tables) => {
                let tables = tables.iter_mut();
                tables.for_each(|table| table.iter_mut().for_each(|(key, item)| self.take(key.get(), item)));
            }
            Item::None => {}
        }
    }

    fn take_value(&mut self, key: &str, value: &mut Value) {
        match value {
            Value::InlineTable(table) => {
                table.iter_mut().for_each(|(key, value)| self.take_value(key.get(), value));
            }
            Value::Array(array) => array.iter_mut().for_each(|value| self.take_value(key, value)),
            value if names_a_secret(key) => {
                let decor = value.decor().clone();
                let was = value.as_str().map_or_else(|| value.to_string().trim().to_owned(), str::to_owned);
                self.keep(&was);
                *value = REMOVED.into();
                *value.decor_mut() = decor;
            }
            Value::String(text) => {
                if let Some(user) = user_info(text.value()) {
                    let password = user.split_once(':').map_or(user, |(_, password)| password).to_owned();
                    self.keep(&password);
                }
            }
            _ => {}
        }
    }

    fn keep(&mut self, value: &str) {
        if value.len() >= LENGTH_MIN && value != REMOVED {
            self.values.insert(value.to_owned());
        }
    }

    /// Any text without what is known to be secret, and without what looks so: users in addresses, values behind a word
    /// like `password`, bearer tokens, digests of passwords, private keys.
    pub(super) fn without(&self, text: &str) -> String {
        // Longer ones first: one may be part of another.
        let mut values: Vec<&String> = self.values.iter().collect();
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        let mut text = values.iter().fold(text.to_owned(), |text, value| text.replace(*value, REMOVED));
        text = without_private_keys(&text);
        text.lines().map(|line| clean_line(line) + "\n").collect()
    }
}

fn holds_a_word(text: &str) -> bool {
    let text = text.to_lowercase();
    WORDS.iter().any(|word| text.contains(word))
}

/// `user:password` of an address.
fn user_info(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("://")?;
    let end = rest.find(|c: char| c.is_whitespace() || ['/', '"', '\'', '?', '#', '<', '>'].contains(&c));
    rest[..end.unwrap_or(rest.len())].rsplit_once('@').map(|(user, _)| user)
}

fn without_private_keys(text: &str) -> String {
    let (mut out, mut is_inside) = (String::with_capacity(text.len()), false);
    for line in text.lines() {
        if line.contains("-----BEGIN") && line.contains("PRIVATE KEY") {
            is_inside = true;
            out += REMOVED;
            out.push('\n');
        }
        if !is_inside {
            out += line;
            out.push('\n');
        }
        if line.contains("-----END") {
            is_inside = false;
        }
    }
    out
}

fn clean_line(line: &str) -> String {
    let mut line = line.to_owned();
    // Addresses.
    let mut from = 0;
    while let Some(at) = line[from..].find("://").map(|at| from + at) {
        let user = user_info(&line[at..]).map(str::len);
        if let Some(length) = user {
            line.replace_range(at + 3..at + 3 + length, REMOVED);
        }
        from = at + 3;
    }
    // Digests of passwords.
    while let Some(at) = line.find("$argon2") {
        let end = line[at..].find(|c: char| c.is_whitespace() || ['"', '\''].contains(&c));
        line.replace_range(at..end.map_or(line.len(), |end| at + end), REMOVED);
    }
    for word in WORDS.into_iter().chain(["bearer", "authorization"]) {
        line = without_value_of(line, word);
    }
    line
}

/// `word…=value`, `word: value`, `"word": "value"`, `bearer value`.
fn without_value_of(mut line: String, word: &str) -> String {
    let mut from = 0;
    // ASCII alone changes, so places stay the same.
    while let Some(at) = line.get(from..).and_then(|rest| rest.to_ascii_lowercase().find(word)) {
        let at = from + at + word.len();
        let bytes = line.as_bytes();
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        let mut place = at;
        while bytes.get(place).is_some_and(|byte| is_name(*byte)) {
            place += 1;
        }
        let mut is_said = word == "bearer";
        while let Some(byte) =
            bytes.get(place).filter(|byte| [b' ', b'"', b'\'', b'=', b':', b'\\'].contains(byte))
        {
            is_said |= [b'=', b':'].contains(byte);
            place += 1;
        }
        // A quoted value ends with its quote, any other with the next blank or comma.
        let quote = bytes[..place].last().copied().filter(|byte| [b'"', b'\''].contains(byte));
        let ends = |byte: &u8| match quote {
            Some(quote) => *byte == quote,
            None => byte.is_ascii_whitespace() || [b'"', b'\'', b',', b';', b'&', b'}', b')'].contains(byte),
        };
        let length = bytes[place..].iter().position(ends).unwrap_or(bytes.len() - place);
        let scheme = line[place..place + length].to_ascii_lowercase();
        if is_said && length > 0 && !["bearer", "basic", REMOVED].contains(&scheme.as_str()) {
            line.replace_range(place..place + length, REMOVED);
            from = place + REMOVED.len();
        } else {
            from = at;
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_config_keeps_its_sense_and_loses_its_secrets() {
        let mut secrets = Secrets::default();
        let shown = secrets.learn(
            r#"
# the old password was swordfish
[station]
name = "line-1"        # door token: 4711-beta
[[camera]]
source = { kind = "rtsp", url = "rtsp://admin:Hunter2Hunter2@10.0.0.9:554/live" }
[plc]
tls = { certificate = "plc.pem", key = "/etc/plumb/plc.key", key_password = "correct horse" }
[[opcua.user]]
name = "mes"
password = "$argon2id$v=19$m=1,t=1,p=1$c2FsdA$aGFzaA"
"#,
        );
        for secret in
            ["swordfish", "4711-beta", "Hunter2", "admin:", "correct horse", "argon2id", "c2FsdA", "plc.key"]
        {
            assert!(!shown.contains(secret), "{secret} in\n{shown}");
        }
        for plain in ["name = \"line-1\"", "10.0.0.9:554/live", "certificate = \"plc.pem\"", "name = \"mes\""]
        {
            assert!(shown.contains(plain), "{plain} is not in\n{shown}");
        }
        let log = "camera opened with Hunter2Hunter2, then correct horse";
        assert_eq!(secrets.without(log), "camera opened with (removed), then (removed)\n");
    }

    #[test]
    fn what_looks_like_a_secret_goes_from_any_text() {
        let secrets = Secrets::default();
        for (text, expected) in [
            (
                "GET http://ben:pw@host/x and rtsp://a:b@c/d",
                "GET http://(removed)@host/x and rtsp://(removed)@c/d\n",
            ),
            ("user-id=admin user-pw=geheim latency=0", "user-id=admin user-pw=(removed) latency=0\n"),
            ("{\"new_password\": \"x y\"}", "{\"new_password\": \"(removed)\"}\n"),
            ("Authorization: Bearer abc.def-1", "Authorization: Bearer (removed)\n"),
            ("PLUMB_TOKEN=abc;next", "PLUMB_TOKEN=(removed);next\n"),
            ("hash $argon2id$v=19$x end", "hash (removed) end\n"),
            ("the token was refused", "the token was refused\n"),
            ("part 17 passed at 12:30", "part 17 passed at 12:30\n"),
        ] {
            assert_eq!(secrets.without(text), expected);
        }
        let key = "a\n-----BEGIN EC PRIVATE KEY-----\nMHc\n-----END EC PRIVATE KEY-----\nb";
        assert_eq!(secrets.without(key), "a\n(removed)\nb\n");
    }

    #[test]
    fn a_config_that_does_not_read_loses_its_lines_with_secrets_all_the_same() {
        let shown = Secrets::default().learn("[plc\npassword = \"opensesame\"\nname = \"x\"");
        assert!(!shown.contains("opensesame") && shown.contains("name = \"x\""), "{shown}");
    }
}
