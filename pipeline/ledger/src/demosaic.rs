//! Bayer mosaic → colour, bilinear: for a picture to look at, not to measure in.

use plumb_inspection::{Image, PixelFormat};

/// Red, green, blue, three bytes a pixel, rows packed. `image` must be a Bayer mosaic.
///
/// Each missing colour is the mean of its nearest neighbours; beyond the border the mosaic is mirrored.
pub(crate) fn demosaic(image: &Image) -> Vec<u8> {
    let (width, height) = (image.width() as usize, image.height());
    let (red_x, red_y) = red_site(image.format());
    let mut rgb = Vec::with_capacity(width * height as usize * 3);
    for y in 0..height {
        let [above, here, below] =
            [before(y as usize, height as usize), y as usize, after(y as usize, height as usize)]
                .map(|y| image.row(y as u32));
        let red_row = y as usize % 2 == red_y;
        for x in 0..width {
            let (left, right) = (before(x, width), after(x, width));
            let sides = mean([here[left], here[right]]);
            let ends = mean([above[x], below[x]]);
            let cross = mean([here[left], here[right], above[x], below[x]]);
            let corners = mean([above[left], above[right], below[left], below[right]]);
            rgb.extend(match (red_row, x % 2 == red_x) {
                (true, true) => [here[x], cross, corners],
                (true, false) => [sides, here[x], ends],
                (false, true) => [ends, here[x], sides],
                (false, false) => [corners, cross, here[x]],
            });
        }
    }
    rgb
}

/// Column and row, 0 or 1, of the red site in the mosaic's first 2×2.
fn red_site(format: PixelFormat) -> (usize, usize) {
    match format {
        PixelFormat::BayerGrbg => (1, 0),
        PixelFormat::BayerGbrg => (0, 1),
        PixelFormat::BayerBggr => (1, 1),
        _ => (0, 0),
    }
}

/// Mirrored at the border, which keeps the colour of the site.
fn before(i: usize, len: usize) -> usize {
    i.checked_sub(1).unwrap_or(1).min(len - 1)
}

fn after(i: usize, len: usize) -> usize {
    if i + 1 < len { i + 1 } else { len.saturating_sub(2) }
}

fn mean<const N: usize>(values: [u8; N]) -> u8 {
    let sum: usize = values.iter().map(|&v| usize::from(v)).sum();
    ((sum + N / 2) / N) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORMATS: [PixelFormat; 4] =
        [PixelFormat::BayerRggb, PixelFormat::BayerGrbg, PixelFormat::BayerGbrg, PixelFormat::BayerBggr];

    /// What a camera with this mosaic sees of a scene.
    fn mosaic(format: PixelFormat, w: usize, h: usize, scene: impl Fn(usize, usize) -> [u8; 3]) -> Image {
        let (red_x, red_y) = red_site(format);
        let site = |x: usize, y: usize| usize::from(x % 2 != red_x) + usize::from(y % 2 != red_y);
        let pixels =
            (0..h).flat_map(|y| (0..w).map(move |x| (x, y))).map(|(x, y)| scene(x, y)[site(x, y)]).collect();
        Image::packed(w as u32, h as u32, format, pixels).expect("packed")
    }

    #[test]
    fn an_even_colour_comes_back_exactly_in_every_mosaic() {
        for format in FORMATS {
            let rgb = demosaic(&mosaic(format, 7, 5, |_, _| [200, 120, 30]));
            assert!(rgb.chunks(3).all(|px| px == [200, 120, 30]), "{format:?}");
        }
    }

    #[test]
    fn a_slope_comes_back_within_a_step_away_from_the_border() {
        let scene = |x: usize, y: usize| [(x * 4) as u8, (y * 4) as u8, (x * 2 + y * 2) as u8];
        for format in FORMATS {
            let rgb = demosaic(&mosaic(format, 32, 24, scene));
            for (i, px) in rgb.chunks(3).enumerate() {
                let (x, y) = (i % 32, i / 32);
                if (1..31).contains(&x) && (1..23).contains(&y) {
                    let off = px.iter().zip(scene(x, y)).map(|(&a, b)| a.abs_diff(b)).max();
                    assert!(off <= Some(1), "{format:?} at {x},{y}: {px:?}");
                }
            }
        }
    }

    #[test]
    fn a_picture_of_one_row_or_column_does_not_reach_outside() {
        for (w, h) in [(1, 1), (1, 4), (4, 1), (2, 2)] {
            assert_eq!(demosaic(&mosaic(FORMATS[0], w, h, |_, _| [9; 3])).len(), w * h * 3);
        }
    }
}
