//! Pictures of a folder, and each as the station would cut it for the model.

use super::Stop;
use crate::{cli::Exit, config::ViewPlan};
use plumb_camera::Picture;
use plumb_inspection::{Frame, RectPx, Stamp, TensorSpec, Values};
use plumb_preprocess::{Cut, Preprocessor};
use plumb_teach::pictures::Sight;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// Every picture of a folder, all of one size.
pub(super) struct Folder {
    path: PathBuf,
    pictures: Vec<Picture>,
}

/// A picture cut for the model.
pub(super) struct Prepared {
    /// The file.
    pub(super) name: String,
    /// Of the file's bytes.
    pub(super) sha256: String,
    /// Bytes, row, column, channel.
    pub(super) values: Values,
    /// At a glance.
    pub(super) sight: Sight,
}

const ENDS: [&str; 6] = ["png", "jpg", "jpeg", "bmp", "tif", "tiff"];

impl Folder {
    /// Reads the pictures of `path`, by name; other files are not looked at.
    pub(super) fn read(path: &Path) -> Result<Self, Stop> {
        let unreadable =
            |error| Stop::new(Exit::Usage, format!("folder {} cannot be read: {error}", path.display()));
        let is_picture = |file: &PathBuf| {
            let end = file.extension().map(|end| end.to_string_lossy().to_lowercase());
            end.is_some_and(|end| ENDS.contains(&end.as_str()))
        };
        let mut files: Vec<PathBuf> = std::fs::read_dir(path)
            .map_err(unreadable)?
            .flatten()
            .map(|entry| entry.path())
            .filter(is_picture)
            .collect();
        files.sort();
        if files.is_empty() {
            let says =
                format!("there is no picture in {}; it takes PNG, JPEG, BMP or TIFF files", path.display());
            return Err(Stop(Exit::Usage, says));
        }
        let (mut pictures, mut told) = (Vec::new(), Vec::new());
        for file in &files {
            match Picture::read(file) {
                Ok(picture) => pictures.push(picture),
                Err(error) => told.push(error.to_string()),
            }
        }
        if !told.is_empty() {
            return Err(Stop(Exit::Config, told.join("\n")));
        }
        let folder = Self { path: path.to_owned(), pictures };
        folder.of_one_size()?;
        Ok(folder)
    }

    /// Refuses pictures of several sizes: a camera gives one.
    fn of_one_size(&self) -> Result<(), Stop> {
        let mut sizes: BTreeMap<[u32; 2], Vec<&str>> = BTreeMap::new();
        for picture in &self.pictures {
            sizes.entry(picture.size_px()).or_default().push(&picture.name);
        }
        if sizes.len() == 1 {
            return Ok(());
        }
        let mut sizes: Vec<_> = sizes.into_iter().collect();
        sizes.sort_by_key(|(_, names)| std::cmp::Reverse(names.len()));
        let told = sizes.iter().map(|([width, height], names)| {
            let shown = names.iter().take(5).copied().collect::<Vec<_>>().join(", ");
            let more = if names.len() > 5 { ", …" } else { "" };
            format!("  {} of {width}x{height} px: {shown}{more}", names.len())
        });
        let told = told.collect::<Vec<_>>().join("\n");
        let says = format!(
            "the pictures in {} are of {} sizes, and a camera gives one; take out those that are of another camera\n{told}",
            self.path.display(),
            sizes.len()
        );
        Err(Stop(Exit::Finding, says))
    }

    /// Refuses a folder whose pictures are not as large as those of `other`.
    pub(super) fn as_large_as(self, other: &Self) -> Result<Self, Stop> {
        let ([w, h], [width, height]) = (self.size_px(), other.size_px());
        if [w, h] == [width, height] {
            return Ok(self);
        }
        let says = format!(
            "the pictures in {} are of {w}x{h} px, those in {} of {width}x{height}; both must be as the camera gives them",
            self.path.display(),
            other.path.display()
        );
        Err(Stop(Exit::Finding, says))
    }

    fn size_px(&self) -> [u32; 2] {
        self.pictures.first().map_or([0, 0], Picture::size_px)
    }

    /// Width and height of what is cut from its pictures.
    pub(super) fn region_px(&self, rect_px: Option<RectPx>) -> (u32, u32) {
        let [width, height] = self.size_px();
        rect_px.map_or((width, height), |rect| (rect.w.round() as u32, rect.h.round() as u32))
    }
}

/// Cuts pictures as the station does: lens and light taken out, the part followed, the region scaled.
pub(super) struct Eye {
    view: ViewPlan,
    preprocessor: Preprocessor,
    seen: u64,
}

impl Eye {
    pub(super) fn new(view: &ViewPlan, spec: &TensorSpec) -> Result<Self, Stop> {
        let cut = Cut { region: view.region.clone(), rect_px: view.rect_px, spec: spec.clone() };
        let preprocessor = Preprocessor::new(view.camera.optics.clone(), vec![cut])
            .map_err(|error| Stop::new(Exit::Config, error))?;
        let preprocessor = match &view.aligner {
            Some(aligner) => preprocessor.following(aligner.clone()),
            None => preprocessor,
        };
        Ok(Self { view: view.clone(), preprocessor, seen: 0 })
    }

    /// Every picture of the folder, or all that is wrong with them.
    pub(super) fn look(&mut self, folder: &Folder) -> Result<Vec<Prepared>, Stop> {
        let (mut prepared, mut told) = (Vec::new(), Vec::new());
        for picture in &folder.pictures {
            self.seen += 1;
            let frame = Frame {
                camera: self.view.camera.id.clone(),
                seq: self.seen,
                camera_frame_id: None,
                at: Stamp::now(),
                image: picture.image.clone(),
            };
            let tensor = match self.preprocessor.prepare(&frame) {
                Ok(mut tensors) if !tensors.is_empty() => tensors.swap_remove(0),
                Ok(_) => continue,
                Err(error) => {
                    told.push(format!("  {}: {error}", picture.name));
                    continue;
                }
            };
            let Values::U8(bytes) = &tensor.values else {
                return Err(Stop(Exit::Bug, "bytes were asked for".to_owned()));
            };
            let sight = Sight::of(&picture.name, bytes, tensor.shape[2], tensor.shape[3]);
            prepared.push(Prepared {
                name: picture.name.clone(),
                sha256: picture.sha256.clone(),
                values: tensor.values.clone(),
                sight,
            });
        }
        if told.is_empty() {
            return Ok(prepared);
        }
        let says = format!(
            "{} of {} pictures in {} cannot be cut as the recipe says; take them out, or correct the recipe\n{}",
            told.len(),
            folder.pictures.len(),
            folder.path.display(),
            told.join("\n")
        );
        Err(Stop(Exit::Finding, says))
    }
}
