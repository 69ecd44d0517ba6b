//! Writes pictures of parts with their masks, for training and for looking at.
//!
//! ```text
//! cargo run -p plumb-line --release --example dataset -- --product washer --seeds 1..9 --parts 500 --share 0.6 --out parts/
//! ```
//! For each part: `<seed>-<index>.png` (the picture), `<seed>-<index>.mask.png` (one class id a px) and a line of
//! `parts.jsonl` with its ground truth. Each part is exposed 0 to 12 ms late, as on a line; `--late-ms 0 --jitter-px 0
//! --jitter-deg 0` holds the part still, as a fixture does (a washer lies turned every way all the same).

use std::{collections::HashMap, error::Error, fs, io::Write, path::PathBuf};

use image::{GrayImage, RgbImage};
use plumb_line::{DefectKind, LineConfig, Part, Product, Scene, render};

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let given: HashMap<&str, &str> = args.chunks_exact(2).map(|w| (w[0].as_str(), w[1].as_str())).collect();
    let get = |key: &str, default: &'static str| given.get(key).copied().unwrap_or(default).to_owned();

    let product = match get("--product", "washer").as_str() {
        "washer" => Product::Washer,
        "blister_pack" => Product::BlisterPack,
        other => return Err(format!("--product {other}: expected washer or blister_pack").into()),
    };
    let seeds = get("--seeds", "1..2");
    let (from, to) = seeds.split_once("..").ok_or("--seeds: expected FROM..TO, TO not included")?;
    let out = PathBuf::from(get("--out", "parts"));
    fs::create_dir_all(&out)?;
    let mut list = std::io::BufWriter::new(fs::File::create(out.join("parts.jsonl"))?);
    let late_ms_max: f64 = get("--late-ms", "12").parse()?;
    let defects = given
        .get("--kind")
        .map(|name| DefectKind::ALL.into_iter().filter(|kind| kind.name() == *name).collect::<Vec<_>>());

    for seed in from.parse::<u64>()?..to.parse()? {
        let config = LineConfig {
            product,
            seed,
            defect_share: get("--share", "0.5").parse()?,
            defects: defects.clone().unwrap_or_default(),
            noise: get("--noise", "2.5").parse()?,
            uneven_light: get("--uneven", "0.3").parse()?,
            pose_jitter_px: get("--jitter-px", "6").parse()?,
            pose_jitter_deg: get("--jitter-deg", "3").parse()?,
            ..LineConfig::default()
        };
        let scene = Scene::new(&config);
        for index in 0..get("--parts", "100").parse()? {
            let part = Part::draw(&config, index);
            let late_ms =
                (index.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 11) as f64 / 2f64.powi(53) * late_ms_max;
            let along_mm = config.speed_mm_s() * late_ms / 1000.0 - config.camera_mm;
            let pose = part.pose(&config, (along_mm / config.mm_per_px) as f32);
            let (picture, mask) = render(&scene, &part, pose, seed << 32 | index);
            let name = format!("{seed}-{index}");
            let rgb = picture.bytes().chunks_exact(3).flat_map(|p| [p[2], p[1], p[0]]).collect();
            RgbImage::from_raw(picture.width(), picture.height(), rgb)
                .ok_or("a picture is not its own size")?
                .save(out.join(format!("{name}.png")))?;
            GrayImage::from_raw(mask.width(), mask.height(), mask.classes().to_vec())
                .ok_or("a mask is not its own size")?
                .save(out.join(format!("{name}.mask.png")))?;
            let truth = part.truth(pose, config.mm_per_px as f32);
            let line = serde_json::json!({ "name": name, "good": truth.good, "defects": truth.defects });
            writeln!(list, "{line}")?;
        }
    }
    Ok(())
}
