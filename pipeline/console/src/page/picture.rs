//! Pictures of a part, by what the ledger says of them: a browser names the part, the moment and a number, never a file.

use crate::{
    Console,
    guard::{Visit, refusal},
};
use axum::{
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use plumb_inspection::{Finding, PartId};
use plumb_ledger::{LedgerError, Query, Record};
use std::{
    path::{Component, Path as File, PathBuf},
    sync::Arc,
};

/// A picture as the part page shows it.
pub(crate) struct Shown {
    pub(crate) camera: String,
    pub(crate) kind: String,
    pub(crate) address: String,
    /// Width and height in px; `None`: there is no picture, and `missing` says why.
    pub(crate) size: Option<(u32, u32)>,
    pub(crate) missing: Option<String>,
    /// What was found in it, in its px.
    pub(crate) findings: Vec<Finding>,
}

impl Shown {
    /// Corners of a finding's outline, as SVG wants them.
    pub(crate) fn outline(&self, finding: &Finding) -> Option<String> {
        let polygon = finding.polygon_px.as_ref().filter(|polygon| polygon.len() > 2)?;
        Some(polygon.iter().map(|p| format!("{:.1},{:.1} ", p.x, p.y)).collect())
    }
}

/// Every picture of a record: there, or not and why.
pub(crate) fn shown_of(ledger: &File, record: &Record) -> Vec<Shown> {
    let at = record.triggered_at.as_microsecond();
    let findings_of = |camera: &str| {
        let views = record.views.iter().filter(move |view| view.camera.as_str() == camera);
        views.flat_map(|view| view.findings.clone()).collect()
    };
    let there = record.pictures.iter().enumerate().map(|(n, picture)| {
        let size = below(ledger, &picture.path).and_then(|file| image::image_dimensions(file).ok());
        Shown {
            camera: picture.camera.to_string(),
            kind: picture.kind.clone(),
            address: format!("/parts/{}/pictures/{at}/{n}", record.part_id),
            size,
            missing: size.is_none().then(String::new),
            findings: findings_of(picture.camera.as_str()),
        }
    });
    let missing = record.pictures_missing.iter().map(|picture| Shown {
        camera: picture.camera.to_string(),
        kind: picture.kind.clone(),
        address: String::new(),
        size: None,
        missing: Some(picture.why.clone()),
        findings: vec![],
    });
    there.chain(missing).collect()
}

/// The file below the ledger's folder; `None` if the path leads out of it. The ledger writes such paths itself: this is
/// for a database that somebody else has written to.
pub(super) fn below(ledger: &File, path: &str) -> Option<PathBuf> {
    let plain = File::new(path).components().all(|part| matches!(part, Component::Normal(_)));
    let file = ledger.join(path);
    let inside = || Some(file.canonicalize().ok()?.starts_with(ledger.canonicalize().ok()?));
    (plain && inside()?).then_some(file)
}

/// SHA-256 and file of the `n`th picture of the part triggered at `at`; no file where it leads out of the ledger's folder.
pub(super) fn kept(
    console: &Console,
    id: PartId,
    at: i64,
    n: usize,
) -> Result<Option<(String, Option<PathBuf>)>, LedgerError> {
    let records = console.reader.find(&Query::of_part(id))?;
    let record = records.iter().find(|record| record.triggered_at.as_microsecond() == at);
    let picture = record.and_then(|record| record.pictures.get(n));
    Ok(picture.map(|picture| (picture.sha256.clone(), below(&console.seen.ledger, &picture.path))))
}

/// `GET /parts/{id}/pictures/{at}/{n}`: the `n`th picture of the part triggered at `at` (µs since 1970).
pub(crate) async fn show(
    visit: Visit,
    State(console): State<Arc<Console>>,
    Path((id, at, n)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Response {
    let asked = (id.parse().ok().and_then(PartId::new), at.parse::<i64>().ok(), n.parse::<usize>().ok());
    let (Some(id), Some(at), Some(n)) = asked else {
        return refusal(
            &visit,
            StatusCode::BAD_REQUEST,
            "a picture is named by numbers: part, moment, which",
        );
    };
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let read = console
        .ask(move |console| {
            let Some((sha256, file)) = kept(console, id, at, n)? else { return Ok(None) };
            let tag = format!("\"{sha256}\"");
            if known.as_deref() == Some(&tag) {
                return Ok(Some((tag, None, "")));
            }
            let is_png = file.as_ref().is_some_and(|file| file.extension().is_some_and(|end| end == "png"));
            let media = if is_png { "image/png" } else { "image/jpeg" };
            let file = file.and_then(|file| std::fs::read(file).ok());
            Ok::<_, LedgerError>(file.map(|file| (tag, Some(file), media)))
        })
        .await;
    let cached = "private, max-age=3600";
    match read {
        Ok(Ok(Some((tag, Some(file), media)))) => {
            ([(header::CONTENT_TYPE, media), (header::CACHE_CONTROL, cached), (header::ETAG, &tag)], file)
                .into_response()
        }
        Ok(Ok(Some((tag, None, _)))) => {
            (StatusCode::NOT_MODIFIED, [(header::CACHE_CONTROL, cached), (header::ETAG, &tag)])
                .into_response()
        }
        Ok(Ok(None)) => {
            refusal(&visit, StatusCode::NOT_FOUND, "this picture is not kept, or no longer; the record is")
        }
        Ok(Err(error)) => refusal(&visit, StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
        Err(unanswered) => refusal(&visit, StatusCode::INTERNAL_SERVER_ERROR, &unanswered.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_path_in_the_database_leads_out_of_the_ledger() {
        let folder = tempfile::tempdir().expect("temp folder");
        let ledger = folder.path().join("ledger");
        std::fs::create_dir_all(ledger.join("pictures")).expect("writable");
        std::fs::write(ledger.join("pictures/a.jpg"), "picture").expect("writable");
        std::fs::write(folder.path().join("secret"), "secret").expect("writable");
        std::os::unix::fs::symlink(folder.path().join("secret"), ledger.join("pictures/link.jpg"))
            .expect("a link");
        assert!(below(&ledger, "pictures/a.jpg").is_some());
        for bad in [
            "../secret",
            "pictures/../../secret",
            "/etc/passwd",
            "pictures/link.jpg",
            "pictures/none.jpg",
            "",
        ] {
            assert!(below(&ledger, bad).is_none() || bad.is_empty(), "{bad}");
        }
    }
}
