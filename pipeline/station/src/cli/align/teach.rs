//! `plumb align teach`: a picture of a good part becomes the reference of a recipe's `[align]`.

use super::{Stop, picture_of, print, say};
use crate::cli::{Exit, parts::WhichLedger};
use plumb_camera::{Calibration, Picture};
use plumb_inspection::{
    Alignment, ColourOrder, Element, Fit, Frame, Image, Layout, Lens, PartId, PixelFormat, RectPx, Stamp,
    TensorSpec, Values,
};
use plumb_ledger::{Query, Reader};
use plumb_preprocess::{AlignConfig, Aligner, Cut, Optics, Preprocessor};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Arguments of `plumb align teach`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Teach {
    /// A picture of a good part, as the camera gives it.
    #[arg(required_unless_present = "part")]
    picture: Option<PathBuf>,
    /// A part of the ledger whose picture was kept, instead of a picture.
    #[arg(long, value_name = "ID", conflicts_with = "picture", value_parser = crate::cli::parts::part_id)]
    part: Option<PartId>,
    /// Whose picture of it, where several cameras saw the part.
    #[arg(long, value_name = "ID", requires = "part")]
    camera: Option<String>,
    /// Around the part, in px of the picture.
    #[arg(long, value_name = "X,Y,W,H", value_parser = rect)]
    part_px: RectPx,
    /// The camera's calibration, where it has one: its lens is taken out, as the station does.
    #[arg(long, value_name = "FILE")]
    calibration: Option<PathBuf>,
    /// How far the part may lie from there, in px.
    #[arg(long, value_name = "PX", default_value_t = 20.0)]
    search_px: f32,
    /// How far it may be turned, either way; 0 for a round part.
    #[arg(long, value_name = "DEG", default_value_t = 10.0)]
    search_deg: f32,
    /// How much smaller or larger it may appear.
    #[arg(long, value_name = "PERCENT", default_value_t = 0.0)]
    search_percent: f32,
    /// Correlation from which it counts as found.
    #[arg(long, value_name = "SCORE", default_value_t = 0.7)]
    score_min: f32,
    /// The reference to write; a recipe names it relative to its own file.
    #[arg(long, value_name = "FILE.png", default_value = "reference.png")]
    out: PathBuf,
    #[command(flatten)]
    which: WhichLedger,
    /// One JSON document on stdout, schema plumb.align.teach/1.
    #[arg(long)]
    json: bool,
}

impl Teach {
    pub(super) fn run(self) -> Result<Exit, Stop> {
        let picture = match (&self.picture, self.part) {
            (Some(file), _) => picture_of(file)?,
            (None, Some(part)) => self.kept_of(part)?,
            (None, None) => return Err(Stop::new(Exit::Usage, "say which picture, or which part")),
        };
        let picture = match &self.calibration {
            None => picture,
            Some(file) => straightened(&picture, file)?,
        };
        let config = AlignConfig {
            reference: picture.image.clone(),
            part_px: self.part_px,
            search_px: self.search_px,
            search_deg: self.search_deg,
            search_percent: self.search_percent,
            score_min: self.score_min,
        };
        let mut told: Vec<String> = config.problems().iter().map(ToString::to_string).collect();
        let aligner = match told.is_empty() {
            true => Aligner::new(config).map_err(|error| told.push(error.to_string())).ok(),
            false => None,
        };
        let Some(aligner) = aligner else { return Err(Stop(Exit::Finding, told.join("\n"))) };
        let found = aligner.find(&picture.image, None).map_err(|error| Stop::new(Exit::Bug, error))?;
        let Alignment::Found(pose) = found else {
            return Err(Stop::new(
                Exit::Finding,
                "the part is not found again in its own picture; draw its box anew",
            ));
        };
        let png = picture.png().map_err(|error| Stop::new(Exit::Bug, error))?;
        std::fs::write(&self.out, png).map_err(|error| {
            Stop::new(Exit::Device, format!("{} cannot be written: {error}", self.out.display()))
        })?;
        say(&format!(
            "ok {}: the part is found in its own picture with score {:.3}; put this into the recipe, `reference` relative to its file",
            self.out.display(),
            pose.score
        ));
        Ok(print(if self.json { self.document() } else { self.table() }.as_bytes()))
    }

    fn table(&self) -> String {
        let RectPx { x, y, w, h } = self.part_px;
        format!(
            "[align]\nreference = {:?}\npart_px = [{x}, {y}, {w}, {h}]\nsearch_px = {}\nsearch_deg = {}\nsearch_percent = {}\nscore_min = {}\n",
            self.out.display().to_string(),
            self.search_px,
            self.search_deg,
            self.search_percent,
            self.score_min
        )
    }

    fn document(&self) -> String {
        let align = json!({
            "reference": self.out, "part_px": self.part_px, "search_px": self.search_px, "search_deg": self.search_deg,
            "search_percent": self.search_percent, "score_min": self.score_min,
        });
        format!("{:#}\n", json!({ "schema": "plumb.align.teach/1", "align": align }))
    }

    /// The picture that the ledger kept of a part, newest inspection first.
    fn kept_of(&self, part: PartId) -> Result<Picture, Stop> {
        let folder =
            self.which.folder().map_err(|exit| Stop(exit, "--data names the ledger's folder".to_owned()))?;
        let records = Reader::new(&folder)
            .find(&Query::of_part(part))
            .map_err(|error| Stop(crate::cli::parts::exit_of(&error), error.to_string()))?;
        let pictures = records.iter().flat_map(|record| &record.pictures);
        let wanted = |camera: &str| self.camera.as_ref().is_none_or(|wanted| wanted == camera);
        let mut kept = pictures.filter(|kept| kept.kind == "frame" && wanted(kept.camera.as_str()));
        match kept.next() {
            Some(kept) => picture_of(&folder.join(&kept.path)),
            None => Err(Stop::new(Exit::Finding, format!("the ledger kept no picture of part {part}"))),
        }
    }
}

fn rect(text: &str) -> Result<RectPx, String> {
    let numbers: Vec<f32> = text.split(',').filter_map(|number| number.trim().parse().ok()).collect();
    let numbers: [f32; 4] = numbers.try_into().map_err(|_| "it is four numbers like 40,30,240,180")?;
    Ok(numbers.into())
}

/// The picture as it would be without the lens.
fn straightened(picture: &Picture, calibration: &Path) -> Result<Picture, Stop> {
    let read = Calibration::read(calibration).map_err(|error| Stop::new(Exit::Config, error))?;
    match read.lens() {
        None => Ok(picture.clone()),
        Some(lens) => undistorted(picture, lens).map_err(|says| Stop(Exit::Config, says)),
    }
}

fn undistorted(picture: &Picture, lens: Lens) -> Result<Picture, String> {
    let [width, height] = picture.size_px();
    let grey = picture.image.format() == PixelFormat::Gray8;
    let spec = TensorSpec {
        width,
        height,
        colour: if grey { ColourOrder::Grey } else { ColourOrder::Bgr },
        layout: Layout::Nhwc,
        element: Element::U8,
        fit: Fit::Stretch,
        scale: 1.0,
        mean: vec![],
        std: vec![],
    };
    let cut = Cut { region: "whole".into(), rect_px: None, spec };
    let optics = Optics { lens: Some(lens), flat_field: None };
    let (camera, at) = (picture.name.as_str().into(), Stamp::now());
    let frame = Frame { camera, seq: 0, camera_frame_id: None, at, image: picture.image.clone() };
    let mut preprocessor = Preprocessor::new(optics, vec![cut]).map_err(|error| error.to_string())?;
    let tensor = preprocessor.prepare(&frame).map_err(|error| error.to_string())?.swap_remove(0);
    let Values::U8(bytes) = &tensor.values else { return Err("bytes were asked for".to_owned()) };
    let format = if grey { PixelFormat::Gray8 } else { PixelFormat::Bgr8 };
    let image = Image::packed(width, height, format, bytes.clone()).map_err(|error| error.to_string())?;
    Ok(Picture::of_frame(picture.name.clone(), &image))
}
