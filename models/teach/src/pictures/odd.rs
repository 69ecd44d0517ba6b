//! Pictures that stand out among the good ones: a bad part, a blurred picture, one that lies askew. Shown before they
//! poison what is learned.

use super::Sight;

/// Robust standard deviations above the middle from which a part is odd among the others. At 4 a bell curve has one part in
/// 30 000; scores of good parts are no bell curve, and one in some hundreds is seen.
const ODD_FROM: f32 = 4.0;

/// A picture whose sharpness is below this share of the middle one's, and far out as well, is blurred.
const BLURRED_BELOW: f32 = 0.5;

/// Grey levels of brightness that are nobody's business.
const DIM: f32 = 8.0;

/// So many robust deviations of how far parts usually lie aside is another place.
const MOVED_FROM: f32 = 2.5;

/// How far the small copies are shifted against each other, px of the copy.
const SHIFT_MAX: isize = 6;

/// One bell curve's standard deviation is so many times its median absolute deviation.
const DEVIATION_OF_MEDIAN: f32 = 1.4826;

/// Why somebody had better look at a good picture again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Doubt {
    /// Held against the others it looks like no good part: so many robust deviations above the middle.
    Odd {
        /// How far out, robust standard deviations.
        deviations: f32,
    },
    /// Out of focus, or it moved.
    Blurred {
        /// Its sharpness as a share of the middle one's.
        of_middle: f32,
    },
    /// Much lighter or darker than the others.
    Light {
        /// Grey levels above the middle one; negative for darker.
        grey_levels: f32,
    },
    /// It lies elsewhere than the others.
    Moved {
        /// To the right, share of the picture's width.
        right: f32,
        /// Down, share of the picture's width.
        down: f32,
    },
}

/// Doubts about each picture, with its index, worst first within a kind. `scores` are those of memories that had not seen the
/// part, for each way of scoring one a picture in the order of `sights`.
pub fn doubts(sights: &[Sight], scores: &[Vec<f32>]) -> Vec<(usize, Doubt)> {
    let mut found = Vec::new();
    let mut farthest = vec![f32::NEG_INFINITY; sights.len()];
    for deviations in scores.iter().map(|scores| outliers(scores)) {
        farthest
            .iter_mut()
            .zip(deviations)
            .for_each(|(farthest, deviation)| *farthest = farthest.max(deviation));
    }
    let odd = farthest.into_iter().enumerate().filter(|(_, deviations)| *deviations >= ODD_FROM);
    found.extend(odd.map(|(i, deviations)| (i, Doubt::Odd { deviations })));
    let sharpness: Vec<f32> = sights.iter().map(|sight| sight.sharpness.max(1e-6).ln()).collect();
    let middle = median(&sharpness);
    for (i, deviations) in outliers(&sharpness).into_iter().enumerate() {
        let of_middle = (sharpness[i] - middle).exp();
        if of_middle < BLURRED_BELOW && deviations <= -ODD_FROM {
            found.push((i, Doubt::Blurred { of_middle }));
        }
    }
    let brightness: Vec<f32> = sights.iter().map(|sight| sight.brightness).collect();
    let middle = median(&brightness);
    for (i, deviations) in outliers(&brightness).into_iter().enumerate() {
        let grey_levels = brightness[i] - middle;
        if grey_levels.abs() > DIM && deviations.abs() > ODD_FROM {
            found.push((i, Doubt::Light { grey_levels }));
        }
    }
    found.extend(moved(sights));
    let weight = |doubt: &Doubt| match *doubt {
        Doubt::Odd { deviations } => (0, -deviations),
        Doubt::Blurred { of_middle } => (1, of_middle),
        Doubt::Light { grey_levels } => (2, -grey_levels.abs()),
        Doubt::Moved { right, down } => (3, -right.hypot(down)),
    };
    found.sort_by(|(_, a), (_, b)| {
        let ((kind_a, a), (kind_b, b)) = (weight(a), weight(b));
        kind_a.cmp(&kind_b).then(a.total_cmp(&b))
    });
    found
}

/// How far each value is from the middle one, in robust standard deviations (median and median absolute deviation; Hampel
/// 1974). Where most are equal, the scale is a hundredth of the middle value.
fn outliers(values: &[f32]) -> Vec<f32> {
    let middle = median(values);
    let apart: Vec<f32> = values.iter().map(|value| (value - middle).abs()).collect();
    let deviation = (median(&apart) * DEVIATION_OF_MEDIAN).max(middle.abs() * 0.01).max(f32::MIN_POSITIVE);
    values.iter().map(|value| (value - middle) / deviation).collect()
}

fn median(values: &[f32]) -> f32 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f32::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(0.0)
}

/// Pictures that fit the middle one best when they are shifted.
fn moved(sights: &[Sight]) -> Vec<(usize, Doubt)> {
    let Some(first) = sights.first().filter(|_| sights.len() >= 5) else { return Vec::new() };
    let (length, width) = (first.small.len(), first.width.max(1));
    if sights.iter().any(|sight| sight.small.len() != length || sight.width != first.width) {
        return Vec::new();
    }
    let middle: Vec<f32> = (0..length)
        .map(|px| median(&sights.iter().map(|sight| sight.small[px]).collect::<Vec<_>>()))
        .collect();
    let height = length / width;
    let shifts: Vec<(f32, f32)> =
        sights.iter().map(|sight| shift(&sight.small, &middle, width, height)).collect();
    let (rights, downs): (Vec<f32>, Vec<f32>) = shifts.iter().copied().unzip();
    let (right, down) = (median(&rights), median(&downs));
    let far: Vec<f32> = shifts.iter().map(|(x, y)| (x - right).hypot(y - down)).collect();
    // Half a px of a small copy is what a shift is found to; two are beyond doubt, unless the others lie about as widely.
    let usual = (median(&far) * DEVIATION_OF_MEDIAN).max(0.5);
    let is_far = |far: &f32| *far >= 2.0 && *far > MOVED_FROM * usual;
    let share = |px: f32| px / width as f32;
    far.iter()
        .enumerate()
        .filter(|(_, far)| is_far(far))
        .map(|(i, _)| (i, Doubt::Moved { right: share(rights[i] - right), down: share(downs[i] - down) }))
        .collect()
}

/// By how many px `picture` lies right and down of where it fits `reference` best.
fn shift(picture: &[f32], reference: &[f32], width: usize, height: usize) -> (f32, f32) {
    let mut best = (f32::INFINITY, (0.0, 0.0));
    let reach = |side: usize| SHIFT_MAX.min(side as isize / 4);
    for down in -reach(height)..=reach(height) {
        for right in -reach(width)..=reach(width) {
            let (mut sum, mut count) = (0.0_f32, 0.0_f32);
            for y in 0..height {
                let Some(at) = y.checked_add_signed(down).filter(|at| *at < height) else { continue };
                for x in 0..width {
                    let Some(column) = x.checked_add_signed(right).filter(|at| *at < width) else { continue };
                    sum += (picture[at * width + column] - reference[y * width + x]).powi(2);
                    count += 1.0;
                }
            }
            // Of equals the smallest shift.
            let far = sum / count.max(1.0) + 1e-3 * (right * right + down * down) as f32;
            if far < best.0 {
                best = (far, (right as f32, down as f32));
            }
        }
    }
    best.1
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A bright square on noise, shifted, blurred or lit otherwise.
    fn picture(seed: usize, right: usize, gain: f32, soft: bool) -> Sight {
        let noise = |x: usize, y: usize| ((x * 73 + y * 151 + seed * 1009) % 17) as f32;
        let level = |x: usize, y: usize| {
            if (24 + right..40 + right).contains(&x) && (16..32).contains(&y) { 160.0 } else { 40.0 }
        };
        let px = |x: usize, y: usize| level(x, y) + noise(x, y);
        let at = |x: usize, y: usize| match soft {
            false => px(x, y),
            true => {
                let around =
                    (0..25).map(|d| px((x + d % 5).saturating_sub(2), (y + d / 5).saturating_sub(2)));
                around.sum::<f32>() / 25.0
            }
        };
        let bytes: Vec<u8> = (0..64 * 48).map(|i| (at(i % 64, i / 64) * gain).min(255.0) as u8).collect();
        Sight::of(seed.to_string(), &bytes, 64, 1)
    }

    #[test]
    fn each_kind_of_picture_that_stands_out_is_named_and_no_other() {
        let mut sights: Vec<Sight> = (0..20).map(|seed| picture(seed, seed % 2, 1.0, false)).collect();
        sights[3] = picture(3, 5, 1.0, false);
        sights[8] = picture(8, 0, 1.0, true);
        sights[12] = picture(12, 0, 1.4, false);
        let mut scores: Vec<f32> = (0..20).map(|i| 1.0 + 0.01 * (i % 5) as f32).collect();
        scores[17] = 1.5;
        let found = doubts(&sights, &[scores]);
        let named: Vec<usize> = found.iter().map(|(i, _)| *i).collect();
        assert_eq!(named, [17, 8, 12, 3], "{found:?}");
        assert!(matches!(found[3].1, Doubt::Moved { right, .. } if right > 0.04), "{found:?}");
    }

    #[test]
    fn equal_pictures_are_no_reason_for_doubt() {
        let sights: Vec<Sight> = (0..10).map(|_| picture(1, 0, 1.0, false)).collect();
        assert_eq!(doubts(&sights, &[vec![1.0; 10]]), []);
        assert_eq!(doubts(&[], &[]), []);
    }
}
