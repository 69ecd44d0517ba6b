//! Pictures and their ground truth agree, and neither depends on when anybody looks.

use plumb_line::{ClassMask, DefectKind, LineConfig, Part, Product, Scene, render};

fn quiet(product: Product, kind: DefectKind, seed: u64) -> LineConfig {
    LineConfig { product, seed, noise: 0.0, defect_share: 1.0, defects: vec![kind], ..LineConfig::default() }
}

fn every_product_and_kind() -> impl Iterator<Item = (Product, DefectKind)> {
    [Product::Washer, Product::BlisterPack]
        .into_iter()
        .flat_map(|product| DefectKind::ALL.into_iter().map(move |kind| (product, kind)))
}

/// Px whose value differs by more than `levels` in any channel.
fn changed(a: &plumb_inspection::Image, b: &plumb_inspection::Image, levels: u8) -> Vec<bool> {
    let px = |image: &plumb_inspection::Image| image.bytes().to_vec();
    let (a, b) = (px(a), px(b));
    a.chunks_exact(3)
        .zip(b.chunks_exact(3))
        .map(|(a, b)| a.iter().zip(b).any(|(a, b)| a.abs_diff(*b) > levels))
        .collect()
}

/// True if a px within `reach` of `i` is in the mask.
fn near(mask: &ClassMask, i: usize, reach: i64) -> bool {
    let (w, h) = (i64::from(mask.width()), i64::from(mask.height()));
    let (x, y) = (i as i64 % w, i as i64 / w);
    (-reach..=reach).any(|dy| {
        (-reach..=reach).any(|dx| {
            let (x, y) = (x + dx, y + dy);
            (0..w).contains(&x) && (0..h).contains(&y) && mask.classes()[(y * w + x) as usize] != 0
        })
    })
}

#[test]
fn the_mask_is_where_the_picture_changed() {
    for (product, kind) in every_product_and_kind() {
        let (mut missed, mut differ, mut idle, mut masked) = (0, 0, 0, 0);
        for seed in 0..3 {
            let config = quiet(product, kind, seed);
            let scene = Scene::new(&config);
            for index in 0..6 {
                let part = Part::draw(&config, index);
                let pose = part.pose(&config, 0.0);
                let (spoilt, mask) = render(&scene, &part, pose, 7);
                let (sound, none) = render(&scene, &part.mended(), pose, 7);
                assert!(none.classes().iter().all(|c| *c == 0), "a mended {product:?} has a mask");
                assert!(mask.area_px(kind) >= 8, "{product:?} {kind} seed {seed} part {index} shows nothing");
                let change = changed(&spoilt, &sound, 10);
                for (i, changed) in change.iter().enumerate() {
                    // 5 px: shadows and chamfers move with the edge they belong to.
                    differ += usize::from(*changed);
                    missed += usize::from(*changed && !near(&mask, i, 5));
                    masked += usize::from(mask.classes()[i] != 0);
                    idle += usize::from(mask.classes()[i] != 0 && !changed);
                }
            }
        }
        let share = |n: usize, of: usize| n as f64 / of as f64;
        // A larger washer throws its shadow further than 5 px from its new edge; the belt there is nearly black.
        assert!(
            share(missed, differ) < 0.06,
            "{product:?} {kind}: {missed} of {differ} changed px are far off the mask"
        );
        assert!(share(idle, masked) < 0.45, "{product:?} {kind}: {idle} of {masked} mask px look the same");
    }
}

#[test]
fn a_box_holds_its_mask() {
    for (product, kind) in every_product_and_kind() {
        for seed in 0..20 {
            let config = quiet(product, kind, seed);
            let part = Part::draw(&config, seed * 3);
            let pose = part.pose(&config, 4.0);
            let (_, mask) = render(&Scene::new(&config), &part, pose, 1);
            let truth = part.truth(pose, config.mm_per_px as f32);
            assert!(!truth.good);
            let seen = mask.box_of(kind).unwrap_or_else(|| panic!("{product:?} {kind} {seed} shows nothing"));
            let (mut x0, mut y0, mut x1, mut y1) = (f32::MAX, f32::MAX, f32::MIN, f32::MIN);
            for b in truth.defects.iter().map(|d| d.box_px) {
                (x0, y0, x1, y1) = (x0.min(b.x), y0.min(b.y), x1.max(b.right()), y1.max(b.bottom()));
            }
            let slack = 3.0;
            assert!(
                seen.x >= x0 - slack
                    && seen.y >= y0 - slack
                    && seen.right() <= x1 + slack
                    && seen.bottom() <= y1 + slack,
                "{product:?} {kind} {seed}: mask {seen:?} outside ({x0} {y0} {x1} {y1})"
            );
        }
    }
}

#[test]
fn the_same_arguments_give_the_same_picture_and_another_seed_another_one() {
    let config = LineConfig { product: Product::BlisterPack, ..LineConfig::default() };
    let picture = |config: &LineConfig, index| {
        let part = Part::draw(config, index);
        render(&Scene::new(config), &part, part.pose(config, 0.0), 5).0.bytes().to_vec()
    };
    assert_eq!(picture(&config, 3), picture(&config, 3));
    assert_ne!(picture(&config, 3), picture(&config, 4));
    assert_ne!(picture(&config, 3), picture(&LineConfig { seed: 2, ..config.clone() }, 3));
}

#[test]
fn other_defects_leave_a_parts_looks_alone() {
    let with = |share| LineConfig { defect_share: share, ..LineConfig::default() };
    for index in 0..50 {
        assert_eq!(Part::draw(&with(1.0), index).mended(), Part::draw(&with(0.0), index));
    }
}

#[test]
fn the_share_of_defective_parts_is_the_one_asked_for_and_every_kind_occurs() {
    let config = LineConfig::default();
    let parts: Vec<_> = (0..5000).map(|index| Part::draw(&config, index)).collect();
    let bad = parts.iter().filter(|part| !part.is_good()).count();
    assert!((420..580).contains(&bad), "{bad} of 5000 at a share of 0.1"); // ± 4 sigma
    for kind in DefectKind::ALL {
        assert!(parts.iter().any(|part| part.kinds().any(|k| k == kind)), "no {kind} in 5000 parts");
    }
}

#[test]
fn noise_has_the_spread_asked_for() {
    let config = LineConfig { noise: 4.0, uneven_light: 0.0, ..LineConfig::default() };
    let scene = Scene::new(&config);
    let part = Part::draw(&config, 0).mended();
    let pose = part.pose(&config, 0.0);
    let belt = 640.0;
    let (a, _) = scene.picture(&[(&part, pose)], belt, 1);
    let (b, _) = scene.picture(&[(&part, pose)], belt, 2);
    let d: Vec<f64> = a.bytes().iter().zip(b.bytes()).map(|(a, b)| f64::from(*a) - f64::from(*b)).collect();
    let sigma = (d.iter().map(|d| d * d).sum::<f64>() / d.len() as f64 / 2.0).sqrt();
    assert!((sigma - 4.0).abs() < 0.2, "sigma {sigma}");
}
