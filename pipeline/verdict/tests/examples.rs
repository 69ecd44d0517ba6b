//! The examples people copy from parse, and between them show every kind; what is misspelt is refused with a hint.

use plumb_verdict::{Judge, RuleConfig};
use serde::Deserialize;
use std::{fs, path::Path};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Example {
    rule: Vec<RuleConfig>,
}

#[test]
fn every_kind_of_rule_has_an_example_that_a_recipe_may_copy() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/examples/rule");
    for kind in RuleConfig::KINDS {
        let path = folder.join(format!("{kind}.toml"));
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let example: Example =
            toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert!(example.rule.iter().all(|rule| rule.kind() == kind), "{kind}.toml shows another kind");
        Judge::new(example.rule).unwrap_or_else(|errors| panic!("{kind}.toml: {errors:?}"));
    }
    let files = fs::read_dir(&folder).expect("read above").count();
    assert_eq!(files, RuleConfig::KINDS.len(), "an example of no kind, or a kind missing from KINDS");
}

#[test]
fn what_a_rule_does_not_know_is_refused_with_what_it_does() {
    let common = "name = 'r'\nscore_min = 0.5\n";
    let rows = [
        ("kind = 'cuont'\nmax = 0", "unknown variant `cuont`, expected one of `score`, `count`"),
        (
            "kind = 'count'\nmaxx = 0",
            "unknown field `maxx`, expected one of `name`, `camera`, `model`, `region`",
        ),
        ("kind = 'count'\nregoin = 'face'\nmax = 0", "unknown field `regoin`"),
        ("kind = 'count'\nmax = -1", "invalid value: integer `-1`, expected u32"),
        ("kind = 'count'\nmax = 'none'", "invalid type: string \"none\", expected u32"),
        ("kind = 'count'\nmax = 0\nzone = [1, 2, 3]", "a rectangle [x, y, w, h] or a polygon"),
        ("kind = 'count'\nmax = 0\nzone = [1, 2, 3, 4]\nzone_px = [1, 2, 3, 4]", "duplicate field `zone_px`"),
        ("kind = 'presence'\nmin = 1", "unknown field `min`"),
        ("kind = 'absence'\nmax = 1", "unknown field `max`"),
        ("kind = 'area'\nof = 'all'\nmax_px2 = 1", "unknown variant `all`, expected `each` or `sum`"),
        ("kind = 'pairs'\neach = 'Bottle'", "missing field `has`"),
        ("kind = 'score'\nmax = 0.5", "unknown field `score_min`"),
        ("max = 0", "missing field `kind`"),
    ];
    for (keys, says) in rows {
        let error = toml::from_str::<RuleConfig>(&format!("{common}{keys}")).expect_err(keys).to_string();
        assert!(error.contains(says), "{keys}\n{error}");
    }
    let error =
        toml::from_str::<RuleConfig>("name = 'r'\nkind = 'absence'").expect_err("no threshold").to_string();
    assert!(error.contains("missing field `score_min`"), "{error}");
    let error =
        toml::from_str::<RuleConfig>("name = 'r'\nkind = 'score'\nmax = nan").expect_err("nan").to_string();
    assert!(error.contains("not a finite number"), "{error}");
}

#[test]
fn a_rule_is_written_as_it_is_read() {
    let text = "kind = \"count\"\nname = \"r\"\nscore_min = 0.5\nzone_px = [1.0, 2.0, 3.0, 4.0]\nmax = 2\n";
    let rule: RuleConfig = toml::from_str(text).expect("a plain rule");
    assert_eq!(toml::to_string(&rule).expect("plain data"), text);
}
