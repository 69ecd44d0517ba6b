//! The stage: frames in, tensors out.

use crate::{Aligner, Gauge, PreprocessError, Scale, bayer, crop, flat, rectify, route::Route};
use opencv::core;
use plumb_inspection::{
    Affine, Alignment, FlatField, Frame, Lens, Measurement, PixelFormat, Pose, RectPx, RegionName, Tensor,
    TensorSpec,
};
use std::sync::{Mutex, PoisonError};

/// The largest side of a tensor in px. A model that wants more is a misread card.
const TENSOR_SIDE_MAX_PX: u32 = 8192;

/// Frame sizes and formats whose routes are kept. A camera has one; a folder of pictures may have a few.
const PLANS_KEPT: usize = 4;

/// One region to take from every frame, for one model.
#[derive(Clone, Debug)]
pub struct Cut {
    /// The region's name; its tensors carry it.
    pub region: RegionName,
    /// Where it is, in px of the frame (undistorted, where there is a lens); `None` is the whole frame. Taken to the
    /// nearest whole px.
    pub rect_px: Option<RectPx>,
    /// What the model wants.
    pub spec: TensorSpec,
}

/// What is known of a camera's glass and light.
#[derive(Clone, Debug, Default)]
pub struct Optics {
    /// Lens distortion to take out. Region rectangles and placements are then in undistorted px: same frame size, same
    /// camera matrix.
    pub lens: Option<Lens>,
    /// Uneven light to even out, in px of the frame as the camera gives it.
    pub flat_field: Option<FlatField>,
}

/// Cuts one camera's frames for one recipe. Owned by the thread `preprocess-<camera>`; works on it alone.
pub struct Preprocessor {
    optics: Optics,
    cuts: Vec<Cut>,
    aligner: Option<Aligner>,
    gauges: Vec<Gauge>,
    plans: Vec<Plan>,
    /// Width and height in px of the first frame, if a region is drawn in px of it.
    drawn_on: Option<(u32, u32)>,
}

/// What was made of one frame.
#[derive(Debug)]
pub struct Pieces {
    /// One a cut, in their order; none where the part was not found.
    pub tensors: Vec<Tensor>,
    /// Where the part lies, or that it was not found; `None` where it is not searched.
    pub alignment: Option<Alignment>,
    /// One a gauge, in their order; none where the part was not found.
    pub measurements: Vec<Measurement>,
}

/// The routes for frames of one size and format, in the order of the cuts.
struct Plan {
    width: u32,
    height: u32,
    format: PixelFormat,
    routes: Vec<Route>,
}

impl Preprocessor {
    /// Checks everything that can be checked without a frame, and tells OpenCV to start no threads of its own: the hot
    /// path's threads are named and counted. That holds for the whole process.
    ///
    /// # Errors
    /// For a region of no size, a tensor of no sense, an impossible lens or flat field.
    pub fn new(optics: Optics, cuts: Vec<Cut>) -> Result<Self, PreprocessError> {
        no_threads_of_its_own().map_err(|source| PreprocessError::OpenCvSetup { source })?;
        optics.lens.as_ref().map_or(Ok(()), rectify::check)?;
        optics.flat_field.as_ref().map_or(Ok(()), flat::check)?;
        cuts.iter().try_for_each(Cut::check)?;
        Ok(Self { optics, cuts, aligner: None, gauges: Vec::new(), plans: Vec::new(), drawn_on: None })
    }

    /// From now on the part is searched in every frame, and what is cut and measured follows it. A cut of the whole frame
    /// stays.
    pub fn following(mut self, aligner: Aligner) -> Self {
        self.aligner = Some(aligner);
        self
    }

    /// From now on this is measured in every frame.
    ///
    /// # Errors
    /// For a caliper that fits no picture.
    pub fn measuring(mut self, gauges: Vec<Gauge>) -> Result<Self, PreprocessError> {
        for gauge in &gauges {
            if let Some(says) = gauge.problems().into_iter().next() {
                return Err(PreprocessError::Gauge { name: gauge.name.clone(), says });
            }
        }
        self.gauges = gauges;
        Ok(self)
    }

    /// Plans the routes for frames like this one, so that no part pays for it.
    ///
    /// # Errors
    /// When such frames cannot be cut so.
    pub fn rehearse(&mut self, frame: &Frame) -> Result<(), PreprocessError> {
        self.plan_for(frame).map(drop)
    }

    /// One tensor a cut, in their order: the tensors of [`Preprocessor::pieces`].
    ///
    /// # Errors
    /// As there, and when the part is not found.
    pub fn prepare(&mut self, frame: &Frame) -> Result<Vec<Tensor>, PreprocessError> {
        let Pieces { tensors, alignment, .. } = self.pieces(frame, &Scale::default())?;
        match alignment {
            Some(Alignment::NotFound { score, score_min }) => {
                Err(PreprocessError::NotAligned { camera: frame.camera.clone(), score, score_min })
            }
            _ => Ok(tensors),
        }
    }

    /// Finds the part, cuts every region where it lies, and takes every measurement, in mm where `scale` knows them.
    ///
    /// The first frame of a size plans its routes, which takes some milliseconds where there is a lens; every further
    /// one reads each region once and copies nothing else. Grey and colour frames serve grey and colour models alike.
    ///
    /// # Errors
    /// When a region is not within the frame, the frame has not the size of a calibration or reference, or it has another
    /// size than the first while a region is drawn in px of that. A part that is not found is no error: it is a finding.
    pub fn pieces(&mut self, frame: &Frame, scale: &Scale) -> Result<Pieces, PreprocessError> {
        self.plan_for(frame)?;
        let alignment = self.alignment_in(frame)?;
        let found = match alignment {
            None => None,
            Some((Alignment::Found(pose), map)) => Some((pose, map)),
            Some((not_found @ Alignment::NotFound { .. }, _)) => {
                let alignment = Some(not_found);
                return Ok(Pieces { tensors: Vec::new(), alignment, measurements: Vec::new() });
            }
        };
        let (lens, map) = (self.optics.lens.as_ref(), found.as_ref().map(|(_, map)| map));
        let measure = |gauge: &Gauge| gauge.measure(&frame.image, lens, map, scale);
        let measurements = self.gauges.iter().map(measure).collect();
        let optics = self.optics.clone();
        let plan = self.plan_for(frame)?;
        let take = |route: &mut Route| {
            let taken = match &found {
                None => route.take(&frame.image).map(Some),
                Some((_, map)) => route.take_at(&frame.image, &optics, map),
            };
            let (region, camera) = (route.region().clone(), frame.camera.clone());
            match (taken, found) {
                (Ok(Some(tensor)), _) => Ok(tensor),
                (Ok(None), found) => {
                    let (pose, _) =
                        found.expect("only a region that follows a part can leave the frame here");
                    let Pose { x, y, angle_deg, .. } = pose;
                    Err(PreprocessError::RegionMovedOut { region, camera, x, y, angle_deg })
                }
                (Err(source), _) => Err(PreprocessError::OpenCv { region, camera, source }),
            }
        };
        let tensors = plan.routes.iter_mut().map(take).collect::<Result<_, _>>()?;
        Ok(Pieces { tensors, alignment: alignment.map(|(alignment, _)| alignment), measurements })
    }

    /// Where the part lies, and the way there from the reference; `Ok(None)` where none is searched.
    fn alignment_in(&self, frame: &Frame) -> Result<Option<(Alignment, Affine)>, PreprocessError> {
        let Some(aligner) = &self.aligner else { return Ok(None) };
        let alignment = aligner.find(&frame.image, self.optics.lens.as_ref()).map_err(|source| {
            PreprocessError::OpenCv { region: "".into(), camera: frame.camera.clone(), source }
        })?;
        let map = match &alignment {
            Alignment::Found(pose) => pose.frame_from_reference(aligner.middle()),
            Alignment::NotFound { .. } => Affine::IDENTITY,
        };
        Ok(Some((alignment, map)))
    }

    fn plan_for(&mut self, frame: &Frame) -> Result<&mut Plan, PreprocessError> {
        let image = &frame.image;
        let (width, height, format) = (image.width(), image.height(), image.format());
        let known = |plan: &Plan| (plan.width, plan.height, plan.format) == (width, height, format);
        if let Some(at) = self.plans.iter().position(known) {
            return Ok(&mut self.plans[at]);
        }
        self.check(frame)?;
        let route = |cut| Route::plan(cut, &self.optics, frame);
        let routes = self.cuts.iter().map(route).collect::<Result<_, _>>()?;
        self.drawn_on = self.drawn_on.or(Some((width, height)));
        if self.plans.len() == PLANS_KEPT {
            self.plans.remove(0);
        }
        self.plans.push(Plan { width, height, format, routes });
        Ok(self.plans.last_mut().expect("one was just pushed"))
    }

    /// Refuses frames of a size that the calibrations or the regions do not know.
    fn check(&self, frame: &Frame) -> Result<(), PreprocessError> {
        let (width, height) = (frame.image.width(), frame.image.height());
        let camera = || frame.camera.clone();
        let lens = self.optics.lens.map(|lens| ("lens", lens.size_px));
        let flat = self.optics.flat_field.as_ref().map(|flat| ("flat field", [flat.width, flat.height]));
        for (calibration, [expected_width, expected_height]) in lens.into_iter().chain(flat) {
            if [width, height] != [expected_width, expected_height] {
                return Err(PreprocessError::CalibrationSize {
                    camera: camera(),
                    calibration,
                    width,
                    height,
                    expected_width,
                    expected_height,
                });
            }
        }
        if let Some(aligner) = &self.aligner
            && aligner.size_px() != [width, height]
        {
            let [expected_width, expected_height] = aligner.size_px();
            return Err(PreprocessError::ReferenceSize {
                camera: camera(),
                width,
                height,
                expected_width,
                expected_height,
            });
        }
        // A region in px means something at one frame size alone: at another it shows another place of the part,
        // and a wrong place may well pass.
        let drawn = self.cuts.iter().find(|cut| cut.rect_px.is_some());
        if let (Some(cut), Some((was_width, was_height))) = (drawn, self.drawn_on)
            && (was_width, was_height) != (width, height)
        {
            let region = cut.region.clone();
            return Err(PreprocessError::FrameSizeChanged {
                camera: camera(),
                region,
                width,
                height,
                was_width,
                was_height,
            });
        }
        if frame.image.format().is_bayer() && width.min(height) < bayer::SIDE_MIN_PX {
            return Err(PreprocessError::MosaicTooSmall {
                camera: camera(),
                width,
                height,
                side_min: bayer::SIDE_MIN_PX,
            });
        }
        Ok(())
    }
}

impl Cut {
    fn check(&self) -> Result<(), PreprocessError> {
        let region = || self.region.clone();
        if let Some(rect_px) = self.rect_px
            && crop::is_empty(rect_px)
        {
            return Err(PreprocessError::RegionEmpty { region: region(), rect_px });
        }
        let TensorSpec { width, height, scale, mean, std, .. } = &self.spec;
        if ![width, height].iter().all(|side| (1..=TENSOR_SIDE_MAX_PX).contains(*side)) {
            return Err(PreprocessError::TensorSize {
                region: region(),
                width: *width,
                height: *height,
                side_max: TENSOR_SIDE_MAX_PX,
            });
        }
        let channels = self.spec.channels();
        let wrong = |field, value| PreprocessError::ChannelValue { region: region(), field, value };
        if !scale.is_finite() {
            return Err(wrong("scale", *scale));
        }
        for (field, values) in [("mean", mean), ("std", std)] {
            if ![0, 1, channels].contains(&values.len()) {
                let got = values.len();
                return Err(PreprocessError::ChannelValues { region: region(), field, got, channels });
            }
            if let Some(value) = values.iter().find(|v| !v.is_finite() || field == "std" && **v == 0.0) {
                return Err(wrong(field, *value));
            }
        }
        Ok(())
    }
}

/// 0, not 1: both make OpenCV run everything on the caller's thread, but 1 also makes a new TBB arena, and two threads
/// that do so at once crash in it. Once a process, for the same reason.
fn no_threads_of_its_own() -> opencv::Result<()> {
    static SET: Mutex<bool> = Mutex::new(false);
    let mut set = SET.lock().unwrap_or_else(PoisonError::into_inner);
    if !*set {
        core::set_num_threads(0)?;
        core::set_use_opencl(false)?;
        *set = true;
    }
    Ok(())
}
