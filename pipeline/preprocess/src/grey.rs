//! Grey pictures in memory, for what is searched and measured rather than shown to a model.
//!
//! Coordinates are continuous as everywhere: pixel `i` covers `i..i+1`, its centre is at `i + 0.5`.

use crate::{bayer, borrow};
use opencv::{
    core::{Mat, Rect, Size},
    imgproc,
    prelude::*,
};
use plumb_inspection::{Image, Lens, PixelFormat};

/// Read beyond what is asked for, in px: a profile starts before its scan line, and a sample reads its neighbours.
const MARGIN_PX: f64 = 10.0;

/// Grey values 0..=255, row by row.
#[derive(Clone, Debug)]
pub(crate) struct Grey {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) px: Vec<f32>,
}

impl Grey {
    /// `area` of `image`, which must lie inside it; colours and mosaics become grey as OpenCV weighs them.
    pub(crate) fn of(image: &Image, area: Rect) -> opencv::Result<Self> {
        let raw = borrow::mat(image)?;
        let frame = Size::new(image.width() as i32, image.height() as i32);
        let code = match image.format() {
            PixelFormat::Gray8 => None,
            PixelFormat::Bgr8 => Some(imgproc::COLOR_BGR2GRAY),
            mosaic => bayer::conversion(mosaic, true),
        };
        let read = if image.format().is_bayer() { bayer::with_neighbours(area, frame) } else { area };
        let part = Mat::roi(&raw, read)?;
        let mut converted = Mat::default();
        let inner = area - read.tl();
        let mut grey = Self {
            width: area.width as usize,
            height: area.height as usize,
            px: Vec::with_capacity(area.width as usize * area.height as usize),
        };
        let mut take = |rows: &dyn Fn(i32) -> opencv::Result<Vec<f32>>| -> opencv::Result<()> {
            (inner.y..inner.y + inner.height).try_for_each(|row| {
                grey.px.extend(rows(row)?);
                Ok(())
            })
        };
        let columns = inner.x as usize..(inner.x + inner.width) as usize;
        match code {
            None => take(&|row| {
                Ok(part.at_row::<u8>(row)?[columns.clone()].iter().map(|v| f32::from(*v)).collect())
            })?,
            Some(code) => {
                imgproc::cvt_color(&part, &mut converted, code, 0)?;
                take(&|row| {
                    Ok(converted.at_row::<u8>(row)?[columns.clone()].iter().map(|v| f32::from(*v)).collect())
                })?;
            }
        }
        Ok(grey)
    }

    /// Bilinear; beyond the border the outermost px go on.
    pub(crate) fn at(&self, x: f64, y: f64) -> f32 {
        let (x, y) =
            ((x - 0.5).clamp(0.0, (self.width - 1) as f64), (y - 0.5).clamp(0.0, (self.height - 1) as f64));
        let (x0, y0) = (x as usize, y as usize);
        let (x1, y1) = ((x0 + 1).min(self.width - 1), (y0 + 1).min(self.height - 1));
        let (fx, fy) = ((x - x0 as f64) as f32, (y - y0 as f64) as f32);
        let (top, bottom) = (&self.px[y0 * self.width..], &self.px[y1 * self.width..]);
        let upper = top[x0] + (top[x1] - top[x0]) * fx;
        let lower = bottom[x0] + (bottom[x1] - bottom[x0]) * fx;
        upper + (lower - upper) * fy
    }

    /// True where [`Grey::at`] reads px that are there.
    pub(crate) fn holds(&self, x: f64, y: f64) -> bool {
        x >= 0.5 && y >= 0.5 && x <= self.width as f64 - 0.5 && y <= self.height as f64 - 0.5
    }

    /// Half as large: a place at (x, y) is then at (x / 2, y / 2). An odd last row or column is left out.
    pub(crate) fn halved(&self) -> Self {
        let (width, height) = ((self.width / 2).max(1), (self.height / 2).max(1));
        let mut px = Vec::with_capacity(width * height);
        for row in 0..height {
            let upper = &self.px[(2 * row).min(self.height - 1) * self.width..][..self.width];
            let lower = &self.px[(2 * row + 1).min(self.height - 1) * self.width..][..self.width];
            for column in 0..width {
                let (a, b) = (2 * column, (2 * column + 1).min(self.width - 1));
                px.push((upper[a] + upper[b] + lower[a] + lower[b]) / 4.0);
            }
        }
        Self { width, height, px }
    }

    /// Smoothed by 1-2-1 along both axes, so that where a sample falls between px matters less.
    pub(crate) fn smoothed(&self) -> Self {
        let (width, height) = (self.width, self.height);
        let mut across = vec![0.0; self.px.len()];
        for (to, from) in across.chunks_exact_mut(width).zip(self.px.chunks_exact(width)) {
            for column in 0..width {
                let (left, right) = (from[column.saturating_sub(1)], from[(column + 1).min(width - 1)]);
                to[column] = (left + 2.0 * from[column] + right) / 4.0;
            }
        }
        let mut px = Vec::with_capacity(self.px.len());
        for row in 0..height {
            let (above, here, below) =
                (row.saturating_sub(1) * width, row * width, (row + 1).min(height - 1) * width);
            px.extend(
                (0..width).map(|c| (across[above + c] + 2.0 * across[here + c] + across[below + c]) / 4.0),
            );
        }
        Self { width, height, px }
    }
}

/// A part of a frame, asked for by undistorted frame px.
#[derive(Debug)]
pub(crate) struct View<'l> {
    grey: Grey,
    left: f64,
    top: f64,
    lens: Option<&'l Lens>,
}

impl<'l> View<'l> {
    /// The part of `image` that shows `corners`, given in undistorted frame px; `Ok(None)` where it shows nothing of it.
    pub(crate) fn around(
        image: &Image,
        lens: Option<&'l Lens>,
        places: impl Iterator<Item = [f64; 2]>,
    ) -> opencv::Result<Option<Self>> {
        let (mut x0, mut y0, mut x1, mut y1) = (f64::MAX, f64::MAX, f64::MIN, f64::MIN);
        for place in places {
            let [x, y] = on_sensor(lens, place);
            (x0, y0, x1, y1) = (x0.min(x), y0.min(y), x1.max(x), y1.max(y));
        }
        let (width, height) = (f64::from(image.width()), f64::from(image.height()));
        let (left, top) = ((x0 - MARGIN_PX).floor().max(0.0), (y0 - MARGIN_PX).floor().max(0.0));
        let (right, bottom) = ((x1 + MARGIN_PX).ceil().min(width), (y1 + MARGIN_PX).ceil().min(height));
        if !(right - left >= 1.0 && bottom - top >= 1.0) {
            return Ok(None);
        }
        let area = Rect::new(left as i32, top as i32, (right - left) as i32, (bottom - top) as i32);
        Ok(Some(Self { grey: Grey::of(image, area)?, left, top, lens }))
    }

    /// The grey value there; `None` where the camera does not see it.
    pub(crate) fn at(&self, place: [f64; 2]) -> Option<f64> {
        let [x, y] = on_sensor(self.lens, place);
        let (x, y) = (x - self.left, y - self.top);
        self.grey.holds(x, y).then(|| f64::from(self.grey.at(x, y)))
    }
}

/// Undistorted frame px → px of the frame as the camera gives it, both counted continuously.
fn on_sensor(lens: Option<&Lens>, [x, y]: [f64; 2]) -> [f64; 2] {
    let Some(lens) = lens else { return [x, y] };
    let [k1, k2, p1, p2, k3] = lens.distortion;
    let (x, y) = ((x - 0.5 - lens.cx) / lens.fx, (y - 0.5 - lens.cy) / lens.fy);
    let r2 = x * x + y * y;
    let [k4, k5, k6] = lens.rational;
    let radial = (1.0 + r2 * (k1 + r2 * (k2 + r2 * k3))) / (1.0 + r2 * (k4 + r2 * (k5 + r2 * k6)));
    let u = x * radial + 2.0 * p1 * x * y + p2 * (r2 + 2.0 * x * x);
    let v = y * radial + p1 * (r2 + 2.0 * y * y) + 2.0 * p2 * x * y;
    [lens.fx * u + lens.cx + 0.5, lens.fy * v + lens.cy + 0.5]
}
