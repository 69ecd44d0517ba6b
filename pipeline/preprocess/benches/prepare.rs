//! What preparing a 720p frame costs on one thread, beside the plain sequence of OpenCV calls everyone writes first.
//!
//! In CPU time of this thread: what others do on the machine at the same time is none of our cost.

use cpu_time::ThreadTime;
use criterion::{Criterion, criterion_group, criterion_main};
use opencv::{
    calib3d,
    core::{self, BORDER_CONSTANT, CV_16SC2, CV_32F, Mat, Rect, Scalar, Size, Vec3b, Vector},
    imgproc,
    prelude::*,
};
use plumb_inspection::{
    CameraId, ColourOrder, Element, Fit, FlatField, Frame, Image, Layout, Lens, PixelFormat, Stamp,
    TensorSpec,
};
use plumb_preprocess::{Cut, Optics, Preprocessor};
use std::{hint::black_box, time::Duration};

const WIDTH: u32 = 1280;
const HEIGHT: u32 = 720;

fn frame(width: u32, height: u32, format: PixelFormat) -> Frame {
    let len = width as usize * height as usize * format.bytes_per_px();
    let pixels = (0..len).map(|i| ((i * 2_654_435_761) >> 13) as u8).collect();
    let image = Image::packed(width, height, format, pixels).expect("made to measure");
    Frame { camera: CameraId::from("top"), seq: 1, camera_frame_id: None, at: Stamp::now(), image }
}

fn spec() -> TensorSpec {
    TensorSpec {
        width: 640,
        height: 640,
        colour: ColourOrder::Rgb,
        layout: Layout::Nchw,
        element: Element::F32,
        fit: Fit::Letterbox { pad: 114 },
        scale: 1.0 / 255.0,
        mean: vec![0.485, 0.456, 0.406],
        std: vec![0.229, 0.224, 0.225],
    }
}

/// The frame as it is, its lens corrected: what a calibration alone costs.
fn whole() -> TensorSpec {
    TensorSpec {
        width: WIDTH,
        height: HEIGHT,
        colour: ColourOrder::Bgr,
        layout: Layout::Nhwc,
        element: Element::U8,
        fit: Fit::Stretch,
        scale: 1.0,
        mean: vec![],
        std: vec![],
    }
}

fn lens() -> Lens {
    let distortion = [-0.248, 0.047, -0.001, 0.0002, -0.157];
    Lens {
        size_px: [WIDTH, HEIGHT],
        fx: 1152.0,
        fy: 1148.0,
        cx: 675.0,
        cy: 366.0,
        distortion,
        rational: [0.0; 3],
    }
}

fn flat() -> FlatField {
    FlatField { width: WIDTH, height: HEIGHT, gain: vec![1.07; (WIDTH * HEIGHT) as usize].into() }
}

/// Colour, resize, border, float, mean, std, planes: each a pass of its own over a picture of its own.
#[derive(Default)]
struct Naive {
    rgb: Mat,
    small: Mat,
    boxed: Mat,
    float: Mat,
    centred: Mat,
    ready: Mat,
    planes: Vector<Mat>,
    out: Vec<f32>,
}

impl Naive {
    fn prepare(&mut self, bgr: &impl core::ToInputArray) -> opencv::Result<f32> {
        imgproc::cvt_color(bgr, &mut self.rgb, imgproc::COLOR_BGR2RGB, 0)?;
        imgproc::resize(&self.rgb, &mut self.small, Size::new(640, 360), 0.0, 0.0, imgproc::INTER_LINEAR)?;
        let pad = Scalar::all(114.0);
        core::copy_make_border(&self.small, &mut self.boxed, 140, 140, 0, 0, BORDER_CONSTANT, pad)?;
        self.boxed.convert_to(&mut self.float, CV_32F, 1.0 / 255.0, 0.0)?;
        let (mean, std) = (Scalar::new(0.485, 0.456, 0.406, 0.0), Scalar::new(0.229, 0.224, 0.225, 1.0));
        core::subtract(&self.float, &mean, &mut self.centred, &core::no_array(), -1)?;
        core::divide2(&self.centred, &std, &mut self.ready, 1.0, -1)?;
        core::split(&self.ready, &mut self.planes)?;
        self.out.clear();
        for plane in &self.planes {
            self.out.extend_from_slice(plane.data_typed::<f32>()?);
        }
        Ok(self.out[0])
    }
}

/// OpenCV's own fixed-point maps of [`lens`].
fn undistortion() -> (Mat, Mat) {
    let Lens { fx, fy, cx, cy, .. } = lens();
    let camera = Mat::from_slice_2d(&[[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]]).expect("a matrix");
    let coefficients = lens().coefficients();
    let distortion = Mat::from_slice(&coefficients).expect("a row");
    let (mut whole, mut rest, none) = (Mat::default(), Mat::default(), Mat::default());
    let size = Size::new(WIDTH as i32, HEIGHT as i32);
    calib3d::init_undistort_rectify_map(
        &camera,
        &distortion,
        &none,
        &camera,
        size,
        CV_16SC2,
        &mut whole,
        &mut rest,
    )
    .expect("maps");
    (whole, rest)
}

fn cpu_time<T>(times: u64, mut work: impl FnMut() -> T) -> Duration {
    let start = ThreadTime::now();
    for _ in 0..times {
        black_box(work());
    }
    start.elapsed()
}

fn prepare(c: &mut Criterion) {
    let bgr = PixelFormat::Bgr8;
    let plain = Optics::default;
    let only = |lens, flat_field| Optics { lens, flat_field };
    let table = [
        ("720p BGR to 640 letterbox f32 NCHW", frame(WIDTH, HEIGHT, bgr), plain(), spec()),
        ("the same, NHWC", frame(WIDTH, HEIGHT, bgr), plain(), TensorSpec { layout: Layout::Nhwc, ..spec() }),
        (
            "the same, bytes",
            frame(WIDTH, HEIGHT, bgr),
            plain(),
            TensorSpec { element: Element::U8, ..spec() },
        ),
        (
            "the same, stretched",
            frame(WIDTH, HEIGHT, bgr),
            plain(),
            TensorSpec { fit: Fit::Stretch, ..spec() },
        ),
        ("the same, from 1080p", frame(1920, 1080, bgr), plain(), spec()),
        ("the same, flat field", frame(WIDTH, HEIGHT, bgr), only(None, Some(flat())), spec()),
        ("the same, lens", frame(WIDTH, HEIGHT, bgr), only(Some(lens()), None), spec()),
        (
            "the same, lens and flat field",
            frame(WIDTH, HEIGHT, bgr),
            only(Some(lens()), Some(flat())),
            spec(),
        ),
        (
            "720p BGR undistorted at its own size",
            frame(WIDTH, HEIGHT, bgr),
            only(Some(lens()), None),
            whole(),
        ),
        (
            "720p grey undistorted at its own size",
            frame(WIDTH, HEIGHT, PixelFormat::Gray8),
            only(Some(lens()), None),
            TensorSpec { colour: ColourOrder::Grey, ..whole() },
        ),
        ("the same, from Bayer", frame(WIDTH, HEIGHT, PixelFormat::BayerRggb), plain(), spec()),
        (
            "the same, from Bayer, flat field",
            frame(WIDTH, HEIGHT, PixelFormat::BayerRggb),
            only(None, Some(flat())),
            spec(),
        ),
        ("the same, from grey", frame(WIDTH, HEIGHT, PixelFormat::Gray8), plain(), spec()),
    ];
    let mut group = c.benchmark_group("prepare");
    for (name, frame, optics, spec) in table {
        let cut = Cut { region: "whole".into(), rect_px: None, spec };
        let mut preprocessor = Preprocessor::new(optics, vec![cut]).expect("a good cut");
        group.bench_function(name, |b| {
            b.iter_custom(|times| cpu_time(times, || preprocessor.prepare(&frame).expect("a good frame")));
        });
    }
    let frame = frame(WIDTH, HEIGHT, bgr);
    let pixels: Vec<Vec3b> =
        frame.image.bytes().as_chunks::<3>().0.iter().map(|px| Vec3b::from(*px)).collect();
    let mat = Mat::new_rows_cols_with_data(HEIGHT as i32, WIDTH as i32, &pixels).expect("made to measure");
    group.bench_function("naive: 720p BGR to 640 letterbox f32 NCHW", |b| {
        b.iter_custom(|times| cpu_time(times, || Naive::default().prepare(&mat).expect("a good frame")));
    });
    for (name, channels) in
        [("naive: 720p BGR undistorted, cv::remap", 3), ("naive: 720p grey undistorted, cv::remap", 1)]
    {
        let (source, maps) = (mat.reshape(channels, 0).expect("whole pixels"), undistortion());
        let source = Mat::roi(&source, Rect::new(0, 0, WIDTH as i32, HEIGHT as i32)).expect("a picture");
        let mut out = Mat::default();
        group.bench_function(name, |b| {
            let mut remap = || {
                let (linear, black) = (imgproc::INTER_LINEAR, Scalar::default());
                imgproc::remap(&source, &mut out, &maps.0, &maps.1, linear, BORDER_CONSTANT, black)
                    .expect("maps")
            };
            b.iter_custom(|times| cpu_time(times, &mut remap));
        });
    }
    let mut kept = Naive::default();
    group.bench_function("naive, its buffers kept", |b| {
        b.iter_custom(|times| cpu_time(times, || kept.prepare(&mat).expect("a good frame")));
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(50).measurement_time(Duration::from_secs(3));
    targets = prepare
}
criterion_main!(benches);
