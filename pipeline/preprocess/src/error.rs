//! What can be wrong with a cut, a calibration or a frame, told to who can put it right.

use plumb_inspection::{CameraId, RectPx, RegionName};

/// Why no tensor was made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PreprocessError {
    /// A region of no size, or with a coordinate that is no number.
    #[error(
        "region \"{region}\" is [{}, {}, {}, {}]: it needs a width and height of at least one px; correct it in the recipe",
        rect_px.x, rect_px.y, rect_px.w, rect_px.h
    )]
    RegionEmpty {
        /// The region.
        region: RegionName,
        /// As the recipe draws it.
        rect_px: RectPx,
    },
    /// A region that reaches beyond the frame.
    #[error(
        "region \"{region}\" [{}, {}, {}, {}] reaches beyond the {width}x{height} frames of camera \"{camera}\"; \
         draw it inside, or set the camera to the size it was drawn at",
        rect_px.x, rect_px.y, rect_px.w, rect_px.h
    )]
    RegionOutside {
        /// The region.
        region: RegionName,
        /// As the recipe draws it.
        rect_px: RectPx,
        /// Whose frame.
        camera: CameraId,
        /// Frame width in px.
        width: u32,
        /// Frame height in px.
        height: u32,
    },
    /// A region of the undistorted frame that the camera does not see.
    #[error(
        "camera \"{camera}\" sees only {seen_percent:.1} % of region \"{region}\" once its lens is corrected; \
         move the region away from the frame's corners"
    )]
    RegionUnseen {
        /// The region.
        region: RegionName,
        /// Whose frame.
        camera: CameraId,
        /// How much of the region the camera shows, 0..=100.
        seen_percent: f64,
    },
    /// A model that wants no pixels, or more than there is sense in.
    #[error(
        "region \"{region}\": its model wants {width}x{height} px, possible is 1..={side_max} a side; correct its card"
    )]
    TensorSize {
        /// The region.
        region: RegionName,
        /// Wanted width in px.
        width: u32,
        /// Wanted height in px.
        height: u32,
        /// The largest side in px.
        side_max: u32,
    },
    /// A mean or std with a value for some channels only.
    #[error(
        "region \"{region}\": its model's card gives {got} values of `{field}` for {channels} channels; \
         give none, one or {channels}"
    )]
    ChannelValues {
        /// The region.
        region: RegionName,
        /// `mean` or `std`.
        field: &'static str,
        /// Values given.
        got: usize,
        /// Channels of the tensor.
        channels: usize,
    },
    /// A scale, mean or std that no picture survives.
    #[error(
        "region \"{region}\": its model's card says `{field}` = {value}; it must be a finite number, and std not 0"
    )]
    ChannelValue {
        /// The region.
        region: RegionName,
        /// `scale`, `mean` or `std`.
        field: &'static str,
        /// What it says.
        value: f32,
    },
    /// A lens with a value that no lens has.
    #[error("the lens calibration says {field} = {value}, which no lens has; calibrate the camera again")]
    LensValue {
        /// The field.
        field: &'static str,
        /// What it says.
        value: f64,
    },
    /// A distortion that is no longer one-to-one within the picture.
    #[error(
        "the lens calibration folds the picture back on itself {folds_at_percent:.0} % of the way from the middle to \
         the corner, so the outer pixels would show the wrong place; calibrate again with boards that reach the corners"
    )]
    LensFolds {
        /// Where it turns, in percent of the way from the principal point to the farthest corner.
        folds_at_percent: f64,
    },
    /// A flat field with too few or too many gains.
    #[error("the flat field holds {got} gains for {width}x{height} px; record it again")]
    FlatFieldLength {
        /// Its width in px.
        width: u32,
        /// Its height in px.
        height: u32,
        /// Gains it holds.
        got: usize,
    },
    /// A gain that is no gain.
    #[error(
        "the flat field's gain at ({x}, {y}) is {gain}, it must be above 0 and finite; record it again, not too dark"
    )]
    FlatFieldGain {
        /// Column in px.
        x: usize,
        /// Row in px.
        y: usize,
        /// The gain.
        gain: f32,
    },
    /// A frame of another size than the calibration was made at.
    #[error(
        "camera \"{camera}\" gave a {width}x{height} frame, its {calibration} was made at {expected_width}x{expected_height}; \
         set the camera back to that size, or calibrate it again"
    )]
    CalibrationSize {
        /// Whose frame.
        camera: CameraId,
        /// `lens` or `flat field`.
        calibration: &'static str,
        /// Frame width in px.
        width: u32,
        /// Frame height in px.
        height: u32,
        /// Width in px at calibration.
        expected_width: u32,
        /// Height in px at calibration.
        expected_height: u32,
    },
    /// A frame of another size than those before, while a region is drawn in px of those.
    #[error(
        "camera \"{camera}\" now gives {width}x{height} frames, before {was_width}x{was_height}; region \"{region}\" would \
         look at the wrong place; set the camera back to that size, or reload the recipe if the new one is meant"
    )]
    FrameSizeChanged {
        /// Whose frame.
        camera: CameraId,
        /// A region drawn in px.
        region: RegionName,
        /// Frame width in px.
        width: u32,
        /// Frame height in px.
        height: u32,
        /// Width in px of the first frame.
        was_width: u32,
        /// Height in px of the first frame.
        was_height: u32,
    },
    /// A mosaic with too few pixels to tell colours from.
    #[error(
        "camera \"{camera}\" gave a Bayer frame of {width}x{height} px; its colours need {side_min} px a side"
    )]
    MosaicTooSmall {
        /// Whose frame.
        camera: CameraId,
        /// Frame width in px.
        width: u32,
        /// Frame height in px.
        height: u32,
        /// The smallest side in px.
        side_min: u32,
    },
    /// The part is not where it was searched, or does not look like its reference.
    #[error(
        "camera \"{camera}\" does not show the part where it is searched: its best score is {score:.3}, wanted is {score_min}; \
         nothing of it was looked at"
    )]
    NotAligned {
        /// Whose frame.
        camera: CameraId,
        /// The best correlation there was.
        score: f64,
        /// What the recipe asks for.
        score_min: f64,
    },
    /// The part lies so that a region of it is not in the picture.
    #[error(
        "region \"{region}\" lies beyond the frame of camera \"{camera}\" where the part was found, at ({x:.1}, {y:.1}) px \
         turned by {angle_deg:.2} degrees; guide the part better, or narrow the search"
    )]
    RegionMovedOut {
        /// The region.
        region: RegionName,
        /// Whose frame.
        camera: CameraId,
        /// Where the part's middle lies.
        x: f64,
        /// Likewise, down.
        y: f64,
        /// How far it is turned.
        angle_deg: f64,
    },
    /// A frame of another size than the taught picture.
    #[error(
        "camera \"{camera}\" gave a {width}x{height} frame, the part was taught in a picture of {expected_width}x{expected_height}; \
         set the camera back to that size, or teach the part again"
    )]
    ReferenceSize {
        /// Whose frame.
        camera: CameraId,
        /// Frame width in px.
        width: u32,
        /// Frame height in px.
        height: u32,
        /// Width in px of the reference.
        expected_width: u32,
        /// Height in px of the reference.
        expected_height: u32,
    },
    /// A measurement that fits no picture.
    #[error("measurement \"{name}\": {says}")]
    Gauge {
        /// Its name.
        name: String,
        /// What is wrong with it.
        says: String,
    },
    /// OpenCV refused. With the checks above this is a bug, or memory ran out.
    #[error("OpenCV could not prepare region \"{region}\" of a frame of camera \"{camera}\"")]
    OpenCv {
        /// The region.
        region: RegionName,
        /// Whose frame.
        camera: CameraId,
        /// What OpenCV says.
        source: opencv::Error,
    },
    /// OpenCV could not be set up.
    #[error("OpenCV could not be told to work on the calling thread alone")]
    OpenCvSetup {
        /// What OpenCV says.
        source: opencv::Error,
    },
}
