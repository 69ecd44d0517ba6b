//! Every pixel format, colour order, layout, element and fit gives what plain reckoning gives.

use crate::scene::{FORMATS, frame, naive, numbers, shot, spec};
use plumb_inspection::{ColourOrder, Element, Fit, FlatField, Layout, PixelFormat, TensorSpec, Values};
use plumb_preprocess::{Cut, Optics, Preprocessor};

/// Smooth in every channel, and different in each.
fn slopes(x: u32, y: u32) -> [u8; 3] {
    [(20 + x * 3) as u8, (200 - y * 3) as u8, (30 + x + 2 * y) as u8]
}

/// Busy, so that a pixel taken from next door shows.
fn busy(x: u32, y: u32) -> [u8; 3] {
    let hash = (x * 7919 + y * 104_729 + x * y * 31) % 65_521;
    [hash as u8, (hash / 5) as u8, (hash / 11) as u8]
}

fn every_spec(width: u32, height: u32) -> Vec<TensorSpec> {
    let mut all = Vec::new();
    for fit in [Fit::Stretch, Fit::Letterbox { pad: 114 }, Fit::Crop] {
        for colour in [ColourOrder::Rgb, ColourOrder::Bgr, ColourOrder::Grey] {
            for layout in [Layout::Nchw, Layout::Nhwc] {
                for element in [Element::F32, Element::F16, Element::U8] {
                    let (mean, std) = match colour {
                        ColourOrder::Grey => (vec![0.5], vec![0.25]),
                        _ => (vec![0.485, 0.456, 0.406], vec![0.229, 0.224, 0.225]),
                    };
                    let base = spec(width, height);
                    all.push(TensorSpec {
                        colour,
                        layout,
                        element,
                        fit,
                        scale: 1.0 / 255.0,
                        mean,
                        std,
                        ..base
                    });
                }
            }
        }
    }
    all
}

fn uneven(width: u32, height: u32) -> FlatField {
    let gain = (0..height).flat_map(|y| (0..width).map(move |x| 0.8 + x as f32 * 0.008 + y as f32 * 0.004));
    FlatField { width, height, gain: gain.collect() }
}

/// Farthest any number lies from the plain reckoning, in levels of 255.
fn farthest(format: PixelFormat, spec: &TensorSpec, rect: Option<[f32; 4]>, flat: Option<FlatField>) -> f32 {
    let image = shot(60, 44, format, slopes);
    farthest_of(&image, spec, rect, flat)
}

fn farthest_of(
    image: &plumb_inspection::Image,
    spec: &TensorSpec,
    rect: Option<[f32; 4]>,
    flat: Option<FlatField>,
) -> f32 {
    let cut = Cut { region: "face".into(), rect_px: rect.map(Into::into), spec: spec.clone() };
    let optics = Optics { lens: None, flat_field: flat.clone() };
    let mut preprocessor = Preprocessor::new(optics, vec![cut]).expect("a good cut");
    let tensor = preprocessor.prepare(&frame(image.clone())).expect("a good frame").remove(0);
    assert_eq!(tensor.shape, spec.shape());
    assert_eq!(tensor.region, "face".into());
    assert_eq!(matches!(tensor.values, Values::U8(_)), spec.element == Element::U8);
    let got = numbers(&tensor);
    let wanted = naive(image, spec, &tensor.placement, flat.as_ref());
    assert_eq!(got.len(), wanted.len());
    let level = |c: usize| match spec.element {
        Element::U8 => 1.0,
        _ => spec.scale / spec.mean_std(c).1,
    };
    let channel = |at: usize| match spec.layout {
        Layout::Nchw => at * spec.channels() / spec.len(),
        Layout::Nhwc => at % spec.channels(),
    };
    let far = |(at, (got, wanted)): (usize, (&f32, &f32))| {
        assert!(got.is_finite() && wanted.is_finite(), "{spec:?} at {at}: {got} for {wanted}");
        (got - wanted).abs() / level(channel(at))
    };
    got.iter().zip(&wanted).enumerate().map(far).fold(0.0, f32::max)
}

#[test]
fn every_way_gives_what_plain_reckoning_gives() {
    // Bytes are rounded after demosaicing and after scaling, and OpenCV weighs in 1/2048: two levels at most.
    for format in FORMATS {
        for spec in every_spec(48, 40).into_iter().chain(every_spec(97, 31)) {
            let far = farthest(format, &spec, None, None);
            assert!(far <= 2.0, "{format:?} {spec:?}: {far} levels off");
            let far = farthest(format, &spec, Some([7.0, 5.0, 41.0, 33.0]), None);
            assert!(far <= 2.0, "{format:?} {spec:?}, a region: {far} levels off");
        }
    }
}

#[test]
fn light_is_evened_out_in_every_way() {
    for format in FORMATS {
        for spec in every_spec(48, 40) {
            let far = farthest(format, &spec, Some([7.0, 5.0, 41.0, 33.0]), Some(uneven(60, 44)));
            assert!(far <= 2.5, "{format:?} {spec:?}: {far} levels off");
        }
    }
}

#[test]
fn at_its_own_size_a_picture_keeps_its_very_bytes() {
    for (format, colour) in [
        (PixelFormat::Bgr8, ColourOrder::Bgr),
        (PixelFormat::Bgr8, ColourOrder::Rgb),
        (PixelFormat::Gray8, ColourOrder::Grey),
        (PixelFormat::Gray8, ColourOrder::Rgb),
    ] {
        for layout in [Layout::Nchw, Layout::Nhwc] {
            for element in [Element::U8, Element::F32] {
                let spec = TensorSpec { colour, layout, element, ..spec(31, 23) };
                let image = shot(60, 44, format, busy);
                let far = farthest_of(&image, &spec, Some([9.0, 4.0, 31.0, 23.0]), None);
                // A grey pixel's luma is itself but for the rounding of three weights.
                assert!(far < 1e-4, "{format:?} {spec:?}: {far} levels off");
            }
        }
    }
}

#[test]
fn a_region_of_a_mosaic_reads_like_the_same_place_in_the_whole_frame() {
    for format in FORMATS.into_iter().filter(|format| format.is_bayer()) {
        for colour in [ColourOrder::Rgb, ColourOrder::Grey] {
            let image = frame(shot(31, 29, format, busy));
            let cut = |rect_px: Option<[f32; 4]>, width, height| Cut {
                region: "face".into(),
                rect_px: rect_px.map(Into::into),
                spec: TensorSpec {
                    element: Element::U8,
                    layout: Layout::Nhwc,
                    colour,
                    ..spec(width, height)
                },
            };
            let mut cuts = vec![cut(None, 31, 29)];
            let places: Vec<(u32, u32)> = (0..20).map(|i| (i * 7 % 27, i * 5 % 25)).collect();
            cuts.extend(places.iter().map(|&(x, y)| cut(Some([x as f32, y as f32, 4.0, 4.0]), 4, 4)));
            let mut preprocessor = Preprocessor::new(Optics::default(), cuts).expect("good cuts");
            let tensors = preprocessor.prepare(&image).expect("a good frame");
            let whole = numbers(&tensors[0]);
            let channels = tensors[0].shape[3];
            for (tensor, (x, y)) in tensors[1..].iter().zip(places) {
                let rows = (0..4).flat_map(|row| {
                    let start = ((y as usize + row) * 31 + x as usize) * channels;
                    whole[start..start + 4 * channels].iter().copied()
                });
                // OpenCV rounds luma up in whole vectors and down in the rest of a row.
                let slack = if colour == ColourOrder::Grey { 1.0 } else { 0.0 };
                for (got, wanted) in numbers(tensor).into_iter().zip(rows) {
                    assert!((got - wanted).abs() <= slack, "{format:?} at ({x}, {y}): {got}, not {wanted}");
                }
            }
        }
    }
}

#[test]
fn white_stays_white_however_much_the_light_lacks() {
    let bright = shot(20, 20, PixelFormat::Bgr8, |_, _| [250, 120, 10]);
    let gain = FlatField { width: 20, height: 20, gain: vec![2.0; 400].into() };
    for element in [Element::U8, Element::F32] {
        let spec = TensorSpec { element, layout: Layout::Nhwc, ..spec(20, 20) };
        let cut = Cut { region: "face".into(), rect_px: None, spec };
        let optics = Optics { lens: None, flat_field: Some(gain.clone()) };
        let mut preprocessor = Preprocessor::new(optics, vec![cut]).expect("a good cut");
        let tensor = preprocessor.prepare(&frame(bright.clone())).expect("a good frame").remove(0);
        assert_eq!(numbers(&tensor)[..3], [20.0, 240.0, 255.0]);
    }
}
