//! Parts of the built-in line that lie as they please: found, measured and judged by the whole station, or missed.

mod workshop;

use image::RgbImage;
use plumb_camera::{Calibration, PlaneEntry, PlaneFit};
use plumb_inspection::{Alignment, Image, MmPerPx, PointPx};
use plumb_ledger::{Query, Record, RecordVerdict};
use plumb_line::{LineConfig, Part, Pose, Product, Scene, render};
use plumb_station::config;
use std::{fs, path::Path, process::Command, time::Duration};
use workshop::{Workshop, wait_until};

const STATION: &str = r#"
[station]
name = "test"
listen = "127.0.0.1:0"
recipe = "pack"

[[camera]]
id = "top"
source = { kind = "files", path = "pictures" }
mm_per_px = [0.15, 0.15]

[trigger]
kind = "frame"
"#;

/// A blister pack of 33 x 21 mm, taught upright in the middle: its foil is 220 x 140 px.
const RECIPE: &str = r#"
[recipe]
name = "pack"
number = 1
deadline_ms = 20000

[[model]]
name = "boxes"
card = "../model.toml"

[[region]]
name = "corner"
model = "boxes"
rect_px = [60, 60, 64, 64]

[align]
reference = "../reference.png"
part_px = [40, 40, 240, 160]

[[measure]]
name = "length"
kind = "length"
a = { from_px = [36, 120], to_px = [57, 120], width_px = 100 }
b = { from_px = [284, 120], to_px = [263, 120], width_px = 100 }

[[measure]]
name = "corner"
kind = "angle"
a = { from_px = [36, 120], to_px = [57, 120], width_px = 100 }
b = { from_px = [160, 40], to_px = [160, 62], width_px = 100 }

[[measure]]
name = "pack"
kind = "area"
rect_px = [40, 40, 240, 160]

[[rule]]
name = "long-enough"
kind = "measurement"
measure = "length"
nominal_mm = 33
tolerance_mm = 0.2
"#;

const MIDDLE: [f32; 2] = [160.0, 120.0];

fn line() -> LineConfig {
    LineConfig {
        product: Product::BlisterPack,
        seed: 5,
        pose_jitter_px: 20.0,
        pose_jitter_deg: 10.0,
        ..LineConfig::default()
    }
}

fn save(image: &Image, file: &Path) {
    let rgb = image.bytes().chunks_exact(3).flat_map(|bgr| [bgr[2], bgr[1], bgr[0]]).collect();
    let picture = RgbImage::from_raw(image.width(), image.height(), rgb).expect("as many bytes");
    picture.save(file).expect("a picture");
}

/// A folder with a taught pack and `parts` pictures of other packs that lie anywhere within ±20 px and ±10°.
fn workshop(recipe: &str, parts: u64) -> (Workshop, Vec<Pose>) {
    workshop_of(&line(), recipe, parts)
}

/// Likewise, of whatever the line makes.
fn workshop_of(config: &LineConfig, recipe: &str, parts: u64) -> (Workshop, Vec<Pose>) {
    let workshop = Workshop::new(STATION, recipe);
    let scene = Scene::new(config);
    let taught = Pose { x_px: MIDDLE[0], y_px: MIDDLE[1], turn_deg: 0.0 };
    save(&render(&scene, &Part::draw(config, 0).mended(), taught, 0).0, &workshop.path("reference.png"));
    let poses = (1..=parts).map(|index| {
        let part = Part::draw(config, index).mended();
        // Along the belt by as much as across it, in steps that meet the px at every phase.
        let along = (index as f32 * 7.31).rem_euclid(40.0) - 20.0;
        let pose = part.pose(config, along);
        save(&render(&scene, &part, pose, index).0, &workshop.path(&format!("pictures/{index:03}.png")));
        pose
    });
    let poses = poses.collect();
    (workshop, poses)
}

/// The records of every picture, in order.
fn judged(workshop: &Workshop, parts: u64) -> Vec<Record> {
    let (station, records) = workshop.start();
    wait_until("the last answer", Duration::from_secs(60), || station.metrics.records.get() == parts);
    let missed = missed_so_far(station.address.expect("HTTP is served"));
    station.stop().expect("the ledger closes");
    let records: Vec<Record> = records.iter().collect();
    let told = records.iter().filter(|record| record.reason_code == 115).count() as u64;
    assert_eq!(missed, told, "the metric and the records");
    records
}

/// What `/metrics` counts of parts that were not found.
fn missed_so_far(address: std::net::SocketAddr) -> u64 {
    let mut answer = ureq::get(format!("http://{address}/metrics")).call().expect("HTTP");
    let text = answer.body_mut().read_to_string().expect("text");
    let series = "plumb_missed_total{cause=\"part_not_found\"} ";
    let line = text.lines().find_map(|line| line.strip_prefix(series));
    line.unwrap_or_else(|| panic!("no {series}in\n{text}")).parse().expect("a number")
}

fn value(record: &Record, name: &str) -> f64 {
    let taken = record.views[0].measurements.iter().find(|taken| taken.name == name);
    taken.and_then(|taken| taken.px).unwrap_or_else(|| panic!("no {name}: {:?}", record.views[0])).value
}

/// Bias and three standard deviations.
fn spread(errors: &[f64]) -> (f64, f64) {
    let n = errors.len() as f64;
    let bias = errors.iter().sum::<f64>() / n;
    let variance = errors.iter().map(|error| (error - bias).powi(2)).sum::<f64>() / (n - 1.0);
    (bias, 3.0 * variance.sqrt())
}

#[test]
fn a_regions_content_follows_the_part_and_its_length_is_true_wherever_it_lies() {
    const PARTS: u64 = 60;
    let (workshop, poses) = workshop(RECIPE, PARTS);
    let records = judged(&workshop, PARTS);
    let (mut worst_px, mut worst_deg) = (0.0_f64, 0.0_f64);
    let (mut lengths, mut corners) = (Vec::new(), Vec::new());
    for (record, truth) in records.iter().zip(&poses) {
        let Some(Alignment::Found(pose)) = record.views[0].alignment else {
            panic!("{truth:?} was not found: {:?}", record.reasons)
        };
        let told = pose.frame_from_reference(PointPx { x: MIDDLE[0], y: MIDDLE[1] });
        let (sin, cos) = f64::from(truth.turn_deg).to_radians().sin_cos();
        // The corners of the region.
        for [x, y] in [[60.0, 60.0], [124.0, 60.0], [60.0, 124.0], [124.0, 124.0_f32]] {
            let (dx, dy) = (f64::from(x - MIDDLE[0]), f64::from(y - MIDDLE[1]));
            let wanted =
                [f64::from(truth.x_px) + cos * dx - sin * dy, f64::from(truth.y_px) + sin * dx + cos * dy];
            let seen = told.apply(PointPx { x, y });
            worst_px = worst_px.max((f64::from(seen.x) - wanted[0]).hypot(f64::from(seen.y) - wanted[1]));
        }
        worst_deg = worst_deg.max((pose.angle_deg - f64::from(truth.turn_deg)).abs());
        lengths.push(value(record, "length") - 220.0);
        corners.push(value(record, "corner") - 90.0);
        assert_eq!(record.verdict, RecordVerdict::Pass, "{:?}", record.reasons);
        let says = &record.views[0].measurements[0].says;
        assert!(says.starts_with("33.") || says.starts_with("32.9"), "{says}");
        assert!(says.ends_with("mm (k=2), uncalibrated"), "a scale set by hand: {says}");
    }
    let mut took: Vec<u64> = records.iter().filter_map(|record| record.timings_us.preprocess).collect();
    took.sort_unstable();
    eprintln!("preprocess: median {} us, longest {} us", took[took.len() / 2], took[took.len() - 1]);
    let ((bias, three_sigma), corner) = (spread(&lengths), spread(&corners));
    eprintln!("content within {worst_px:.3} px and {worst_deg:.3} degrees");
    eprintln!(
        "length of 220 px: bias {bias:+.4} px, 3 sigma {three_sigma:.4} px; corner: {corner:?} degrees"
    );
    assert!(worst_px < 1.0 && worst_deg < 0.2, "{worst_px} px, {worst_deg} degrees");
    assert!(bias.abs() <= 0.05, "bias {bias} px");
    assert!(three_sigma <= 0.1, "3 sigma {three_sigma} px");
}

/// Washers are round and are turned every way: their place is searched, their angle is not.
#[test]
fn a_washer_is_found_where_it_lies_though_it_has_no_angle() {
    const PARTS: u64 = 30;
    let before_measures = RECIPE.split_once("[[measure]]").map(|(before, _)| before).expect("measures");
    let recipe = before_measures
        .replace("part_px = [40, 40, 240, 160]", "part_px = [70, 30, 180, 180]\nsearch_deg = 0")
        + r#"
[[rule]]
name = "bright"
kind = "presence"
class = "bottle"
score_min = 0.5
"#;
    let config = LineConfig { product: Product::Washer, ..line() };
    let (workshop, poses) = workshop_of(&config, &recipe, PARTS);
    let mut worst_px = 0.0_f64;
    for (record, truth) in judged(&workshop, PARTS).iter().zip(&poses) {
        let Some(Alignment::Found(pose)) = record.views[0].alignment else {
            panic!("{truth:?} was not found: {:?}", record.reasons)
        };
        worst_px = worst_px.max((pose.x - f64::from(truth.x_px)).hypot(pose.y - f64::from(truth.y_px)));
    }
    eprintln!("washers within {worst_px:.3} px");
    assert!(worst_px < 1.0, "{worst_px} px");
}

#[test]
fn a_part_that_is_not_there_is_missed_with_its_own_reason_its_picture_and_a_count() {
    let (workshop, _) = workshop(RECIPE, 3);
    // An empty belt, and a pack that lies beyond the range.
    let config = line();
    let scene = Scene::new(&config);
    save(&scene.picture(&[], 3.0, 9).0, &workshop.path("pictures/004.png"));
    let far = Pose { x_px: 220.0, y_px: 120.0, turn_deg: 40.0 };
    save(&render(&scene, &Part::draw(&config, 5).mended(), far, 5).0, &workshop.path("pictures/005.png"));
    let records = judged(&workshop, 5);
    let told: Vec<_> = records.iter().map(|record| record.verdict.as_str()).collect();
    assert_eq!(told, ["pass", "pass", "pass", "missed", "missed"]);
    for record in &records[3..] {
        assert_eq!((record.reason_code, record.reasons[0].rule.as_str()), (115, "part_not_found"));
        let says = &record.reasons[0].says;
        assert!(says.contains("camera \"top\", best score") && says.ends_with(", 0.7 wanted"), "{says}");
        assert!(matches!(record.views[0].alignment, Some(Alignment::NotFound { .. })));
        assert!(record.views[0].measurements.is_empty() && record.views[0].findings.is_empty());
    }
    let ledger = plumb_ledger::Reader::new(&workshop.path("data"));
    let missed = Query { verdict: Some(RecordVerdict::Missed), ..Query::default() };
    let missed = ledger.find(&missed).expect("records");
    assert!(missed.iter().all(|record| record.pictures.len() + record.pictures_missing.len() == 1));

    let show = |part: u32| {
        let output = Command::new(env!("CARGO_BIN_EXE_plumb"))
            .args(["parts", "show", &part.to_string(), "--data"])
            .arg(workshop.path("data"))
            .output()
            .expect("plumb runs");
        String::from_utf8(output.stdout).expect("text")
    };
    let good = show(records[0].part_id.get());
    assert!(good.contains("  measured   length 33.0") || good.contains("  measured   length 32.9"), "{good}");
    assert!(good.contains("mm (k=2), uncalibrated: the scale was set by hand"), "{good}");
    assert!(good.contains("  lies       at x "), "{good}");
    assert!(show(records[3].part_id.get()).contains("  lies       nowhere: not found, best score"));
}

/// A scale of 0.15 mm a px for frames of this size, good to 0.05 %, that expires at `until`.
fn calibrate(workshop: &Workshop, size_px: [u32; 2], until: &str) {
    let fit = PlaneFit {
        mm_from_px: None,
        mm_per_px: MmPerPx { x: 0.15, y: 0.15 },
        relative_u: [0.0005, 0.0005],
        rms_mm: 0.0,
        scale_range: [1.0, 1.0],
        residuals: Vec::new(),
    };
    let now = jiff::Timestamp::now();
    let mut calibration = Calibration::new(None, size_px, now);
    calibration.plane = Some(PlaneEntry::new(&fit, None, Vec::new(), now));
    calibration.expires_at = Some(until.parse().expect("a time"));
    calibration.write(&workshop.path("top.json")).expect("a calibration");
}

#[test]
fn a_value_in_mm_counts_as_calibrated_only_while_its_calibration_holds() {
    let calibrated = STATION.replace("mm_per_px = [0.15, 0.15]", "calibration = \"top.json\"");
    let marking = calibrated.replace("\"top.json\"", "\"top.json\"\ncalibration_unfit = \"mark\"");
    let measured = |station: &str, size_px, until| {
        let (workshop, _) = workshop(RECIPE, 1);
        workshop.write("station.toml", station);
        calibrate(&workshop, size_px, until);
        let record = judged(&workshop, 1).remove(0);
        (record.verdict, record.views[0].measurements[0].clone(), record.reasons)
    };
    let (verdict, length, _) = measured(&calibrated, [320, 240], "2999-01-01T00:00:00Z");
    let mm = length.mm.expect("there is a scale");
    assert_eq!((verdict, &length.uncalibrated), (RecordVerdict::Pass, &None));
    assert!(mm.u > 33.0 * 0.0005 && mm.u < 33.0 * 0.0006, "the doubt about the scale is in it: {mm:?}");
    assert!(length.says.ends_with(" ± 0.033 mm (k=2)"), "{}", length.says);

    let (workshop, _) = workshop(RECIPE, 0);
    workshop.write("station.toml", &calibrated);
    calibrate(&workshop, [320, 240], "2020-01-01T00:00:00Z");
    let refused = config::read(&workshop.path("station.toml")).map(drop).expect_err("it has expired");
    assert!(refused.to_string().contains("expired"), "{refused}");

    let (verdict, length, _) = measured(&marking, [320, 240], "2020-01-01T00:00:00Z");
    assert_eq!(verdict, RecordVerdict::Pass, "the config says to go on");
    assert!(length.uncalibrated.is_some_and(|why| why.contains("expired")), "{}", length.says);
    assert!(length.says.ends_with("mm (k=2), uncalibrated"), "{}", length.says);
}

#[test]
fn in_frames_of_another_size_than_the_calibrations_nothing_is_measured_in_mm_and_nothing_passes() {
    let station = STATION.replace("mm_per_px = [0.15, 0.15]", "calibration = \"top.json\"");
    let (workshop, _) = workshop(RECIPE, 1);
    workshop.write("station.toml", &station);
    // A folder of pictures tells the size of its frames with the first of them, so the config cannot refuse it.
    calibrate(&workshop, [640, 480], "2999-01-01T00:00:00Z");
    let record = judged(&workshop, 1).remove(0);
    let length = &record.views[0].measurements[0];
    assert!(length.px.is_some() && length.mm.is_none(), "{length:?}");
    assert!(length.says.ends_with(" px (k=2), uncalibrated"), "{}", length.says);
    assert!(length.uncalibrated.as_ref().is_some_and(|why| why.contains("640x480")), "{length:?}");
    assert_eq!(record.verdict, RecordVerdict::Fail);
    assert!(record.reasons[0].says.contains("length cannot be measured in mm"), "{:?}", record.reasons);
}

#[test]
fn a_part_out_of_tolerance_fails_by_its_measurement() {
    let tight = RECIPE.replace("nominal_mm = 33", "nominal_mm = 32.5");
    let (workshop, _) = workshop(&tight, 2);
    for record in judged(&workshop, 2) {
        assert_eq!((record.verdict, record.reason_code), (RecordVerdict::Fail, 1));
        assert!(record.reasons[0].says.contains("32.3 to 32.7 wanted"), "{:?}", record.reasons);
    }
}

#[test]
fn teaching_writes_a_reference_that_trying_finds() {
    let (workshop, poses) = workshop(RECIPE, 2);
    fs::rename(workshop.path("reference.png"), workshop.path("good.png")).expect("the picture");
    let plumb = |args: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_plumb"))
            .args(args)
            .current_dir(workshop.path(""))
            .output()
            .expect("plumb runs");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let (code, table, said) = plumb(&["align", "teach", "good.png", "--part-px", "40,40,240,160"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(
        table.starts_with("[align]\nreference = \"reference.png\"\npart_px = [40, 40, 240, 160]\n"),
        "{table}"
    );
    let (code, _, said) =
        plumb(&["align", "teach", "good.png", "--part-px", "0,0,30,20", "--search-deg", "181"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("search_deg is 181"), "{said}");

    let (code, lines, said) = plumb(&["align", "try", "pictures", "--json"]);
    assert_eq!(code, Some(0), "{said}");
    for (line, truth) in lines.lines().zip(&poses) {
        let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let pose = &line["alignment"]["found"];
        let off = pose["x"].as_f64().expect("a place") - f64::from(truth.x_px);
        assert!(off.abs() < 1.0 && pose["score"].as_f64() > Some(0.7), "{line}");
        assert_eq!(line["measurements"].as_array().map(Vec::len), Some(3));
    }
    let config = line();
    save(&Scene::new(&config).picture(&[], 3.0, 9).0, &workshop.path("empty.png"));
    let (code, lines, said) = plumb(&["align", "try", "empty.png"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(lines.contains("empty.png  not found, best score"), "{lines}");
    assert!(said.contains("found in 0 of 1 pictures"), "{said}");
}

/// Every problem that the config tells of `recipe`.
fn problems(station: &str, recipe: &str) -> String {
    let (workshop, _) = workshop(recipe, 0);
    workshop.write("station.toml", station);
    match config::read(&workshop.path("station.toml")) {
        Ok(_) => String::new(),
        Err(problems) => problems.to_string(),
    }
}

#[test]
fn everything_wrong_with_what_is_searched_and_measured_is_told_at_once() {
    let wrong = RECIPE
        .replace(
            "part_px = [40, 40, 240, 160]",
            "part_px = [40, 40, 340, 160]\nscore_min = 2\nsearch_deg = -1",
        )
        .replace("to_px = [57, 120]", "to_px = [37, 120]")
        .replace("name = \"pack\"\nkind = \"area\"", "name = \"corner\"\nkind = \"area\"")
        .replace("measure = \"length\"", "measure = \"lenght\"");
    let told = problems(STATION, &wrong);
    for expected in [
        "part_px: the part box [40, 40, 340, 160] reaches beyond its 320x240 reference picture",
        "score_min is 2; it can be 0.1 to 0.99",
        "search_deg is -1; it can be 0 to 180",
        "measure \"length\": `a`: a scan line from from_px to to_px is 1.0 px long; it can be 8 to 4096",
        "a second measure is called \"corner\"",
    ] {
        assert!(told.contains(expected.trim_start_matches("part_px: ")), "wanted\n  {expected}\ngot\n{told}");
    }
    let one = |from: &str, to: &str| problems(STATION, &RECIPE.replace(from, to));
    let rows = [
        (
            "measure = \"length\"",
            "measure = \"lenght\"",
            "is about measure \"lenght\", which the recipe lacks\n    hint: did you mean \"length\"?",
        ),
        (
            "measure = \"length\"",
            "measure = \"pack\"",
            "\"pack\" is an area\n    hint: give it limits in mm2 or px2",
        ),
        (
            "../reference.png",
            "../nowhere.png",
            "hint: `plumb align teach` writes it from a picture of a good part",
        ),
        ("part_px = [40", "camera = \"side\"\npart_px = [40", "there is no camera \"side\""),
        ("to_px = [160, 62]", "to_px = [160, -64]", "beyond its 320x240 reference"),
        ("kind = \"angle\"", "kind = \"angel\"", "angel"),
        ("nominal_mm = 33\n", "", "has tolerance_mm without nominal_mm; give both"),
        (
            "part_px = [40, 40, 240, 160]\n\n",
            "part_pix = [40, 40, 240, 160]\n\n",
            "there is no key \"part_pix\" here",
        ),
    ];
    for (from, to, expected) in rows {
        let told = one(from, to);
        assert!(told.contains(expected), "wanted\n  {expected}\ngot\n{told}");
    }
    let scaleless = problems(&STATION.replace("mm_per_px = [0.15, 0.15]\n", ""), RECIPE);
    assert!(scaleless.contains("has a limit in mm, but camera \"top\" has no scale"), "{scaleless}");
}
