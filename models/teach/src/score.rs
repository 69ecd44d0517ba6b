//! From the distances of a picture's cells to one number for the picture.

/// The share of a picture's cells that its score is the mean of: the worst. One cell alone would be noise, and a scratch
/// has several.
pub const WORST_SHARE: f64 = 0.01;

/// How many of `cells` that is; at least one.
pub fn worst(cells: usize) -> usize {
    ((cells as f64 * WORST_SHARE).round() as usize).clamp(1, cells.max(1))
}

/// The mean of the worst of `distances`; 0 of none.
pub fn image_score(distances: &[f32]) -> f32 {
    if distances.is_empty() {
        return 0.0;
    }
    let mut sorted = distances.to_vec();
    let count = worst(sorted.len());
    let (above, least, _) = sorted.select_nth_unstable_by(count - 1, |a, b| b.total_cmp(a));
    (above.iter().sum::<f32>() + *least) / count as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_score_is_the_mean_of_the_worst_hundredth() {
        let distances: Vec<f32> = (0..400).rev().map(|i| i as f32).collect();
        assert_eq!(image_score(&distances), (399.0 + 398.0 + 397.0 + 396.0) / 4.0);
        assert_eq!(image_score(&[2.0, 3.0]), 3.0);
        assert_eq!(image_score(&[]), 0.0);
    }
}
