//! What the PLC programmer reads is what the code does: the register map is written from the code, the SCL sources from the
//! Structured Text. `PLUMB_WRITE_DOCUMENTS=1 cargo test -p plumb-plc --test plc_documents` writes both anew.

#![allow(clippy::unwrap_used)] // a test's helpers are part of the test

use plumb_inspection::{PartId, RecipeNumber};
use plumb_plc::{
    FromPlc, ToPlc, VerdictCode,
    register_map::{Control, GateStatus, HALF_WORDS, Status, Words},
};
use std::{
    collections::BTreeSet,
    fmt::{Debug, Write as _},
    fs,
    path::{Path, PathBuf},
};

fn documents() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/plc")
}

/// Compares, or writes.
fn hold(file: &Path, wanted: &str) {
    if std::env::var_os("PLUMB_WRITE_DOCUMENTS").is_some() {
        fs::write(file, wanted).unwrap();
    }
    let found = fs::read_to_string(file).unwrap_or_default();
    assert!(
        found == wanted,
        "{} is not what the code says; write it anew, expected:\n{wanted}",
        file.display()
    );
}

/// The name of bit `bit`, as its struct spells it; `None` where it has none.
fn bit_name(shown: impl Debug) -> Option<String> {
    let shown = format!("{shown:?}");
    let field = shown.split(['{', ',']).find(|field| field.contains(": true"))?;
    let name = field.trim().split(':').next()?;
    Some(name.split('_').map(|word| word[..1].to_uppercase() + &word[1..]).collect())
}

/// Which words change when `change` is made.
fn words_of(empty: Words, changed: Words) -> Vec<usize> {
    (0..HALF_WORDS).filter(|&word| empty[word] != changed[word]).collect()
}

fn row(text: &mut String, offset: usize, words: &[usize], what: &str, meaning: &str) {
    let (first, last) = (words[0] + offset, words[words.len() - 1] + offset);
    let span = |from: usize, to: usize| if from == to { format!("{from}") } else { format!("{from}-{to}") };
    let s7 = if first == last { format!("DBW{}", 2 * first) } else { format!("DBD{}", 2 * first) };
    let d = if first == last { format!("D{first}") } else { format!("D{first}, D{last}") };
    let modbus = if first == last { format!("base + {first}") } else { format!("base + {first}, {last}") };
    writeln!(text, "| {} | {what} | {meaning} | {modbus} | {s7} | {d} |", span(first, last)).unwrap();
}

fn map() -> String {
    let mut text = String::new();
    let head = |text: &mut String, title: &str| {
        writeln!(text, "\n### {title}\n\n| word | what | meaning | Modbus | S7 (start 0) | SLMP (D0) |\n|---|---|---|---|---|---|").unwrap();
    };
    let from = |change: fn(&mut FromPlc)| {
        let mut said = FromPlc::default();
        change(&mut said);
        words_of(FromPlc::default().encode(), said.encode())
    };
    head(&mut text, "The PLC writes");
    row(&mut text, 0, &from(|said| said.control.trigger = true), "control bits", "below");
    row(&mut text, 0, &from(|said| said.heartbeat = 1), "PLC heartbeat", "+1 every 100 ms");
    row(
        &mut text,
        0,
        &from(|said| said.part = PartId::new(0x0001_0001)),
        "part id, u32",
        "0: the station numbers",
    );
    row(
        &mut text,
        0,
        &from(|said| said.encoder = 0x0001_0001),
        "encoder at the photo-eye, u32",
        "counts, wraps",
    );
    row(&mut text, 0, &from(|said| said.recipe = RecipeNumber(1)), "recipe wanted", "with RecipeChange");
    row(
        &mut text,
        0,
        &from(|said| said.gate.bin_full = true),
        "gate status bits, v1.1",
        "below; 0 where there are no such eyes",
    );
    row(&mut text, 0, &[8], "reserved", "0"); // no field of the block changes 8 and 9
    row(&mut text, 0, &[9], "reserved", "0");
    let to = |change: fn(&mut ToPlc)| {
        let mut shown = ToPlc::default();
        change(&mut shown);
        words_of(ToPlc::default().encode(), shown.encode())
    };
    head(&mut text, "The station writes");
    row(&mut text, 10, &to(|shown| shown.status.online = true), "status bits", "below");
    row(
        &mut text,
        10,
        &to(|shown| shown.heartbeat = 1),
        "station heartbeat",
        "+1 every 100 ms, by the verdict path",
    );
    let part = to(|shown| shown.part = PartId::new(0x0001_0001));
    row(&mut text, 10, &part[..2], "part id of the answer, u32", "compare it, never take \"the latest\"");
    row(&mut text, 10, &to(|shown| shown.code = VerdictCode::Fail), "verdict code", "below");
    row(
        &mut text,
        10,
        &to(|shown| shown.reason = 1),
        "reason",
        "0 pass, 1-99 rule, from 100 cause of a MISSED",
    );
    row(&mut text, 10, &to(|shown| shown.decision_us = 0x0001_0001), "decision time, u32", "µs");
    row(&mut text, 10, &to(|shown| shown.recipe = RecipeNumber(1)), "recipe active", "");
    row(&mut text, 10, &part[2..], "low word of the part id again", "unequal to word 13: torn, read again");
    let bits = |text: &mut String, title: &str, name: &dyn Fn(u16) -> Option<String>| {
        writeln!(text, "\n### {title}\n\n| bit | mask | name |\n|---|---|---|").unwrap();
        for (bit, name) in (0..16).filter_map(|bit| Some((bit, name(1 << bit)?))) {
            writeln!(text, "| {bit} | 16#{:04X} | {name} |", 1_u16 << bit).unwrap();
        }
    };
    bits(&mut text, "Word 0, control", &|word| bit_name(Control::from_word(word)));
    bits(&mut text, "Word 7, gate status", &|word| bit_name(GateStatus::from_word(word)));
    bits(&mut text, "Word 10, status", &|word| bit_name(Status::from_word(word)));
    writeln!(text, "\n### Word 14, verdict code\n\n| code | decimal | name | the gate |\n|---|---|---|---|")
        .unwrap();
    for code in VerdictCode::ALL {
        let gate =
            if code == VerdictCode::Pass { "**releases**, by the rule of the gate" } else { "rejects" };
        let name = code.as_str().to_uppercase();
        writeln!(text, "| 16#{0:04X} | {0} | {name} | {gate} |", code.word()).unwrap();
    }
    text.push('\n');
    text
}

#[test]
fn the_register_map_is_the_codes() {
    let file = documents().join("register_maps.md");
    let text = fs::read_to_string(&file).unwrap();
    let (before, rest) = text.split_once("<!-- map: begin -->\n").unwrap();
    let (_, after) = rest.split_once("<!-- map: end -->").unwrap();
    hold(&file, &format!("{before}<!-- map: begin -->\n{}<!-- map: end -->{after}", map()));
}

/// A block of `structured_text` with the marks of Siemens' SCL.
fn scl(text: &str) -> String {
    let (declarations, body) = text.rsplit_once("END_VAR\n").unwrap();
    let locals: BTreeSet<&str> = declarations
        .lines()
        .filter_map(|line| line.split_once(" : "))
        .map(|(name, _)| name.trim())
        .filter(|name| name.chars().all(|c| c.is_ascii_alphanumeric()))
        .collect();
    let mut marked = String::new();
    let mut comment = false;
    let mut word = String::new();
    for c in body.chars() {
        if c.is_ascii_alphanumeric() || c == '_' || c == '#' {
            word.push(c);
            continue;
        }
        if !comment && locals.contains(word.as_str()) {
            marked.push('#');
        }
        marked.push_str(&std::mem::take(&mut word));
        marked.push(c);
        comment = if marked.ends_with("(*") { true } else { comment && !marked.ends_with("*)") };
    }
    let name = |line: &str| {
        let name = line.trim_start_matches("FUNCTION_BLOCK ");
        format!("FUNCTION_BLOCK \"{name}\"\n{{ S7_Optimized_Access := 'TRUE' }}\nVERSION : 0.1\n")
    };
    let head: String = declarations
        .lines()
        .map(|line| if line.starts_with("FUNCTION_BLOCK ") { name(line) } else { format!("{line}\n") })
        .collect();
    format!("{head}END_VAR\n\nBEGIN{marked}")
}

#[test]
fn the_scl_sources_are_the_structured_text() {
    let blocks = ["FB_PlumbHandshake.st", "FB_PlumbGate.st"];
    let sources: Vec<String> = blocks
        .map(|name| scl(&fs::read_to_string(documents().join("structured_text").join(name)).unwrap()))
        .into();
    let sources = sources.join("\n");
    for said in [
        "#Torn := #Station[9] <> #Station[3];",
        "FUNCTION_BLOCK \"FB_PlumbGate\"",
        "BEGIN",
        "#SlotState[#Slot] := 4;",
    ] {
        assert!(sources.contains(said), "{said}");
    }
    assert!(!sources.contains("##"));
    hold(&documents().join("s7/plumb_blocks.scl"), &sources);
}
