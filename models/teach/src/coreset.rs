//! The few of many points from which none of the others is far.

use crate::features::squared_distance;
use crate::scaling::Projection;

/// Numbers a point that the search itself looks at; more are projected to these. What is kept is the point as it is.
const SEARCHED: usize = 24;

/// The first `wanted` points of the greedy solution of k-center (Gonzalez 1985; PatchCore, Roth et al. 2022): each is the
/// point farthest from those before it. The first is the one farthest from the mean. Indices into `points`, in the order
/// of choice; fewer where the rest are copies of points chosen already.
///
/// `points` are `channels` numbers each, side by side. The result follows from the points and `seed` alone.
pub(crate) fn greedy(points: &[f32], channels: usize, wanted: usize, seed: u64) -> Vec<usize> {
    let count = points.len() / channels.max(1);
    if count == 0 || wanted == 0 {
        return Vec::new();
    }
    let projected;
    let (points, channels) = if channels > SEARCHED * 2 && count > wanted {
        projected = project(points, channels, seed);
        (&projected[..], SEARCHED)
    } else {
        (points, channels)
    };
    let point = |i: usize| &points[i * channels..(i + 1) * channels];
    let mut mean = vec![0.0; channels];
    for point in points.chunks_exact(channels) {
        mean.iter_mut().zip(point).for_each(|(mean, value)| *mean += value / count as f32);
    }
    let mut apart: Vec<f32> =
        points.chunks_exact(channels).map(|point| squared_distance(point, &mean)).collect();
    let mut chosen = Vec::with_capacity(wanted.min(count));
    let mut next = farthest(&apart);
    apart.fill(f32::INFINITY);
    while chosen.len() < wanted.min(count) {
        chosen.push(next);
        let centre = point(next);
        for (apart, point) in apart.iter_mut().zip(points.chunks_exact(channels)) {
            *apart = apart.min(squared_distance(point, centre));
        }
        next = farthest(&apart);
        if apart[next] == 0.0 {
            break;
        }
    }
    chosen
}

fn farthest(apart: &[f32]) -> usize {
    // Of equals the first, so that nothing depends on the order of a sort.
    apart
        .iter()
        .enumerate()
        .fold((0, f32::NEG_INFINITY), |best, (i, a)| if *a > best.1 { (i, *a) } else { best })
        .0
}

fn project(points: &[f32], channels: usize, seed: u64) -> Vec<f32> {
    let projection = Projection::random(channels, SEARCHED, seed);
    let rows: Vec<&[f32]> = projection.rows.chunks_exact(channels).collect();
    points
        .chunks_exact(channels)
        .flat_map(|point| rows.iter().map(move |row| row.iter().zip(point).map(|(a, b)| a * b).sum::<f32>()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_the_farthest_from_those_before_it() {
        let points = [0.0, 1.0, 2.0, 10.0, 11.0, 5.5];
        assert_eq!(greedy(&points, 1, 3, 1), [4, 0, 5]);
        assert_eq!(greedy(&points, 1, 99, 1).len(), 6);
        assert_eq!(greedy(&points, 1, 3, 1), greedy(&points, 1, 3, 1));
    }

    #[test]
    fn copies_are_taken_once() {
        assert_eq!(greedy(&[1.0; 50], 1, 10, 1).len(), 1);
        assert!(greedy(&[], 4, 10, 1).is_empty());
    }

    #[test]
    fn no_point_is_left_far_from_all_chosen_ones() {
        // Four heaps in 96 dimensions: four points suffice, if the projection does not confuse them.
        let points: Vec<f32> = (0..400)
            .flat_map(|i| {
                (0..96).map(move |j| if j % 4 == i % 4 { 5.0 } else { ((i * j) % 7) as f32 * 0.05 })
            })
            .collect();
        let heaps: std::collections::BTreeSet<usize> =
            greedy(&points, 96, 4, 1).into_iter().map(|point| point % 4).collect();
        assert_eq!(heaps.len(), 4);
    }
}
