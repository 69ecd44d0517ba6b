//! A part of the frame that a rule looks at: a finding counts if its centre is inside.

use plumb_inspection::{PointPx, RectPx};
use serde::{Deserialize, Serialize, de};

/// A rectangle `[x, y, w, h]` or a polygon `[[x, y], [x, y], …]`, in frame px. Its area is never 0.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Zone {
    /// Left and top edges belong to it, right and bottom do not.
    Rect(RectPx),
    /// Closed by itself: the last corner joins the first. Where it crosses itself, even-odd.
    Polygon(Vec<PointPx>),
}

impl Zone {
    /// # Errors
    /// For a rectangle without area.
    pub fn rect(rect: RectPx) -> Result<Self, ZoneError> {
        let ok = [rect.x, rect.y].iter().all(|v| v.is_finite()) && is_size(rect.w) && is_size(rect.h);
        if ok { Ok(Self::Rect(rect)) } else { Err(ZoneError::FlatRect { w: rect.w, h: rect.h }) }
    }

    /// # Errors
    /// For fewer than three corners, or corners on one line.
    pub fn polygon(corners: Vec<PointPx>) -> Result<Self, ZoneError> {
        if corners.len() < 3 {
            return Err(ZoneError::TooFewCorners { got: corners.len() });
        }
        let finite = corners.iter().all(|p| p.x.is_finite() && p.y.is_finite());
        let a = corners[0];
        let turns = |b: &PointPx, c: &PointPx| (b.x - a.x) * (c.y - a.y) != (c.x - a.x) * (b.y - a.y);
        let spread = corners.iter().any(|b| corners.iter().any(|c| turns(b, c)));
        if finite && spread { Ok(Self::Polygon(corners)) } else { Err(ZoneError::FlatPolygon) }
    }

    /// True if `p` is inside.
    pub fn contains(&self, p: PointPx) -> bool {
        match self {
            Self::Rect(rect) => rect.contains(p),
            Self::Polygon(corners) => {
                let crossed = edges(corners).filter(|(a, b)| {
                    (a.y > p.y) != (b.y > p.y) && p.x < (b.x - a.x) * (p.y - a.y) / (b.y - a.y) + a.x
                });
                crossed.count() % 2 == 1
            }
        }
    }
}

fn is_size(v: f32) -> bool {
    v.is_finite() && v > 0.0
}

fn edges(corners: &[PointPx]) -> impl Iterator<Item = (&PointPx, &PointPx)> {
    corners.iter().zip(corners.iter().cycle().skip(1))
}

/// Why a zone is none.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum ZoneError {
    /// A side of 0, negative or not a number.
    #[error("a zone [x, y, w, h] needs a width and a height above 0, but they are {w} and {h}")]
    FlatRect {
        /// Width.
        w: f32,
        /// Height.
        h: f32,
    },
    /// A polygon of a point or a line.
    #[error("a zone [[x, y], …] needs at least 3 corners, but it has {got}")]
    TooFewCorners {
        /// How many there are.
        got: usize,
    },
    /// All corners on a line, or not numbers.
    #[error("the corners of the zone lie on one line, so nothing could be inside")]
    FlatPolygon,
}

impl<'de> Deserialize<'de> for Zone {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Shape;
        impl<'de> de::Visitor<'de> for Shape {
            type Value = Zone;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a zone in frame px: a rectangle [x, y, w, h] or a polygon [[x, y], [x, y], …]")
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Zone, A::Error> {
                let (mut sides, mut corners) = (Vec::new(), Vec::new());
                while let Some(piece) = seq.next_element::<Piece>()? {
                    match piece {
                        Piece::Number(side) => sides.push(side),
                        Piece::Corner(corner) => corners.push(PointPx::from(corner)),
                    }
                }
                match (sides.as_slice(), corners.is_empty()) {
                    (&[x, y, w, h], true) => Zone::rect(RectPx { x, y, w, h }).map_err(de::Error::custom),
                    ([], false) => Zone::polygon(corners).map_err(de::Error::custom),
                    _ => Err(de::Error::custom(format!("expected {}", &self as &dyn de::Expected))),
                }
            }
        }
        deserializer.deserialize_seq(Shape)
    }
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a zone is a rectangle [x, y, w, h] or a polygon [[x, y], [x, y], …]")]
enum Piece {
    Number(f32),
    Corner([f32; 2]),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize, Serialize)]
    struct Holder {
        zone: Zone,
    }

    fn read(zone: &str) -> Result<Zone, String> {
        toml::from_str::<Holder>(&format!("zone = {zone}"))
            .map(|holder| holder.zone)
            .map_err(|e| e.to_string())
    }

    #[test]
    fn a_point_is_in_the_zone_or_not() {
        let l_shape = "[[0, 0], [10, 0], [10, 4], [4, 4.0], [4, 10], [0, 10]]";
        let bow_tie = "[[0, 0], [10, 10], [10, 0], [0, 10]]";
        let rows = [
            ("[10, 20, 30, 40]", [10.0, 20.0], true), // left and top edges belong to it
            ("[10, 20, 30, 40]", [40.0, 30.0], false), // the right edge does not
            ("[10, 20.5, 30, 40]", [25.0, 60.4], true),
            (l_shape, [2.0, 9.0], true),
            (l_shape, [9.0, 2.0], true),
            (l_shape, [6.0, 6.0], false),
            (l_shape, [-1.0, 4.0], false),
            (bow_tie, [1.0, 5.0], true),
            (bow_tie, [5.0, 1.0], false),
        ];
        for (zone, p, inside) in rows {
            assert_eq!(read(zone).unwrap().contains(p.into()), inside, "{p:?} in {zone}");
        }
    }

    #[test]
    fn a_zone_in_which_nothing_can_be_is_refused() {
        let rows = [
            ("[1, 2, 0, 4]", "width and a height above 0"),
            ("[1, 2, nan, 4]", "width and a height above 0"),
            ("[1, 2, 3]", "a rectangle [x, y, w, h] or a polygon"),
            ("[]", "a rectangle [x, y, w, h] or a polygon"),
            ("[1, [2, 3], 4]", "a rectangle [x, y, w, h] or a polygon"),
            ("[[1, 2], [3, 4]]", "at least 3 corners, but it has 2"),
            ("[[1, 1], [2, 2], [3, 3]]", "on one line"),
            ("[[1, 1], [2, 2], [4, 4], [3, 3]]", "on one line"),
            ("[[1, 1], [1, 2], [1, 3], [1, 0]]", "on one line"),
            ("'left'", "a zone in frame px"),
        ];
        for (zone, says) in rows {
            let error = read(zone).unwrap_err();
            assert!(error.contains(says), "{zone}: {error}");
        }
    }

    #[test]
    fn a_zone_is_written_as_it_is_read() {
        for zone in ["[1.0, 2.0, 3.0, 4.0]", "[[0.0, 0.0], [4.0, 0.0], [0.0, 4.0]]"] {
            let written = toml::to_string(&Holder { zone: read(zone).unwrap() }).unwrap();
            assert_eq!(written.trim(), format!("zone = {zone}"));
        }
    }
}
