//! Invariant 6: a wrong config is told whole, with the place and what to do; a right one becomes a plan.

mod workshop;

use plumb_station::config;
use workshop::{RECIPE, Workshop};

const GOOD: &str = r#"
[station]
name = "test"
recipe = "bottle"

[[camera]]
id = "top"
source = { kind = "files", path = "pictures" }

[trigger]
kind = "frame"
"#;

fn problems(station: &str, recipe: &str) -> Vec<String> {
    let workshop = Workshop::new(station, recipe);
    let root = format!("{}/", workshop.path("").display());
    let root = root.trim_end_matches('/').to_owned() + "/";
    match config::read(&workshop.path("station.toml")) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().map(|problem| problem.to_string().replace(&root, "")).collect(),
    }
}

#[test]
fn a_right_config_has_no_problems() {
    assert_eq!(problems(GOOD, RECIPE), Vec::<String>::new());
}

#[test]
fn a_threshold_changed_on_a_card_changes_the_digest_that_records_carry() {
    let workshop = Workshop::new(GOOD, RECIPE);
    let digest = || {
        let plan =
            config::read(&workshop.path("station.toml")).unwrap_or_else(|problems| panic!("{problems}"));
        plan.recipes[&plan.first_recipe].digest.clone()
    };
    let before = digest();
    assert_eq!(digest(), before);
    let card = std::fs::read_to_string(workshop.path("model.toml")).expect("the card");
    workshop.write("model.toml", &card.replace("score_min = 0.25", "score_min = 0.3"));
    assert_ne!(digest(), before, "two parts judged by different thresholds are not judged alike");
}

#[test]
fn a_problem_knows_the_keys_that_lead_to_it_so_that_a_form_can_tell_it_beside_its_field() {
    let recipe = RECIPE
        .replace("number = 1", "number = 0")
        .replace("score_min = 0.5", "score_min = \"high\"")
        .replace("name = \"whole\"", "nmae = \"whole\"");
    let workshop = Workshop::new(GOOD, &recipe);
    let problems = config::read(&workshop.path("station.toml")).expect_err("three mistakes");
    let routes: Vec<String> = problems.iter().map(|problem| problem.route.join(".")).collect();
    for route in ["recipe.number", "rule.0.score_min", "region.0.name", "region.0.nmae"] {
        assert!(routes.iter().any(|told| told == route), "{route}: {routes:?}");
    }
}

#[test]
fn every_mistake_of_every_file_is_told_at_once() {
    let station =
        GOOD.replace("name = \"test\"", "nmae = \"test\"").replace("kind = \"files\"", "kind = \"fils\"");
    let recipe = RECIPE
        .replace("model = \"boxes\"", "model = \"boxs\"")
        .replace("deadline_ms = 2000", "deadline_ms = \"soon\"")
        .replace("score_min = 0.5", "score_min = 0.5\nsize_max = 3");
    let told = problems(&station, &recipe);
    for expected in [
        "station.toml:2:2  [station] lacks the key \"name\"",
        "station.toml:3:1  there is no key \"nmae\" here\n    hint: did you mean \"name\"?",
        "station.toml:8:19  kind cannot be \"fils\"\n    hint: did you mean \"files\"?",
        "recipes/bottle.toml:5:15  deadline_ms: invalid type: string \"soon\", expected u64",
        "recipes/bottle.toml:13:9  region \"whole\" is for model \"boxs\", which the recipe lacks\n    hint: did you mean \"boxes\"?",
    ] {
        assert!(
            told.iter().any(|problem| problem == expected),
            "wanted\n  {expected}\ngot\n  {}",
            told.join("\n  ")
        );
    }
    assert!(told.iter().any(|problem| problem.contains("size_max")), "{told:?}");
}

#[test]
fn names_that_match_nothing_are_told_with_what_there_is() {
    let recipe = RECIPE
        .replace("region = \"whole\"\nclass", "region = \"hole\"\nclass")
        .replace("name = \"bottle\"\nnumber", "name = \"botle\"\nnumber");
    assert_eq!(
        problems(GOOD, &recipe),
        [
            "recipes/bottle.toml:18:10  rule \"bottle-there\" looks at region \"hole\", which the recipe lacks\n    hint: did you mean \"whole\"?"
        ]
    );
    let recipe = RECIPE.replace("name = \"bottle\"\nnumber", "name = \"botle\"\nnumber");
    assert_eq!(
        problems(GOOD, &recipe),
        ["station.toml:4:10  there is no recipe \"bottle\"\n    hint: did you mean \"botle\"?"]
    );
    let recipe = RECIPE.replace("class = \"bottle\"", "class = \"bottel\"");
    let told = problems(GOOD, &recipe);
    assert!(told[0].contains("\"bottel\", which no model of its regions can see"), "{told:?}");
    assert!(told[0].contains("did you mean \"bottle\"?"), "{told:?}");
}

#[test]
fn missing_files_are_told_by_name() {
    let workshop = Workshop::new(GOOD, RECIPE);
    std::fs::remove_file(workshop.path("model.toml")).expect("the card was there");
    let told = config::read(&workshop.path("station.toml")).expect_err("no card").to_string();
    assert!(told.contains("recipes/bottle.toml:9:8") && told.contains("model.toml"), "{told}");
    let told = config::read(&workshop.path("nothing.toml")).expect_err("no file").to_string();
    assert!(told.contains("nothing.toml  cannot be read"), "{told}");
}

#[test]
fn a_limit_in_mm_without_a_scale_is_refused() {
    let recipe = format!(
        "{RECIPE}\n[[rule]]\nname = \"small\"\nkind = \"area\"\nregion = \"whole\"\nclass = \"cap\"\nscore_min = 0.5\nmax_mm2 = 4.0\n"
    );
    let told = problems(GOOD, &recipe);
    assert!(told.iter().any(|problem| problem.contains("camera \"top\" has no scale")), "{told:?}");
    let scaled = GOOD.replace("id = \"top\"", "id = \"top\"\nmm_per_px = [0.1, 0.1]");
    assert_eq!(problems(&scaled, &recipe), Vec::<String>::new());
}

#[test]
fn a_second_camera_needs_naming() {
    let station =
        format!("{GOOD}\n[[camera]]\nid = \"side\"\nsource = {{ kind = \"files\", path = \"pictures\" }}\n");
    let told = problems(&station, RECIPE);
    assert!(told.iter().any(|problem| problem.contains("more than one camera")), "{told:?}");
}

#[test]
fn what_is_wrong_with_devices_and_batches_is_told_with_its_place() {
    let station = format!("{GOOD}\n[infer]\nbatch_max = 1000\ndevice_missing = \"degrad\"\n");
    let recipe = RECIPE.replace("card = \"../model.toml\"", "card = \"../model.toml\"\nvariant = \"int8\"");
    let told = problems(&station, &recipe);
    let expected = "recipes/bottle.toml:10:11  model card";
    assert!(
        told.iter().any(|problem| problem.starts_with(expected) && problem.contains("\"int8\"")),
        "{told:?}"
    );
    let expected =
        "station.toml:15:18  device_missing cannot be \"degrad\"\n    hint: did you mean \"degrade\"?";
    assert!(told.iter().any(|problem| problem == expected), "{told:?}");
    let told = problems(&station.replace("degrad\"", "degrade\""), RECIPE);
    assert_eq!(told, ["station.toml:14:13  batch_max is 1000; it can be 1 to 64"]);
    let told = problems(GOOD, &RECIPE.replace("card =", "device = \"gpu\"\ncard ="));
    assert!(told[0].contains("bottle.toml:9:10") && told[0].contains("\"cuda:0\""), "{told:?}");
    assert_eq!(told.len(), 1, "the region that names the model is not to blame: {told:?}");
}
