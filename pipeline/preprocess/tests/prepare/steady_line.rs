//! A steady line asks for no memory, keeps its order, and follows a change of format.

use crate::scene::{frame, numbers, shot, spec};
use plumb_inspection::{Fit, PixelFormat, TensorSpec, Values};
use plumb_preprocess::{Cut, Optics, Preprocessor};

fn address(values: &Values) -> usize {
    match values {
        Values::F32(values) => values.as_ptr() as usize,
        Values::U8(bytes) => bytes.as_ptr() as usize,
    }
}

#[test]
fn a_dropped_tensors_memory_serves_the_next_frame() {
    let cuts = [(64, 48), (128, 96)].map(|(width, height)| Cut {
        region: "face".into(),
        rect_px: None,
        spec: spec(width, height),
    });
    let mut preprocessor = Preprocessor::new(Optics::default(), cuts.to_vec()).expect("good cuts");
    let image = frame(shot(100, 80, PixelFormat::Bgr8, |x, y| [x as u8, y as u8, 7]));
    let first = preprocessor.prepare(&image).expect("inside");
    let addresses: Vec<_> = first.iter().map(|tensor| address(&tensor.values)).collect();
    let numbers_before: Vec<_> = first.iter().map(numbers).collect();
    drop(first);
    for _ in 0..5 {
        let next = preprocessor.prepare(&image).expect("inside");
        assert_eq!(next.iter().map(|tensor| address(&tensor.values)).collect::<Vec<_>>(), addresses);
        assert_eq!(next.iter().map(numbers).collect::<Vec<_>>(), numbers_before);
    }
}

#[test]
fn padding_is_laid_anew_in_memory_that_held_something_else() {
    let padded = TensorSpec { fit: Fit::Letterbox { pad: 9 }, ..spec(40, 40) };
    let cut = Cut { region: "face".into(), rect_px: None, spec: padded };
    let mut preprocessor = Preprocessor::new(Optics::default(), vec![cut]).expect("a good cut");
    for (width, height) in [(80, 40), (40, 80), (80, 40)] {
        let image = shot(width, height, PixelFormat::Gray8, |_, _| [200; 3]);
        let tensor = preprocessor.prepare(&frame(image)).expect("whole frames of any size").remove(0);
        let padding = numbers(&tensor).into_iter().filter(|value| *value == 9.0).count();
        assert_eq!(padding, 3 * 40 * 20);
    }
}

#[test]
fn tensors_come_in_the_order_of_the_cuts_for_every_format() {
    let names = ["head", "thread", "tip"];
    let cuts = names.map(|name| Cut {
        region: name.into(),
        rect_px: Some([0.0, 0.0, 20.0, 20.0].into()),
        spec: spec(8, 8),
    });
    let mut preprocessor = Preprocessor::new(Optics::default(), cuts.to_vec()).expect("good cuts");
    for format in crate::scene::FORMATS {
        let image = frame(shot(40, 40, format, |_, _| [50, 100, 150]));
        let tensors = preprocessor.prepare(&image).expect("inside");
        assert_eq!(tensors.iter().map(|tensor| tensor.region.as_str()).collect::<Vec<_>>(), names);
        let [r, b] = [0, 2].map(|c| numbers(&tensors[0])[c * 64]);
        let (red, blue) = if format == PixelFormat::Gray8 { (109.0, 109.0) } else { (150.0, 50.0) };
        assert_eq!((r, b), (red, blue), "{format:?}: a new format is read by its own rules");
    }
}

#[test]
fn no_cuts_give_no_tensors() {
    let mut preprocessor = Preprocessor::new(Optics::default(), vec![]).expect("nothing is wrong with it");
    let image = frame(shot(9, 9, PixelFormat::Gray8, |_, _| [0; 3]));
    assert!(preprocessor.prepare(&image).expect("nothing to do").is_empty());
}

#[test]
fn a_preprocessor_may_live_on_its_own_thread() {
    fn moves<T: Send>() {}
    moves::<Preprocessor>();
}
