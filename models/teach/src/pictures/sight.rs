//! What is kept of a picture to compare it with others: how bright, how sharp, and a small grey copy.

/// The longer side of the small copy, px.
const SMALL: usize = 64;

/// A picture at a glance.
#[derive(Clone, Debug, PartialEq)]
pub struct Sight {
    /// The file, or the part.
    pub name: String,
    /// Mean grey level, 0..=255.
    pub brightness: f32,
    /// Variance of the Laplacian of the grey levels (Pech-Pacheco et al. 2000): what focus changes most.
    pub sharpness: f32,
    /// Grey levels of the small copy, row by row.
    pub(crate) small: Vec<f32>,
    /// Its width.
    pub(crate) width: usize,
}

impl Sight {
    /// Of `bytes`, row by row, `channels` a px (1, or 3 as red, green, blue), `width` px wide.
    pub fn of(name: impl Into<String>, bytes: &[u8], width: usize, channels: usize) -> Self {
        let grey: Vec<f32> = match channels {
            3 => bytes
                .chunks_exact(3)
                .map(|px| 0.299 * f32::from(px[0]) + 0.587 * f32::from(px[1]) + 0.114 * f32::from(px[2]))
                .collect(),
            _ => bytes.iter().map(|px| f32::from(*px)).collect(),
        };
        let (width, height) = (width.max(1), grey.len() / width.max(1));
        let (small, small_width) = shrunk(&grey, width, height);
        Self {
            name: name.into(),
            brightness: grey.iter().sum::<f32>() / grey.len().max(1) as f32,
            sharpness: laplacian(&grey, width, height),
            small,
            width: small_width,
        }
    }

    /// Root of the mean squared difference of the small copies, grey levels.
    pub(crate) fn apart(&self, other: &Self) -> f32 {
        let squares: f32 = self.small.iter().zip(&other.small).map(|(a, b)| (a - b) * (a - b)).sum();
        (squares / self.small.len().max(1) as f32).sqrt()
    }
}

fn shrunk(grey: &[f32], width: usize, height: usize) -> (Vec<f32>, usize) {
    let block = width.max(height).div_ceil(SMALL).max(1);
    let (columns, rows) = ((width / block).max(1), (height / block).max(1));
    let mut small = Vec::with_capacity(columns * rows);
    for row in 0..rows {
        for column in 0..columns {
            let (mut sum, mut count) = (0.0, 0.0_f32);
            for y in row * block..((row + 1) * block).min(height) {
                for x in column * block..((column + 1) * block).min(width) {
                    sum += grey[y * width + x];
                    count += 1.0;
                }
            }
            small.push(sum / count.max(1.0));
        }
    }
    (small, columns)
}

fn laplacian(grey: &[f32], width: usize, height: usize) -> f32 {
    let (mut sum, mut squares, mut count) = (0.0_f64, 0.0_f64, 0.0_f64);
    for y in 1..height.saturating_sub(1) {
        for x in 1..width.saturating_sub(1) {
            let at = y * width + x;
            let value =
                f64::from(grey[at - 1] + grey[at + 1] + grey[at - width] + grey[at + width] - 4.0 * grey[at]);
            sum += value;
            squares += value * value;
            count += 1.0;
        }
    }
    let mean = sum / f64::max(count, 1.0);
    (squares / f64::max(count, 1.0) - mean * mean) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blurred_picture_is_less_sharp_and_as_bright() {
        let edge = |x: usize| if x < 16 { 40_u8 } else { 200 };
        let sharp: Vec<u8> = (0..32 * 32_usize).map(|i| edge(i % 32)).collect();
        let soft: Vec<u8> = (0..32 * 32_usize)
            .map(|i| {
                ((0..9_u8).map(|d| u32::from(edge((i % 32 + usize::from(d)).saturating_sub(4)))).sum::<u32>()
                    / 9) as u8
            })
            .collect();
        let (sharp, soft) = (Sight::of("a", &sharp, 32, 1), Sight::of("b", &soft, 32, 1));
        assert!(soft.sharpness < sharp.sharpness / 10.0, "{} {}", soft.sharpness, sharp.sharpness);
        assert!((soft.brightness - sharp.brightness).abs() < 6.0);
    }

    #[test]
    fn colours_are_weighed_and_a_tiny_picture_is_no_panic() {
        assert_eq!(Sight::of("a", &[255, 255, 255], 1, 3).brightness.round(), 255.0);
        assert_eq!(Sight::of("a", &[], 0, 3).brightness, 0.0);
    }
}
