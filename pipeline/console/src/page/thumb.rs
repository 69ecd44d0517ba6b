//! Small pictures of parts, for pages that show many: cut down from the kept ones when they are asked for.

use super::picture::kept;
use crate::{
    Console,
    guard::{Visit, refusal},
};
use axum::{
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use image::{ImageReader, codecs::jpeg::JpegEncoder};
use plumb_inspection::PartId;
use std::{io::Cursor, sync::Arc};

/// The longer side, px: twice what a page shows, for screens with fine dots.
const SIDE: u32 = 224;
/// Of the JPEG, 1..=100.
const QUALITY: u8 = 78;

/// `GET /parts/{id}/thumbs/{at}/{n}`: as [`super::picture::show`], small.
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
            let found = kept(console, id, at, n).map_err(|error| error.to_string())?;
            let Some((sha256, file)) = found else { return Ok(None) };
            let tag = format!("\"{sha256}-{SIDE}\"");
            if known.as_deref() == Some(&tag) {
                return Ok(Some((tag, None)));
            }
            let Some(file) = file.and_then(|file| std::fs::read(file).ok()) else { return Ok(None) };
            Ok::<_, String>(Some((tag, Some(cut_down(&file)?))))
        })
        .await;
    let media = (header::CONTENT_TYPE, "image/jpeg");
    let cached = (header::CACHE_CONTROL, "private, max-age=3600");
    match read {
        Ok(Ok(Some((tag, Some(jpeg))))) => {
            ([media, cached, (header::ETAG, tag.as_str())], jpeg).into_response()
        }
        Ok(Ok(Some((tag, None)))) => {
            (StatusCode::NOT_MODIFIED, [cached, (header::ETAG, tag.as_str())]).into_response()
        }
        Ok(Ok(None)) => {
            refusal(&visit, StatusCode::NOT_FOUND, "this picture is not kept, or no longer; the record is")
        }
        Ok(Err(says)) => refusal(&visit, StatusCode::SERVICE_UNAVAILABLE, &says),
        Err(unanswered) => refusal(&visit, StatusCode::INTERNAL_SERVER_ERROR, &unanswered.to_string()),
    }
}

fn cut_down(file: &[u8]) -> Result<Vec<u8>, String> {
    let unreadable = |error: &dyn std::fmt::Display| format!("a kept picture cannot be read: {error}");
    let picture =
        ImageReader::new(Cursor::new(file)).with_guessed_format().map_err(|error| unreadable(&error))?;
    let picture = picture.decode().map_err(|error| unreadable(&error))?;
    let small = picture.thumbnail(SIDE, SIDE).to_rgb8();
    let mut jpeg = Vec::new();
    let encoder = JpegEncoder::new_with_quality(&mut jpeg, QUALITY);
    small.write_with_encoder(encoder).map_err(|error| unreadable(&error))?;
    Ok(jpeg)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_keeps_its_shape_and_what_is_none_is_refused() {
        let mut png = Vec::new();
        let wide = image::RgbImage::from_pixel(1000, 500, image::Rgb([9, 99, 199]));
        wide.write_to(&mut Cursor::new(&mut png), image::ImageFormat::Png).expect("encodes");
        let jpeg = cut_down(&png).expect("a picture");
        let small = image::load_from_memory(&jpeg).expect("a JPEG");
        assert_eq!((small.width(), small.height()), (SIDE, SIDE / 2));
        assert!(cut_down(b"<script>").expect_err("no picture").starts_with("a kept picture cannot be read"));
    }
}
