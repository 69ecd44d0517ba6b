//! What is wrong with links, gate and tracking is told all at once, with its place.

mod workshop;

use plumb_station::config;
use workshop::{RECIPE, Workshop};

const STATION: &str = r#"[station]
name = "test"
recipe = "bottle"
[[camera]]
id = "top"
source = { kind = "files", path = "pictures" }
[trigger]
kind = "frame"
[plc]
kind = "modbus_tcp"
role = "client"
address = "10.0.4.7:502"
"#;

fn problems(text: &str) -> Vec<String> {
    let workshop = Workshop::new(text, RECIPE);
    let root = format!("{}/", workshop.path("").display()).replace("//", "/");
    match config::read(&workshop.path("station.toml")) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().map(|problem| problem.to_string().replace(&root, "")).collect(),
    }
}

#[test]
fn links_that_share_a_name_or_registers_are_told_all_at_once() {
    let mirrors = r#"[[mirror]]
name = "mes"
link = { kind = "modbus_tcp", role = "client", address = "10.0.4.7:502", base = 15 }
[[mirror]]
name = "mes"
link = { kind = "modbus_tcp", role = "client", address = "10.0.4.8:502" }
[[mirror]]
name = "modbus_tcp"
link = { kind = "modbus_tcp", role = "client", address = "10.0.4.8:502", unit = 2 }
[[mirror]]
name = "Hall 3"
link = { kind = "modbus_tcp", role = "client", address = "10.0.4.8:502", base = 10 }
[[mirror]]
name = "nobody"
link = { kind = "none" }
[[mirror]]
name = "same"
link = { kind = "modbus_tcp", role = "client", address = "10.0.4.7:502" }
"#;
    let told = problems(&format!("{STATION}{mirrors}"));
    for expected in [
        "station.toml:15:8  writes where the gate's link writes: Modbus 10.0.4.7:502 unit 1, words 15 to 19",
        "station.toml:17:8  a second mirror is called \"mes\"",
        "station.toml:20:8  the gate's own link is called \"modbus_tcp\" in metrics and logs",
        "station.toml:23:8  a link's name is 1 to 40 of a-z, 0-9, - and _, not \"Hall 3\"",
        "station.toml:24:8  writes where mirror \"mes\" writes: Modbus 10.0.4.8:502 unit 1, words 10 to 19",
        "station.toml:27:8  a mirror without a PLC shows nothing to anybody",
        "station.toml:30:8  writes where the gate's link writes: Modbus 10.0.4.7:502 unit 1, words 0 to 19",
    ] {
        assert!(
            told.iter().any(|says| says.starts_with(expected)),
            "wanted\n  {expected}\ngot\n  {}",
            told.join("\n  ")
        );
    }
    assert_eq!(told.len(), 7, "{told:#?}");
}

#[test]
fn sixty_four_mirrors_are_taken_and_a_sixty_fifth_is_not() {
    let mirror = |n: usize| {
        format!(
            "[[mirror]]\nname = \"m{n}\"\nlink = {{ kind = \"modbus_tcp\", role = \"client\", \
             address = \"10.0.5.1:502\", base = {} }}\n",
            n * 20
        )
    };
    let with = |count: usize| format!("{STATION}{}", (0..count).map(mirror).collect::<String>());
    assert_eq!(problems(&with(64)), Vec::<String>::new());
    let told = problems(&with(65));
    assert!(told.len() == 1 && told[0].contains("there are 65 mirrors; there can be 64"), "{told:?}");
}

#[test]
fn a_gate_or_a_count_that_cannot_be_is_told_with_its_place() {
    let told = problems(&format!("{STATION}[gate]\ndistance_mm = -3\nwire_ms = \"quick\"\n"));
    assert!(
        told[0].starts_with("station.toml:15:11  wire_ms") && told[0].contains("\"measured\""),
        "{told:?}"
    );
    let told = problems(&format!("{STATION}[gate]\ndistance_mm = -3\n"));
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told.iter().all(|says| says.starts_with("station.toml:14:15  ")), "{told:?}");

    let gate = "[gate]\ndistance_mm = 500\nspeed_mm_s = 1000\npitch_mm = 50\n";
    let counted = "[tracking]\nplc_counts = true\n";
    assert_eq!(problems(&format!("{STATION}{gate}{counted}")), Vec::<String>::new(), "half a pitch");
    let told = problems(&format!("{STATION}{counted}"));
    assert!(told[0].contains("add pair_within_ms here, or pitch_mm in [gate]"), "{told:?}");
    let told = problems(&format!("{STATION}{gate}{counted}pair_within_ms = 50\n"));
    assert!(told[0].starts_with("station.toml:19:18  ") && told[0].contains("neighbour"), "{told:?}");
    let told = problems(&format!("{STATION}{counted}pair_within_ms = 50\n").replace("\"frame\"", "\"api\""));
    assert!(told[0].contains("begin a part by themselves"), "{told:?}");
}

#[test]
fn single_variables_move_no_gate() {
    let link = "kind = \"opc_ua\"\nurl = \"opc.tcp://mes:4840\"\nsingle = { verdict = \"ns=2;s=v\", part = \"ns=2;s=p\" }\n";
    let (before, plc) = STATION.split_once("[plc]\n").expect("the station has a gate link");
    let after = plc.split_once("\n[").map_or(String::new(), |(_, rest)| format!("[{rest}"));
    let told = problems(&format!("{before}[plc]\n{link}{after}"));
    assert!(told.len() == 1 && told[0].contains("nobody acknowledges single variables"), "{told:?}");
    let mirror = link.replace('\n', "\nlink.").trim_end_matches("link.").to_owned();
    assert_eq!(
        problems(&format!("{STATION}[[mirror]]\nname = \"mes\"\nlink.{mirror}")),
        Vec::<String>::new()
    );
}

#[test]
fn a_recipe_without_a_deadline_needs_a_gate() {
    let workshop = Workshop::new(STATION, &RECIPE.replace("deadline_ms = 2000\n", ""));
    let told = config::read(&workshop.path("station.toml")).expect_err("no deadline").to_string();
    assert!(told.contains("lacks the key \"deadline_ms\"") && told.contains("[gate]"), "{told}");
}
