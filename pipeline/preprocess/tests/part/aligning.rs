//! A part is found where it lies, or said not to be there.

use crate::render::{BELT, Plate, Random, picture};
use plumb_inspection::{Alignment, Image, Lens, PixelFormat};
use plumb_preprocess::{AlignConfig, AlignError, Aligner};

const FRAME: (u32, u32) = (320, 240);
const TAUGHT: Plate = Plate { middle: [160.3, 120.8], angle_deg: 0.0, scale: 1.0 };

fn taught() -> AlignConfig {
    AlignConfig {
        reference: picture(FRAME.0, FRAME.1, 2.0, 1, &TAUGHT),
        part_px: [94.0, 80.0, 132.0, 82.0].into(),
        search_px: 20.0,
        search_deg: 10.0,
        search_percent: 0.0,
        score_min: 0.7,
    }
}

fn flat(level: u8) -> Image {
    let pixels = vec![level; (FRAME.0 * FRAME.1) as usize];
    Image::packed(FRAME.0, FRAME.1, PixelFormat::Gray8, pixels).expect("as many as it says")
}

/// Where the box's middle lies once the plate lies there.
fn wanted(plate: &Plate, aligner: &Aligner) -> [f64; 2] {
    let middle = aligner.middle();
    let (dx, dy) = (f64::from(middle.x) - TAUGHT.middle[0], f64::from(middle.y) - TAUGHT.middle[1]);
    let (sin, cos) = plate.angle_deg.to_radians().sin_cos();
    [
        plate.middle[0] + plate.scale * (cos * dx - sin * dy),
        plate.middle[1] + plate.scale * (sin * dx + cos * dy),
    ]
}

#[test]
fn a_part_moved_by_20_px_and_turned_by_10_degrees_is_found_to_a_twentieth_px() {
    let aligner = Aligner::new(taught()).expect("a plate with a hole");
    let mut random = Random(7);
    let (mut worst_px, mut worst_deg) = (0.0_f64, 0.0_f64);
    for seed in 0..60 {
        let plate = Plate {
            middle: [
                TAUGHT.middle[0] + random.between(-19.0, 19.0),
                TAUGHT.middle[1] + random.between(-19.0, 19.0),
            ],
            angle_deg: random.between(-10.0, 10.0),
            scale: 1.0,
        };
        let frame = picture(FRAME.0, FRAME.1, 2.0, 100 + seed, &plate);
        let Alignment::Found(pose) = aligner.find(&frame, None).expect("readable") else {
            panic!("{:?} at {} was not found", plate.middle, plate.angle_deg)
        };
        let [x, y] = wanted(&plate, &aligner);
        worst_px = worst_px.max((pose.x - x).hypot(pose.y - y));
        worst_deg = worst_deg.max((pose.angle_deg - plate.angle_deg).abs());
        assert!(pose.score > 0.95, "{pose:?}");
    }
    eprintln!("worst {worst_px:.4} px, {worst_deg:.4} degrees");
    assert!(worst_px < 0.05 && worst_deg < 0.05, "{worst_px} px, {worst_deg} degrees");
}

#[test]
fn half_the_light_and_a_defect_move_the_pose_by_less_than_a_tenth_px() {
    let aligner = Aligner::new(taught()).expect("a plate with a hole");
    let plate = Plate { middle: [170.0, 111.0], angle_deg: 6.0, scale: 1.0 };
    let dented = |at: [f64; 2]| {
        use crate::render::Shape;
        plate.distance(at).max(-((at[0] - 215.0).hypot(at[1] - 100.0) - 14.0))
    };
    let bright = picture(FRAME.0, FRAME.1, 2.0, 5, &dented);
    let dim = bright.bytes().iter().map(|v| v / 2 + 5).collect();
    let dim = Image::packed(FRAME.0, FRAME.1, PixelFormat::Gray8, dim).expect("as many");
    let [x, y] = wanted(&plate, &aligner);
    for frame in [bright, dim] {
        let Alignment::Found(pose) = aligner.find(&frame, None).expect("readable") else {
            panic!("not found")
        };
        assert!((pose.x - x).hypot(pose.y - y) < 0.1, "{pose:?}, wanted {x} {y}");
        assert!((pose.angle_deg - 6.0).abs() < 0.1, "{pose:?}");
    }
}

#[test]
fn a_larger_part_is_found_where_scale_is_searched() {
    let aligner = Aligner::new(AlignConfig { search_percent: 8.0, ..taught() }).expect("a plate with a hole");
    for (scale, angle_deg) in [(0.93, 4.0), (1.0, 0.0), (1.07, -8.0)] {
        let plate = Plate { middle: [155.0, 126.0], angle_deg, scale };
        let frame = picture(FRAME.0, FRAME.1, 2.0, 3, &plate);
        let Alignment::Found(pose) = aligner.find(&frame, None).expect("readable") else {
            panic!("not found")
        };
        assert!((pose.scale - scale).abs() < 0.001, "{pose:?}");
        let [x, y] = wanted(&plate, &aligner);
        assert!((pose.x - x).hypot(pose.y - y) < 0.1, "{pose:?}");
    }
}

#[test]
fn what_is_not_there_is_not_found() {
    let aligner = Aligner::new(taught()).expect("a plate with a hole");
    let gone = |_: [f64; 2]| 99.0;
    let round = |[x, y]: [f64; 2]| (x - 160.0_f64).hypot(y - 120.0) - 40.0;
    let far = Plate { middle: [230.0, 170.0], ..TAUGHT };
    let turned = Plate { angle_deg: 35.0, ..TAUGHT };
    let frames = [
        ("an empty belt", picture(FRAME.0, FRAME.1, 2.0, 1, &gone)),
        ("another part", picture(FRAME.0, FRAME.1, 2.0, 1, &round)),
        ("a part beyond the range", picture(FRAME.0, FRAME.1, 2.0, 1, &far)),
        ("a part turned beyond the range", picture(FRAME.0, FRAME.1, 2.0, 1, &turned)),
        ("a dark frame", flat(0)),
        ("a bright frame", flat(255)),
        ("a tiny frame", Image::packed(3, 3, PixelFormat::Gray8, vec![BELT as u8; 9]).expect("nine")),
    ];
    for (what, frame) in frames {
        let found = aligner.find(&frame, None).expect("readable");
        assert!(matches!(found, Alignment::NotFound { .. }), "{what}: {found:?}");
    }
}

#[test]
fn the_part_is_found_in_colour_in_a_mosaic_and_through_a_lens() {
    let aligner = Aligner::new(taught()).expect("a plate with a hole");
    let plate = Plate { middle: [171.4, 111.9], angle_deg: -7.0, scale: 1.0 };
    let grey = picture(FRAME.0, FRAME.1, 2.0, 9, &plate);
    let bgr = grey.bytes().iter().flat_map(|v| [*v; 3]).collect();
    let frames = [
        (0.05, Image::packed(FRAME.0, FRAME.1, PixelFormat::Bgr8, bgr).expect("three times as many")),
        (
            0.2,
            Image::packed(FRAME.0, FRAME.1, PixelFormat::BayerGbrg, grey.bytes().to_vec()).expect("as many"),
        ),
    ];
    let [x, y] = wanted(&plate, &aligner);
    for (within, frame) in frames {
        let Alignment::Found(pose) = aligner.find(&frame, None).expect("readable") else {
            panic!("not found")
        };
        assert!((pose.x - x).hypot(pose.y - y) < within, "{pose:?}");
    }
    let lens = Lens {
        size_px: [FRAME.0, FRAME.1],
        fx: 300.0,
        fy: 300.0,
        cx: 159.5,
        cy: 119.5,
        distortion: [-0.2, 0.05, 0.0, 0.0, 0.0],
        rational: [0.0; 3],
    };
    // The camera shows at u what lies at undistorted x: invert the lens by fixed-point iteration.
    let through = |[u, v]: [f64; 2]| {
        use crate::render::Shape;
        let (a, b) = ((u - 0.5 - lens.cx) / lens.fx, (v - 0.5 - lens.cy) / lens.fy);
        let (mut p, mut q) = (a, b);
        for _ in 0..30 {
            let r2 = p * p + q * q;
            let by = 1.0 + r2 * (lens.distortion[0] + r2 * lens.distortion[1]);
            (p, q) = (a / by, b / by);
        }
        plate.distance([p * lens.fx + lens.cx + 0.5, q * lens.fy + lens.cy + 0.5])
    };
    let frame = picture(FRAME.0, FRAME.1, 2.0, 9, &through);
    let Alignment::Found(pose) = aligner.find(&frame, Some(&lens)).expect("readable") else {
        panic!("not found")
    };
    assert!((pose.x - x).hypot(pose.y - y) < 0.05, "{pose:?}, wanted {x} {y}");
}

#[test]
fn a_reference_whose_pose_cannot_be_told_is_refused() {
    let refused = |config: AlignConfig| Aligner::new(config).expect_err("no pose can be told").to_string();
    let disc = |[x, y]: [f64; 2]| (x - 160.0_f64).hypot(y - 120.0) - 33.0;
    let bar = |[_, y]: [f64; 2]| (y - 120.0_f64).abs() - 10.0;
    let of = |reference| AlignConfig { reference, ..taught() };
    assert!(refused(of(flat(90))).contains("shows nothing"));
    assert!(refused(of(picture(FRAME.0, FRAME.1, 2.0, 1, &disc))).contains("same turned"));
    assert!(refused(of(picture(FRAME.0, FRAME.1, 2.0, 1, &bar))).contains("same moved sideways"));
    let still = AlignConfig { search_deg: 0.0, ..of(picture(FRAME.0, FRAME.1, 2.0, 1, &disc)) };
    assert!(Aligner::new(still).is_ok(), "a round part may be found at no angle");
    let table = [
        (AlignConfig { part_px: [94.0, 80.0, 400.0, 82.0].into(), ..taught() }, "beyond its 320x240"),
        (AlignConfig { part_px: [94.0, f32::NAN, 40.0, 82.0].into(), ..taught() }, "beyond its 320x240"),
        (AlignConfig { part_px: [94.0, 80.0, 10.0, 82.0].into(), ..taught() }, "at least 16"),
        (AlignConfig { score_min: 0.0, ..taught() }, "score_min is 0"),
        (AlignConfig { search_deg: 181.0, ..taught() }, "search_deg is 181"),
        (AlignConfig { search_px: f32::NAN, ..taught() }, "search_px is NaN"),
        (AlignConfig { search_px: 2000.0, search_deg: 180.0, ..taught() }, "narrow search_px"),
    ];
    for (config, says) in table {
        let said = refused(config);
        assert!(said.contains(says), "{said}");
    }
    let error = Aligner::new(of(flat(0))).expect_err("dark");
    assert!(matches!(error, AlignError::Uniform { .. }));
}
