//! Style sheet, modules and vendored libraries, in the binary: one folder of addresses whose name is the digest of all.
//!
//! So a browser keeps them for good, and a new version of any has new addresses for all. ES modules may import each
//! other by relative names.

use axum::{
    extract::Path,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use flate2::{Compression, write::GzEncoder};
use sha2::{Digest, Sha256};
use std::{io::Write, sync::LazyLock};

/// Name, media type, content. One line an asset.
const FILES: &[(&str, &str, &[u8])] = &[
    ("console.css", CSS, include_bytes!("../assets/console.css")),
    ("charts.css", CSS, include_bytes!("../assets/charts.css")),
    ("judge.css", CSS, include_bytes!("../assets/judge.css")),
    ("recipe.css", CSS, include_bytes!("../assets/recipe.css")),
    ("icons.svg", SVG, include_bytes!("../assets/icons.svg")),
    ("plumb.svg", SVG, include_bytes!("../assets/plumb.svg")),
    ("shell.js", JS, include_bytes!("../assets/shell.js")),
    ("live.js", JS, include_bytes!("../assets/live.js")),
    ("overlay.js", JS, include_bytes!("../assets/overlay.js")),
    ("counting.js", JS, include_bytes!("../assets/counting.js")),
    ("charts.js", JS, include_bytes!("../assets/charts.js")),
    ("part.js", JS, include_bytes!("../assets/part.js")),
    ("tuning.js", JS, include_bytes!("../assets/tuning.js")),
    ("recipe.js", JS, include_bytes!("../assets/recipe.js")),
    ("review.js", JS, include_bytes!("../assets/review.js")),
    ("htmx.js", JS, include_bytes!("../assets/vendor/htmx-4.0.1.min.js")),
    ("uplot.js", JS, include_bytes!("../assets/vendor/uplot-1.6.32.iife.min.js")),
    ("uplot.css", CSS, include_bytes!("../assets/vendor/uplot-1.6.32.min.css")),
];

const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// The first digits of the digest of all files.
static EDITION: LazyLock<String> = LazyLock::new(|| {
    let mut hasher = Sha256::new();
    for (name, _, content) in FILES {
        hasher.update(name);
        hasher.update((content.len() as u64).to_le_bytes());
        hasher.update(content);
    }
    hasher.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
});

/// Each file, compressed once.
static COMPRESSED: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let compress = |content: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(content).and_then(|()| encoder.finish())
    };
    // Writing into memory does not fail; an empty one is served as it is.
    FILES.iter().map(|(_, _, content)| compress(content).unwrap_or_default()).collect()
});

/// Where a page finds an asset.
pub(crate) fn address(name: &str) -> String {
    format!("/assets/{}/{name}", *EDITION)
}

/// `GET /assets/{edition}/{name}`. One of an older edition is answered too: a page from before a restart may ask.
pub(crate) async fn serve(Path((edition, name)): Path<(String, String)>, headers: HeaderMap) -> Response {
    let Some(at) = FILES.iter().position(|(known, ..)| *known == name) else {
        return (StatusCode::NOT_FOUND, "there is no such asset").into_response();
    };
    let (_, media, content) = FILES[at];
    let kept = if edition == *EDITION { "public, max-age=31536000, immutable" } else { "no-cache" };
    let tag = format!("\"{}\"", *EDITION);
    let common = [
        (header::CONTENT_TYPE, media),
        (header::CACHE_CONTROL, kept),
        (header::ETAG, &tag),
        (header::VARY, "accept-encoding"),
    ];
    if headers.get(header::IF_NONE_MATCH).is_some_and(|had| had.as_bytes() == tag.as_bytes()) {
        return (StatusCode::NOT_MODIFIED, common).into_response();
    }
    let takes_gzip = headers
        .get(header::ACCEPT_ENCODING)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("gzip"));
    match &COMPRESSED[at] {
        small if takes_gzip && !small.is_empty() => {
            (common, [(header::CONTENT_ENCODING, "gzip")], small.clone()).into_response()
        }
        _ => (common, content).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, path::Path as File};

    #[test]
    fn vendored_files_are_what_their_makers_published() {
        let folder = File::new(env!("CARGO_MANIFEST_DIR")).join("assets/vendor");
        let sums = fs::read_to_string(folder.join("SHA256SUMS")).expect("readable");
        let mut told: Vec<String> = Vec::new();
        for line in sums.lines() {
            let (sum, name) = line.split_once("  ").expect("sum, two blanks, name");
            let content = fs::read(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
            let got: String = Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(got, sum, "{name} was changed; vendored files are never edited");
            told.push(name.to_owned());
        }
        for entry in fs::read_dir(&folder).expect("readable") {
            let name = entry.expect("readable").file_name().into_string().expect("UTF-8");
            assert!(name == "SHA256SUMS" || told.contains(&name), "{name} is not in SHA256SUMS");
        }
        for library in ["htmx", "uplot"] {
            assert!(told.contains(&format!("{library}.LICENSE")), "{library} comes without its licence");
        }
    }

    #[test]
    fn every_asset_is_smaller_compressed_and_none_is_from_elsewhere() {
        for ((name, _, content), small) in FILES.iter().zip(COMPRESSED.iter()) {
            assert!(!small.is_empty() && small.len() < content.len(), "{name}");
            let text = String::from_utf8_lossy(content);
            for start in ["url(http", "url(//", "@import", "from \"http", "import(\"http"] {
                assert!(!text.contains(start), "{name} loads something from elsewhere: {start}");
            }
        }
    }
}
