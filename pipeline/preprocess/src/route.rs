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
    core::{Mat, Rect, Size, ToInputArray},
    imgproc,
    prelude::*,
};
use plumb_inspection::{ColourOrder, Frame, Image, Placement, RegionName, Tensor, Values};

/// A region drawn in px is a promise to look there: this share of it, 0..=1, must lie on the sensor.
const SEEN_MIN: f64 = 0.99;

/// One cut's way from raw pixels to a tensor, with all it needs on it.
pub(crate) struct Route {
    region: RegionName,
    shape: [usize; 4],
    placement: Placement,
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
    /// Undistorted, cut and scaled at once.
    Remap(Rectify),
}

impl Geometry {
    fn apply(&self, source: &(impl MatTraitConst + ToInputArray), content: &mut Mat) -> opencv::Result<()> {
        match self {
            Self::Resize { part, content: size } => {
                let part = Mat::roi(source, *part)?;
                imgproc::resize(&part, content, *size, 0.0, 0.0, imgproc::INTER_LINEAR)
            }
            Self::Remap(rectify) => rectify.apply(source, content),
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
                let rectify = Rectify::new(lens, &fitted, widen).map_err(opencv)?;
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
        let normalize = &self.normalize;
        let values = self.colour.planes(&self.content, |planes| normalize.values(planes))?;
        let (region, shape, placement) = (self.region.clone(), self.shape, self.placement);
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
