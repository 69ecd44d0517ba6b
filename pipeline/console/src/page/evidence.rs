//! Everything that is known of one part, in one file to be handed on: record, pictures, digests of what judged it, what people
//! said of it, what the audit log says of it, and the checksum of each.

use super::{part, picture::below};
use crate::{
    Console,
    guard::{Visit, refusal},
};
use axum::{
    extract::{Path, Query, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use jiff::Timestamp;
use plumb_inspection::PartId;
use plumb_ledger::{Query as Ask, Record, TruthBook};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::{
    io::{Cursor, Write},
    sync::Arc,
};
use zip::{ZipWriter, write::SimpleFileOptions};

/// Pictures of one part together, at most; a camera's frame is a few MB.
const BYTES_MAX: u64 = 512 << 20;
/// Changes to the part's recipe that are told, the newest before the part.
const CHANGES: usize = 50;

#[derive(Debug, Default, Deserialize)]
pub(super) struct Which {
    #[serde(default)]
    at: Option<i64>,
}

/// `GET /parts/{id}/evidence.zip?at=…`: of the newest inspection where `at` (µs since 1970) is left out.
pub(super) async fn export(
    visit: Visit,
    State(console): State<Arc<Console>>,
    Path(id): Path<String>,
    Query(which): Query<Which>,
) -> Response {
    let shell = visit.shell(&part::PAGE);
    let Some(id) = id.parse().ok().and_then(PartId::new) else {
        return refusal(&visit, StatusCode::BAD_REQUEST, &shell.t("part.no_number"));
    };
    let Some(who) = visit.who().cloned() else { return StatusCode::UNAUTHORIZED.into_response() };
    let entry = who.entry("evidence_exported", &format!("part {id}"));
    let by = who.name.clone();
    let packed = console
        .ask(move |console| {
            let records = console.reader.find(&Ask::of_part(id)).map_err(|error| error.to_string())?;
            let wanted =
                |record: &&Record| which.at.is_none_or(|at| record.triggered_at.as_microsecond() == at);
            let Some(record) = records.iter().find(wanted) else { return Ok(None) };
            // Who took a copy of what is itself on record.
            console.office.enter(entry).map_err(|error| error.to_string())?;
            pack(console, record, &by).map(|zip| Some((record.triggered_at, zip)))
        })
        .await;
    match packed {
        Ok(Ok(Some((at, zip)))) => {
            let name = format!("part-{id}-{}.zip", at.strftime("%Y%m%dT%H%M%SZ"));
            let headers = [
                (header::CONTENT_TYPE, "application/zip".to_owned()),
                (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
            ];
            (headers, zip).into_response()
        }
        Ok(Ok(None)) => refusal(&visit, StatusCode::NOT_FOUND, &shell.fill("part.unknown", id)),
        Ok(Err(says)) => refusal(&visit, StatusCode::SERVICE_UNAVAILABLE, &says),
        Err(unanswered) => refusal(&visit, StatusCode::INTERNAL_SERVER_ERROR, &unanswered.to_string()),
    }
}

/// The file, with a line of SHA-256 for each that is in it.
fn pack(console: &Console, record: &Record, by: &str) -> Result<Vec<u8>, String> {
    let mut packer = Packer::default();
    packer.add("record.json", &pretty(record)?)?;
    packer.add("about.json", &pretty(&about(console, record, by))?)?;
    let truth = TruthBook::new(&console.seen.ledger).of(record.part_id, record.triggered_at);
    if let Some((truth, by)) = truth.map_err(|error| error.to_string())? {
        packer.add("truth.json", &pretty(&json!({ "truth": truth.as_str(), "by": by }))?)?;
    }
    packer.add("audit.jsonl", &extract(console, record)?)?;
    let (mut bytes, mut gone) = (0, Vec::new());
    for (n, picture) in record.pictures.iter().enumerate() {
        let file = below(&console.seen.ledger, &picture.path);
        let Some(content) = file.and_then(|file| std::fs::read(file).ok()) else {
            gone.push(format!("{} {}", picture.camera, picture.kind));
            continue;
        };
        bytes += content.len() as u64;
        if bytes > BYTES_MAX {
            return Err(format!("the pictures of this part are more than {} MB", BYTES_MAX >> 20));
        }
        let end = if picture.path.ends_with(".png") { "png" } else { "jpg" };
        let plain = |name: &str| -> String {
            name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect()
        };
        let (camera, kind) = (plain(picture.camera.as_str()), plain(&picture.kind));
        packer.add(&format!("pictures/{n}-{camera}-{kind}.{end}"), &content)?;
    }
    if !gone.is_empty() {
        let says = format!(
            "These pictures have expired or were removed; the record is kept:\n{}\n",
            gone.join("\n")
        );
        packer.add("pictures/missing.txt", says.as_bytes())?;
    }
    packer.finish()
}

/// Where it comes from, and by what the part was judged.
fn about(console: &Console, record: &Record, by: &str) -> Value {
    let snapshot = console.snapshot();
    json!({
        "schema": "plumb.evidence/1",
        "station": record.station,
        "part": record.part_id,
        "triggered_at": record.triggered_at,
        "recipe": { "name": record.recipe, "digest": record.recipe_digest },
        "models": record.models,
        "calibration_digest": record.calibration_digest,
        "exported_at": Timestamp::now(),
        "exported_by": by,
        "plumb": snapshot.version,
        "audit_head": console.office.log().head().ok().flatten().map(|(n, hash)| json!({ "n": n, "hash": hash })),
    })
}

/// Entries of the audit log on this part, and the last ones on its recipe before it, each with its number and hash as they
/// stand in the chain; oldest first.
fn extract(console: &Console, record: &Record) -> Result<Vec<u8>, String> {
    let (part, recipe) = (record.part_id, record.recipe.as_str());
    let (of_part, word) = (Some(u64::from(part.get())), format!("part {part}"));
    let (mut about_part, mut before) = (Vec::new(), Vec::new());
    let mut each = |n: u64, entry: &str, hash: &str| {
        let Ok(read) = serde_json::from_str::<Value>(entry) else { return };
        let line = || json!({ "n": n, "hash": hash, "entry": read });
        let is_before = read["at"].as_str().and_then(|at| at.parse::<Timestamp>().ok());
        if read["from_part"].as_u64() == of_part || read["of"] == word.as_str() {
            about_part.push(line());
        } else if read["of"].as_str().is_some_and(|of| of.split(['/', ' ']).next() == Some(recipe))
            && is_before.is_some_and(|at| at <= record.triggered_at)
        {
            before.push(line());
        }
    };
    console
        .office
        .log()
        .each(|n, entry, hash| {
            each(n, entry, hash);
            Ok(())
        })
        .map_err(|error| error.to_string())?;
    before.drain(..before.len().saturating_sub(CHANGES));
    let mut lines: Vec<Value> = before.into_iter().chain(about_part).collect();
    lines.sort_by_key(|line| line["n"].as_u64());
    Ok(lines.iter().map(|line| format!("{line}\n")).collect::<String>().into_bytes())
}

fn pretty(value: &impl serde::Serialize) -> Result<Vec<u8>, String> {
    let mut text = serde_json::to_vec_pretty(value).map_err(|error| error.to_string())?;
    text.push(b'\n');
    Ok(text)
}

/// Files on their way into one.
struct Packer {
    zip: ZipWriter<Cursor<Vec<u8>>>,
    sums: String,
}

impl Default for Packer {
    fn default() -> Self {
        Self { zip: ZipWriter::new(Cursor::new(Vec::new())), sums: String::new() }
    }
}

impl Packer {
    fn add(&mut self, name: &str, content: &[u8]) -> Result<(), String> {
        let sum: String = Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect();
        self.sums += &format!("{sum}  {name}\n");
        self.write(name, content)
    }

    fn write(&mut self, name: &str, content: &[u8]) -> Result<(), String> {
        self.zip.start_file(name, SimpleFileOptions::default()).map_err(|error| error.to_string())?;
        self.zip.write_all(content).map_err(|error| error.to_string())
    }

    /// With the sums, as `sha256sum -c` reads them.
    fn finish(mut self) -> Result<Vec<u8>, String> {
        let sums = std::mem::take(&mut self.sums);
        self.write("SHA256SUMS", sums.as_bytes())?;
        Ok(self.zip.finish().map_err(|error| error.to_string())?.into_inner())
    }
}
