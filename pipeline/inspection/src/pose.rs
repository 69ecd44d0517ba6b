//! Where a part lies in a frame, against where it lay in its reference picture.

use crate::{Affine, PointPx};
use serde::{Deserialize, Serialize};

/// The pose of a part that was found.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pose {
    /// Where the middle of the reference's part box lies now, in (undistorted) frame px.
    pub x: f64,
    /// Likewise, down.
    pub y: f64,
    /// Turned by so much against the reference, clockwise as the picture is seen (x towards y), in degrees.
    pub angle_deg: f64,
    /// How much larger it appears than in the reference; 1 where no scale is searched.
    pub scale: f64,
    /// Correlation with the reference, -1..=1; 1 is the very same picture up to brightness and contrast.
    pub score: f64,
}

impl Pose {
    /// Reference px → frame px, where `middle` is the middle of the part box in the reference.
    pub fn frame_from_reference(&self, middle: PointPx) -> Affine {
        let (sin, cos) = self.angle_deg.to_radians().sin_cos();
        let (c, s) = (cos * self.scale, sin * self.scale);
        let (mx, my) = (f64::from(middle.x), f64::from(middle.y));
        Affine { rows: [[c, -s, self.x - c * mx + s * my], [s, c, self.y - s * mx - c * my]] }
    }
}

/// What the search for a part came to.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Alignment {
    /// It lies there.
    Found(Pose),
    /// It is not in the searched area, or does not look like its reference. Nothing was looked at.
    NotFound {
        /// The best correlation there was, -1..=1.
        score: f64,
        /// What was asked for.
        score_min: f64,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_goes_where_the_pose_says_and_the_rest_turns_around_it() {
        let pose = Pose { x: 110.0, y: 95.0, angle_deg: 90.0, scale: 2.0, score: 1.0 };
        let map = pose.frame_from_reference(PointPx { x: 100.0, y: 100.0 });
        assert_eq!(map.apply(PointPx { x: 100.0, y: 100.0 }), PointPx { x: 110.0, y: 95.0 });
        let right = map.apply(PointPx { x: 101.0, y: 100.0 });
        assert!(
            (right.x - 110.0).abs() < 1e-4 && (right.y - 97.0).abs() < 1e-4,
            "x turns towards y: {right:?}"
        );
    }
}
