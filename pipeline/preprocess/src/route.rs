//! How one cut is taken from frames of one size and format: planned once, taken for each frame.

use crate::{
    PreprocessError, bayer, borrow,
    colour::Colour,
    crop,
    fit::Fitted,
    flat,
    normalize::Normalize,
    preprocessor::{Cut, Optics},
    rectify::Rectify,
};
use opencv::{
    boxed_ref::BoxedRef,
    core::{BORDER_REPLICATE, Mat, Rect, Scalar, Size, ToInputArray},
    imgproc,
    prelude::*,
};
use plumb_inspection::{Affine, ColourOrder, Frame, Image, Placement, PointPx, RegionName, Tensor, Values};

/// A region drawn in px is a promise to look there: this share of it, 0..=1, must lie on the sensor.
const SEEN_MIN: f64 = 0.99;

/// One cut's way from raw pixels to a tensor, with all it needs on it.
pub(crate) struct Route {
    region: RegionName,
    shape: [usize; 4],
    placement: Placement,
    fitted: Fitted,
    /// Drawn in px: it follows the part. The whole frame stays.
    follows: bool,
    /// Read from the frame, in px of the frame as the camera gave it.
    source: Rect,
    /// `cvt_color` code of the mosaic.
    mosaic: Option<i32>,
    /// Flat field of a mosaic.
    even: Option<flat::EvenMosaic>,
    geometry: Geometry,
    colour: Colour,
    normalize: Normalize,
    demosaiced: Mat,
    content: Mat,
}

/// From source to content.
enum Geometry {
    /// A part of the source, scaled.
    Resize { part: Rect, content: Size },
    /// Undistorted, cut, scaled and turned at once.
    Remap(Rectify),
    /// Cut, scaled and turned at once.
    Turn { source_from_content: Mat, content: Size },
}

impl Geometry {
    fn apply(&self, source: &(impl MatTraitConst + ToInputArray), content: &mut Mat) -> opencv::Result<()> {
        match self {
            Self::Resize { part, content: size } => {
                let part = Mat::roi(source, *part)?;
                imgproc::resize(&part, content, *size, 0.0, 0.0, imgproc::INTER_LINEAR)
            }
            Self::Remap(rectify) => rectify.apply(source, content),
            Self::Turn { source_from_content, content: size } => {
                // Half a px beyond the frame its border goes on.
                let flags = imgproc::INTER_LINEAR | imgproc::WARP_INVERSE_MAP;
                let beyond = Scalar::default();
                imgproc::warp_affine(
                    source,
                    content,
                    source_from_content,
                    *size,
                    flags,
                    BORDER_REPLICATE,
                    beyond,
                )
            }
        }
    }
}

impl Route {
    /// Plans `cut` for frames like `frame`, whose size has been compared with that of `optics`.
    pub(crate) fn plan(cut: &Cut, optics: &Optics, frame: &Frame) -> Result<Self, PreprocessError> {
        let image = &frame.image;
        let size = Size::new(image.width() as i32, image.height() as i32);
        let Some(region) = crop::whole_px(cut.rect_px, size) else {
            return Err(PreprocessError::RegionOutside {
                region: cut.region.clone(),
                rect_px: cut.rect_px.unwrap_or_default(),
                camera: frame.camera.clone(),
                width: image.width(),
                height: image.height(),
            });
        };
        let opencv = |source| PreprocessError::OpenCv {
            region: cut.region.clone(),
            camera: frame.camera.clone(),
            source,
        };
        let fitted = Fitted::new(region, &cut.spec);
        let widen = |rect| if image.format().is_bayer() { bayer::with_neighbours(rect, size) } else { rect };
        let (source, geometry) = match &optics.lens {
            None => {
                let source = widen(fitted.used);
                let part = fitted.used - source.tl();
                (source, Geometry::Resize { part, content: fitted.content.size() })
            }
            Some(lens) => {
                let (map, size) = (fitted.frame_from_content(), fitted.content.size());
                let rectify = Rectify::new(lens, &map, size, widen).map_err(opencv)?;
                let seen = rectify.as_ref().map_or(0.0, |rectify| rectify.seen);
                let Some(rectify) = rectify.filter(|_| cut.rect_px.is_none() || seen >= SEEN_MIN) else {
                    return Err(PreprocessError::RegionUnseen {
                        region: cut.region.clone(),
                        camera: frame.camera.clone(),
                        seen_percent: seen * 100.0,
                    });
                };
                (rectify.source, Geometry::Remap(rectify))
            }
        };
        Self::lay_out(cut, optics, image, &fitted, source, geometry).map_err(opencv)
    }

    fn lay_out(
        cut: &Cut,
        optics: &Optics,
        image: &Image,
        fitted: &Fitted,
        source: Rect,
        geometry: Geometry,
    ) -> opencv::Result<Self> {
        let spec = &cut.spec;
        let mosaic = bayer::conversion(image.format(), spec.colour == ColourOrder::Grey);
        let (even, gains) = match &optics.flat_field {
            None => (None, None),
            Some(field) if mosaic.is_some() => (Some(flat::EvenMosaic::new(field, source)?), None),
            Some(field) => {
                let through = |there: &Mat, here: &mut Mat| geometry.apply(there, here);
                (None, Some(flat::through(field, source, Normalize::per_px(spec), through)?))
            }
        };
        Ok(Self {
            region: cut.region.clone(),
            shape: spec.shape(),
            placement: fitted.placement(),
            fitted: *fitted,
            follows: cut.rect_px.is_some(),
            source,
            mosaic,
            even,
            geometry,
            colour: Colour::new(spec),
            normalize: Normalize::new(spec, fitted, gains),
            demosaiced: Mat::default(),
            content: Mat::default(),
        })
    }

    /// Whose route it is.
    pub(crate) fn region(&self) -> &RegionName {
        &self.region
    }

    /// Takes the cut from `image`, which is like the frame this was planned for.
    pub(crate) fn take(&mut self, image: &Image) -> opencv::Result<Tensor> {
        let raw = borrow::mat(image)?;
        let source = Mat::roi(&raw, self.source)?;
        self.shape_content(&source)?;
        self.tensor(self.placement)
    }

    /// Takes the cut where the part lies: `frame_from_reference` brings the region there. Sampled once, bilinear.
    /// `Ok(None)` where it lies beyond the frame.
    ///
    /// What was planned for a region that stays is planned anew for each frame: with a lens its maps, with a flat field
    /// its gains, at some ms a megapixel of tensor.
    pub(crate) fn take_at(
        &mut self,
        image: &Image,
        optics: &Optics,
        frame_from_reference: &Affine,
    ) -> opencv::Result<Option<Tensor>> {
        if !self.follows {
            return self.take(image).map(Some);
        }
        let frame = Size::new(image.width() as i32, image.height() as i32);
        let mosaic = self.mosaic.is_some();
        let widen = |area| if mosaic { bayer::with_neighbours(area, frame) } else { area };
        let frame_from_content = self.fitted.frame_from_content().then(frame_from_reference);
        let size = self.fitted.content.size();
        let lies = match &optics.lens {
            None => turned(&frame_from_content, size, frame, widen)?,
            Some(lens) => Rectify::new(lens, &frame_from_content, size, widen)?
                .filter(|rectify| rectify.seen >= SEEN_MIN)
                .map(|rectify| (rectify.source, Geometry::Remap(rectify))),
        };
        let Some((source, geometry)) = lies else { return Ok(None) };
        match &optics.flat_field {
            None => {}
            Some(field) if mosaic => self.even = Some(flat::EvenMosaic::new(field, source)?),
            Some(field) => self.normalize.regain(|per_px| {
                flat::through(field, source, per_px, |there, here| geometry.apply(there, here))
            })?,
        }
        (self.source, self.geometry) = (source, geometry);
        let raw = borrow::mat(image)?;
        let source = Mat::roi(&raw, self.source)?;
        self.shape_content(&source)?;
        let frame_from_tensor = self.placement.frame_from_tensor.then(frame_from_reference);
        self.tensor(Placement { frame_from_tensor, ..self.placement }).map(Some)
    }

    /// The tensor of what `content` shows.
    fn tensor(&mut self, placement: Placement) -> opencv::Result<Tensor> {
        let normalize = &self.normalize;
        let values = self.colour.planes(&self.content, |planes| normalize.values(planes))?;
        let (region, shape) = (self.region.clone(), self.shape);
        Ok(match values {
            Values::F32(values) => Tensor::pooled(region, shape, values, placement, normalize.pool()),
            values @ Values::U8(_) => Tensor::new(region, shape, values, placement),
        })
    }

    /// Fills `content` with grey or BGR bytes.
    fn shape_content(&mut self, source: &BoxedRef<'_, Mat>) -> opencv::Result<()> {
        let Some(mosaic) = self.mosaic else {
            return self.geometry.apply(source, &mut self.content);
        };
        match &mut self.even {
            Some(even) => imgproc::cvt_color(even.apply(source)?, &mut self.demosaiced, mosaic, 0)?,
            None => imgproc::cvt_color(source, &mut self.demosaiced, mosaic, 0)?,
        }
        self.geometry.apply(&self.demosaiced, &mut self.content)
    }
}

/// What has to be read for content that lies turned in the frame, and how; `None` where it lies beyond the frame.
fn turned(
    frame_from_content: &Affine,
    content: Size,
    frame: Size,
    widen: impl Fn(Rect) -> Rect,
) -> opencv::Result<Option<(Rect, Geometry)>> {
    let Some(area) = covered(frame_from_content, content, frame) else { return Ok(None) };
    let area = widen(area);
    // OpenCV counts px from their centres.
    let [[a, b, tx], [c, d, ty]] = frame_from_content.rows;
    let source_from_content = Mat::from_slice_2d(&[
        [a, b, (a + b) / 2.0 + tx - 0.5 - f64::from(area.x)],
        [c, d, (c + d) / 2.0 + ty - 0.5 - f64::from(area.y)],
    ])?;
    Ok(Some((area, Geometry::Turn { source_from_content, content })))
}

/// What has to be read for content of this size, and its neighbours; `None` where more than half a px of it lies beyond the
/// frame.
fn covered(frame_from_content: &Affine, content: Size, frame: Size) -> Option<Rect> {
    let (width, height) = (content.width as f32, content.height as f32);
    let corners = [(0.0, 0.0), (width, 0.0), (0.0, height), (width, height)]
        .map(|(x, y)| frame_from_content.apply(PointPx { x, y }));
    let (mut x0, mut y0, mut x1, mut y1) = (f32::MAX, f32::MAX, f32::MIN, f32::MIN);
    for PointPx { x, y } in corners {
        (x0, y0, x1, y1) = (x0.min(x), y0.min(y), x1.max(x), y1.max(y));
    }
    let inside =
        x0 >= -0.5 && y0 >= -0.5 && x1 <= frame.width as f32 + 0.5 && y1 <= frame.height as f32 + 0.5;
    let (left, top) = ((x0 as i32 - 2).max(0), (y0 as i32 - 2).max(0));
    let (right, bottom) = ((x1 as i32 + 3).min(frame.width), (y1 as i32 + 3).min(frame.height));
    inside.then(|| Rect::new(left, top, right - left, bottom - top))
}
