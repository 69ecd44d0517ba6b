//! Alerts, their tests and their pages belong together.

mod workshop;

use serde_json::Value;
use std::{collections::BTreeSet, fs, process::Command};
use workshop::prometheus::{self, deploy, promtool};

fn yaml(file: &str) -> Value {
    let text = fs::read_to_string(deploy().join("prometheus").join(file)).expect(file);
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn list<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

fn alerts() -> Vec<Value> {
    let rules = yaml("alert.rules.yml");
    let alerts: Vec<Value> =
        list(&rules, "groups").iter().flat_map(|group| list(group, "rules")).cloned().collect();
    assert!(!alerts.is_empty());
    alerts
}

fn name(alert: &Value) -> &str {
    alert["alert"].as_str().expect("an alert has a name")
}

#[test]
fn each_alert_says_how_serious_it_is_what_it_means_and_where_its_page_is() {
    for alert in alerts() {
        let name = name(&alert);
        let severity = alert["labels"]["severity"].as_str();
        assert!(matches!(severity, Some("page" | "ticket")), "{name}: {severity:?}");
        for annotation in ["summary", "description"] {
            let text = alert["annotations"][annotation].as_str().unwrap_or_default();
            assert!(text.len() > 20, "{name} has no {annotation}");
        }
        let page = format!("{{{{ $externalURL }}}}/user/alerts/{name}.md");
        assert_eq!(alert["annotations"]["runbook_url"].as_str(), Some(page.as_str()), "{name}");
    }
}

#[test]
fn each_alert_has_its_page_and_each_page_its_alert() {
    let folder = deploy().join("docs/alerts");
    let alerts: BTreeSet<String> = alerts().iter().map(|alert| name(alert).to_owned()).collect();
    let pages: BTreeSet<String> = fs::read_dir(&folder)
        .expect("the pages")
        .flatten()
        .filter_map(|page| page.file_name().to_str()?.strip_suffix(".md").map(str::to_owned))
        .filter(|page| page != "README")
        .collect();
    assert_eq!(alerts, pages);
    let list = fs::read_to_string(folder.join("README.md")).expect("the list of pages");
    for page in &pages {
        assert!(list.contains(&format!("[{page}]({page}.md)")), "README.md does not name {page}");
        let text = fs::read_to_string(folder.join(format!("{page}.md"))).expect("a page");
        for part in [
            "# ",
            "## What it means for the line",
            "## How to see it",
            "## What to do first",
            "## What not to do",
        ] {
            assert!(text.lines().any(|line| line.starts_with(part)), "{page} lacks \"{part}\"");
        }
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            assert!(folder.join(link).exists(), "{page} links to {link}, which is not there");
        }
    }
}

#[test]
fn each_alert_is_tested_to_fire_and_to_be_silent() {
    let tests = yaml("rules.test.yml");
    let mut fires = BTreeSet::new();
    let mut silent = BTreeSet::new();
    for test in list(&tests, "tests").iter().flat_map(|test| list(test, "alert_rule_test")) {
        let name = test["alertname"].as_str().expect("a test names its alert").to_owned();
        let of = if list(test, "exp_alerts").is_empty() { &mut silent } else { &mut fires };
        of.insert(name);
    }
    let alerts: BTreeSet<String> = alerts().iter().map(|alert| name(alert).to_owned()).collect();
    assert_eq!(alerts, fires, "alerts, and those that a test makes fire");
    assert_eq!(alerts, silent, "alerts, and those that a test keeps silent");
    if prometheus::is_installed() {
        let folder = deploy().join("prometheus");
        promtool(&["check", "config", "prometheus.yml"], &folder);
        promtool(&["check", "rules", "recording.rules.yml", "alert.rules.yml"], &folder);
        assert!(promtool(&["test", "rules", "rules.test.yml"], &folder).contains("SUCCESS"));
    }
}

/// The words of `text` that stand between backticks, of the lines outside code blocks.
fn quoted(text: &str) -> Vec<String> {
    let prose: String = text.split("```").step_by(2).collect();
    prose
        .split('`')
        .skip(1)
        .step_by(2)
        .map(|words| words.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect()
}

#[test]
fn what_pages_tell_to_type_is_there() {
    let mut commands = BTreeSet::new();
    for page in fs::read_dir(deploy().join("docs/alerts")).expect("the pages").flatten() {
        let text = fs::read_to_string(page.path()).expect("a page");
        commands.extend(quoted(&text).into_iter().filter(|words| words.starts_with("plumb ")));
    }
    assert!(commands.len() > 8, "{commands:?}");
    for command in commands {
        let words: Vec<&str> = command.split(' ').skip(1).collect();
        let is_subcommand = |word: &&&str| word.chars().all(|char| char.is_ascii_lowercase());
        let subcommands: Vec<&str> = words.iter().take_while(is_subcommand).copied().collect();
        let help = Command::new(env!("CARGO_BIN_EXE_plumb"))
            .args(&subcommands)
            .arg("--help")
            .output()
            .expect("it runs");
        let said = String::from_utf8_lossy(&help.stdout).into_owned();
        assert!(help.status.success(), "`{command}`: {}", String::from_utf8_lossy(&help.stderr));
        assert!(
            said.contains(&format!("Usage: plumb {}", subcommands.join(" "))),
            "`{command}` is not one command"
        );
        for option in words.iter().filter(|word| word.starts_with("--")) {
            assert!(said.contains(option), "`{command}`: there is no {option}");
        }
    }
}
