//! Pictures we know every point of, and the slow, plain way to prepare them.

use plumb_inspection::{
    CameraId, ColourOrder, Element, Fit, FlatField, Frame, Image, Layout, PixelFormat, Placement, PointPx,
    RectPx, Stamp, Tensor, TensorSpec, Values,
};
use std::sync::Arc;

pub(crate) const FORMATS: [PixelFormat; 6] = [
    PixelFormat::Gray8,
    PixelFormat::Bgr8,
    PixelFormat::BayerRggb,
    PixelFormat::BayerGrbg,
    PixelFormat::BayerGbrg,
    PixelFormat::BayerBggr,
];

/// Bytes as they are, RGB planes.
pub(crate) fn spec(width: u32, height: u32) -> TensorSpec {
    TensorSpec {
        width,
        height,
        colour: ColourOrder::Rgb,
        layout: Layout::Nchw,
        element: Element::F32,
        fit: Fit::Stretch,
        scale: 1.0,
        mean: vec![],
        std: vec![],
    }
}

pub(crate) fn frame(image: Image) -> Frame {
    Frame { camera: CameraId::from("top"), seq: 1, camera_frame_id: None, at: Stamp::now(), image }
}

/// A picture of `bgr` at each pixel, as a camera of `format` would give it, with rows that do not follow each other closely.
pub(crate) fn shot(width: u32, height: u32, format: PixelFormat, bgr: impl Fn(u32, u32) -> [u8; 3]) -> Image {
    let row = width as usize * format.bytes_per_px();
    let stride = row + 13;
    let mut pixels = vec![0xEE; stride * height as usize];
    for y in 0..height {
        for x in 0..width {
            let colour = bgr(x, y);
            let at = y as usize * stride + x as usize * format.bytes_per_px();
            match format {
                PixelFormat::Bgr8 => pixels[at..at + 3].copy_from_slice(&colour),
                PixelFormat::Gray8 => pixels[at] = luma(colour.map(f32::from)).round() as u8,
                _ => pixels[at] = colour[channel_of(format, x, y)],
            }
        }
    }
    Image::new(width, height, stride, format, Arc::new(pixels)).expect("it was made to measure")
}

/// Which of B, G, R a mosaic's pixel saw.
fn channel_of(format: PixelFormat, x: u32, y: u32) -> usize {
    let cell = match format {
        PixelFormat::BayerRggb => [2, 1, 1, 0],
        PixelFormat::BayerGrbg => [1, 2, 0, 1],
        PixelFormat::BayerGbrg => [1, 0, 2, 1],
        PixelFormat::BayerBggr => [0, 1, 1, 2],
        PixelFormat::Gray8 | PixelFormat::Bgr8 => unreachable!("no mosaic"),
    };
    cell[(y % 2 * 2 + x % 2) as usize]
}

pub(crate) fn luma([b, g, r]: [f32; 3]) -> f32 {
    0.114 * b + 0.587 * g + 0.299 * r
}

/// Colour of a pixel, evened by its gain; of a mosaic, each colour is the mean of it within the 3×3 px around.
fn colour_at(image: &Image, flat: Option<&FlatField>, x: u32, y: u32) -> [f32; 3] {
    let even = |x: u32, y: u32, sample: usize| {
        let byte = f32::from(image.row(y)[x as usize * image.format().bytes_per_px() + sample]);
        let gain = flat.map_or(1.0, |flat| flat.gain[(y * flat.width + x) as usize]);
        (byte * gain).min(255.0)
    };
    match image.format() {
        PixelFormat::Gray8 => [even(x, y, 0); 3],
        PixelFormat::Bgr8 => [0, 1, 2].map(|sample| even(x, y, sample)),
        mosaic => {
            // The outermost pixels have no full neighbourhood: they show what their inner neighbours do.
            let (x, y) = (x.clamp(1, image.width() - 2), y.clamp(1, image.height() - 2));
            [0, 1, 2].map(|channel| {
                let own = channel_of(mosaic, x, y) == channel;
                let around = (y - 1..=y + 1).flat_map(|y| (x - 1..=x + 1).map(move |x| (x, y)));
                let seen: Vec<f32> = around
                    .filter(|&at| if own { at == (x, y) } else { channel_of(mosaic, at.0, at.1) == channel })
                    .map(|(x, y)| even(x, y, 0))
                    .collect();
                seen.iter().sum::<f32>() / seen.len() as f32
            })
        }
    }
}

/// The numbers `image` should give at `placement`, reckoned one by one.
pub(crate) fn naive(
    image: &Image,
    spec: &TensorSpec,
    placement: &Placement,
    flat: Option<&FlatField>,
) -> Vec<f32> {
    let colours: Vec<[f32; 3]> = (0..image.height())
        .flat_map(|y| (0..image.width()).map(move |x| (x, y)))
        .map(|(x, y)| colour_at(image, flat, x, y))
        .collect();
    let used = placement.rect(placement.content_px);
    let pad = if let Fit::Letterbox { pad } = spec.fit { f32::from(pad) } else { f32::NAN };
    let channels = spec.channels();
    let mut out = vec![f32::NAN; spec.len()];
    for y in 0..spec.height {
        for x in 0..spec.width {
            let centre = PointPx { x: x as f32 + 0.5, y: y as f32 + 0.5 };
            let bgr = if placement.content_px.contains(centre) {
                bilinear(&colours, image.width(), used, placement.point(centre))
            } else {
                [pad; 3]
            };
            let ordered = match spec.colour {
                ColourOrder::Grey => [luma(bgr); 3],
                ColourOrder::Bgr => bgr,
                ColourOrder::Rgb => [bgr[2], bgr[1], bgr[0]],
            };
            for (c, byte) in ordered.into_iter().enumerate().take(channels) {
                let (px, area) = (y as usize * spec.width as usize + x as usize, spec.len() / channels);
                let at = if spec.layout == Layout::Nchw { c * area + px } else { px * channels + c };
                let (mean, std) = spec.mean_std(c);
                let number = (byte * spec.scale - mean) / std;
                out[at] = if spec.element == Element::U8 { byte } else { number };
            }
        }
    }
    out
}

fn bilinear(colours: &[[f32; 3]], width: u32, used: RectPx, at: PointPx) -> [f32; 3] {
    let weigh = |at: f32, lo: f32, hi: f32| {
        let centre = (at - 0.5).clamp(lo.round(), hi.round() - 1.0);
        let first = centre.floor().min(hi.round() - 2.0).max(lo.round());
        (first as usize, centre - first)
    };
    let (x, fx) = weigh(at.x, used.x, used.right());
    let (y, fy) = weigh(at.y, used.y, used.bottom());
    let pixel = |x: usize, y: usize| colours.get(y * width as usize + x).copied().unwrap_or_default();
    let [a, b, c, d] = [pixel(x, y), pixel(x + 1, y), pixel(x, y + 1), pixel(x + 1, y + 1)];
    std::array::from_fn(|i| {
        let top = a[i] * (1.0 - fx) + if fx > 0.0 { b[i] * fx } else { 0.0 };
        let bottom = c[i] * (1.0 - fx) + if fx > 0.0 { d[i] * fx } else { 0.0 };
        top * (1.0 - fy) + if fy > 0.0 { bottom * fy } else { 0.0 }
    })
}

/// A tensor's numbers, bytes too.
pub(crate) fn numbers(tensor: &Tensor) -> Vec<f32> {
    match &tensor.values {
        Values::F32(values) => values.clone(),
        Values::U8(bytes) => bytes.iter().copied().map(f32::from).collect(),
    }
}
