//! Measurements in the picture itself, each with its standard uncertainty; where the part was found, they follow it.

use crate::{
    caliper::{Caliper, Circle, Line, Outside, Pick, Polarity, RoundCaliper, edge_on},
    grey::View,
};
use plumb_inspection::{Affine, Dimension, Image, Lens, Measurement, MmPerPx, RectPx, Value};
use serde::{Deserialize, Serialize};

/// Of a caliper's scan lines this share, 0..=1, must show the edge.
const SHOWN_MIN: f64 = 0.5;
/// Standard uncertainty of a found part's place along one axis, in px, as renders of known pose show it (`tests/part`):
/// the worst of 60 is 0.02 px off. What is measured from edge to edge does not feel it; a position does.
const U_POSE_PX: f64 = 0.01;
/// What stands out less from its surroundings, in grey levels of 255, is noise.
const CONTRAST_MIN: f64 = 12.0;

/// One thing to measure in one camera's view.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gauge {
    /// Its name in rules and records.
    pub name: String,
    /// What it is, and where.
    #[serde(flatten)]
    pub quantity: Quantity,
}

/// What can be measured. Places are in px of the reference picture, or of the frame where nothing is aligned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Quantity {
    /// From one straight edge to another about parallel to it.
    Length {
        /// Across the one.
        a: Caliper,
        /// Across the other.
        b: Caliper,
    },
    /// Between two straight edges, 0..=90 degrees.
    Angle {
        /// Across the one.
        a: Caliper,
        /// Across the other.
        b: Caliper,
    },
    /// Of a round edge.
    Diameter {
        /// Across it.
        round: RoundCaliper,
    },
    /// From one round edge's middle to another's.
    Spacing {
        /// The one.
        a: RoundCaliper,
        /// The other.
        b: RoundCaliper,
    },
    /// How far a straight edge lies from where its caliper begins, along the caliper.
    Position {
        /// Across it.
        edge: Caliper,
    },
    /// Of what is brighter (or darker) than its surroundings within a rectangle.
    Area {
        /// Around it, with some of its surroundings.
        rect_px: RectPx,
        /// What is dark is measured.
        #[serde(default)]
        dark: bool,
    },
}

/// What is known of mm in a frame.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scale {
    /// The part's plane; `None` measures in px alone.
    pub known: Option<Plane>,
    /// Why what is measured does not count as calibrated; `None` if it does.
    pub uncalibrated: Option<String>,
}

/// How a place in px becomes one in mm, and how well that is known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plane {
    /// Along x and y.
    pub mm_per_px: MmPerPx,
    /// Standard uncertainty of both, relative: 0.001 is 0.1 %.
    pub u_relative: f64,
}

impl Quantity {
    /// What kind of number it is.
    pub fn dimension(&self) -> Dimension {
        match self {
            Self::Length { .. } | Self::Diameter { .. } | Self::Spacing { .. } | Self::Position { .. } => {
                Dimension::Length
            }
            Self::Angle { .. } => Dimension::Angle,
            Self::Area { .. } => Dimension::Area,
        }
    }
}

impl Gauge {
    /// Why it cannot be measured in any frame, in sentences.
    pub fn problems(&self) -> Vec<String> {
        let named = |key: &str, problem: Option<String>| problem.map(|says| format!("`{key}`: {says}"));
        match &self.quantity {
            Quantity::Length { a, b } | Quantity::Angle { a, b } => {
                [named("a", a.problem()), named("b", b.problem())].into_iter().flatten().collect()
            }
            Quantity::Diameter { round } => named("round", round.problem()).into_iter().collect(),
            Quantity::Spacing { a, b } => {
                [named("a", a.problem()), named("b", b.problem())].into_iter().flatten().collect()
            }
            Quantity::Position { edge } => named("edge", edge.problem()).into_iter().collect(),
            Quantity::Area { rect_px, .. } => {
                let [x, y, w, h] = (*rect_px).into();
                let sane = x.is_finite() && y.is_finite() && w >= 4.0 && h >= 4.0 && w * h <= 1e8;
                (!sane)
                    .then(|| "rect_px needs a width and height of 4 px or more".to_owned())
                    .into_iter()
                    .collect()
            }
        }
    }

    /// Where it looks, in px of the reference: the ends of its scan lines, or the corners of its rectangle.
    pub fn places(&self) -> Vec<[f64; 2]> {
        let ends = |lines: Vec<[[f64; 2]; 2]>| lines.into_iter().flatten();
        match &self.quantity {
            Quantity::Length { a, b } | Quantity::Angle { a, b } => {
                ends(a.scan_lines()).chain(ends(b.scan_lines())).collect()
            }
            Quantity::Diameter { round } => ends(round.scan_lines()).collect(),
            Quantity::Spacing { a, b } => ends(a.scan_lines()).chain(ends(b.scan_lines())).collect(),
            Quantity::Position { edge } => ends(edge.scan_lines()).collect(),
            Quantity::Area { rect_px: r, .. } => {
                [[r.x, r.y], [r.right(), r.y], [r.x, r.bottom()], [r.right(), r.bottom()]]
                    .map(|place| place.map(f64::from))
                    .to_vec()
            }
        }
    }

    /// Measures it in a frame, where the part lies as `frame_from_reference` says (`None`: nothing is aligned).
    /// Never an error: what cannot be measured says why, and no rule is content with that.
    pub fn measure(
        &self,
        image: &Image,
        lens: Option<&Lens>,
        frame_from_reference: Option<&Affine>,
        scale: &Scale,
    ) -> Measurement {
        let (name, of) = (self.name.as_str(), self.quantity.dimension());
        let map = frame_from_reference.unwrap_or(&Affine::IDENTITY);
        let places = self.places().into_iter().map(|place| moved(map, place));
        let view = match View::around(image, lens, places) {
            Ok(Some(view)) => view,
            Ok(None) => return Measurement::none(name, of, "it lies outside the frame"),
            Err(error) => {
                return Measurement::none(name, of, format!("OpenCV could not read the frame: {error}"));
            }
        };
        let picture = Picture { view, map, u_pose: frame_from_reference.map_or(0.0, |_| U_POSE_PX) };
        match self.values(&picture, scale.known.as_ref()) {
            Ok((px, mm)) => Measurement::taken(name, of, px, mm, scale.uncalibrated.clone()),
            Err(says) => Measurement::none(name, of, says),
        }
    }

    fn values(&self, picture: &Picture<'_>, scale: Option<&Plane>) -> Result<(Value, Option<Value>), String> {
        let in_px = Plane { mm_per_px: MmPerPx { x: 1.0, y: 1.0 }, u_relative: 0.0 };
        let both = |value: &dyn Fn(&Plane) -> Result<Value, String>| {
            Ok((value(&in_px)?, scale.map(value).transpose()?))
        };
        match &self.quantity {
            Quantity::Length { a, b } => {
                let (a, b) = (picture.edges(a)?, picture.edges(b)?);
                both(&|scale| Ok(scale.with_its_own(line(&a, scale)?.distance(&line(&b, scale)?), 1.0)))
            }
            Quantity::Angle { a, b } => {
                let (a, b) = (picture.edges(a)?, picture.edges(b)?);
                both(&|scale| Ok(line(&a, scale)?.angle(&line(&b, scale)?)))
            }
            Quantity::Diameter { round } => {
                let edges = picture.round_edges(round)?;
                both(&|scale| {
                    let circle = circle(&edges, scale)?;
                    let diameter = Value { value: 2.0 * circle.radius, u: 2.0 * circle.u_radius };
                    Ok(scale.with_its_own(diameter, 1.0))
                })
            }
            Quantity::Spacing { a, b } => {
                let (a, b) = (picture.round_edges(a)?, picture.round_edges(b)?);
                both(&|scale| {
                    let (a, b) = (circle(&a, scale)?, circle(&b, scale)?);
                    let apart = (a.centre[0] - b.centre[0]).hypot(a.centre[1] - b.centre[1]);
                    Ok(scale.with_its_own(Value { value: apart, u: a.u_centre.hypot(b.u_centre) }, 1.0))
                })
            }
            Quantity::Position { edge } => {
                let edges = picture.edges(edge)?;
                let (from, to) = (picture.moved(edge.from_px), picture.moved(edge.to_px));
                both(&|scale| {
                    let line = line(&edges, scale)?;
                    let (from, to) = (scale.of(from), scale.of(to));
                    let length = (to[0] - from[0]).hypot(to[1] - from[1]);
                    // Along the caliper to where it meets the edge.
                    let closing = (line.away(from) - line.away(to)) / length;
                    let u = line.u_across.hypot(picture.u_pose * scale.unit());
                    let value = Value { value: line.away(from) / closing, u: u / closing.abs() };
                    Ok(scale.with_its_own(value, 1.0))
                })
            }
            Quantity::Area { rect_px, dark } => {
                let area = picture.area(*rect_px, *dark)?;
                both(&|scale| {
                    let square = scale.mm_per_px.x * scale.mm_per_px.y;
                    Ok(scale.with_its_own(Value { value: area.value * square, u: area.u * square }, 2.0))
                })
            }
        }
    }
}

impl Plane {
    fn of(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        [x * self.mm_per_px.x, y * self.mm_per_px.y]
    }

    /// A px, as long as it is at the longest: what is not known in px is so long at most.
    fn unit(&self) -> f64 {
        self.mm_per_px.x.max(self.mm_per_px.y)
    }

    /// `value` with the doubt about the scale itself, which goes into it to the power `power`.
    fn with_its_own(&self, value: Value, power: f64) -> Value {
        Value { u: value.u.hypot(power * self.u_relative * value.value), ..value }
    }
}

fn line(edges: &[[f64; 2]], scale: &Plane) -> Result<Line, String> {
    let places: Vec<_> = edges.iter().map(|place| scale.of(*place)).collect();
    Line::through(&places, scale.unit()).ok_or_else(|| "the places of its edge do not make a line".to_owned())
}

fn circle(edges: &[[f64; 2]], scale: &Plane) -> Result<Circle, String> {
    let places: Vec<_> = edges.iter().map(|place| scale.of(*place)).collect();
    Circle::through(&places, scale.unit())
        .ok_or_else(|| "the places of its edge do not make a circle".to_owned())
}

fn moved(map: &Affine, [x, y]: [f64; 2]) -> [f64; 2] {
    let [[a, b, tx], [c, d, ty]] = map.rows;
    [a * x + b * y + tx, c * x + d * y + ty]
}

/// A frame, seen in px of the reference.
struct Picture<'v> {
    view: View<'v>,
    map: &'v Affine,
    /// Standard uncertainty of where the part lies, in px: 0 where nothing is aligned.
    u_pose: f64,
}

impl Picture<'_> {
    fn moved(&self, place: [f64; 2]) -> [f64; 2] {
        moved(self.map, place)
    }

    fn edges(&self, caliper: &Caliper) -> Result<Vec<[f64; 2]>, String> {
        self.edges_on(caliper.scan_lines(), caliper.polarity, caliper.pick)
    }

    fn round_edges(&self, caliper: &RoundCaliper) -> Result<Vec<[f64; 2]>, String> {
        self.edges_on(caliper.scan_lines(), caliper.polarity, caliper.pick)
    }

    /// In frame px.
    fn edges_on(
        &self,
        lines: Vec<[[f64; 2]; 2]>,
        polarity: Polarity,
        pick: Pick,
    ) -> Result<Vec<[f64; 2]>, String> {
        let mut edges = Vec::with_capacity(lines.len());
        let asked = lines.len();
        for line in lines {
            match edge_on(&self.view, line.map(|end| self.moved(end)), polarity, pick) {
                Ok(edge) => edges.extend(edge),
                Err(Outside) => return Err("a scan line reaches beyond the frame".to_owned()),
            }
        }
        if (edges.len() as f64) < SHOWN_MIN * asked as f64 {
            return Err(format!("only {} of {asked} scan lines show its edge", edges.len()));
        }
        Ok(edges)
    }

    /// Each px counts by how far it is from the surroundings' grey to the thing's own, so that a half covered px is half
    /// a px². The two greys are the medians on either side of Otsu's threshold.
    fn area(&self, rect: RectPx, dark: bool) -> Result<Value, String> {
        let (columns, rows) = (f64::from(rect.w).floor() as usize, f64::from(rect.h).floor() as usize);
        let mut values = Vec::with_capacity(columns * rows);
        for row in 0..rows {
            for column in 0..columns {
                let place = [f64::from(rect.x) + column as f64 + 0.5, f64::from(rect.y) + row as f64 + 0.5];
                let seen = self.view.at(self.moved(place));
                let seen = seen.ok_or("its rectangle reaches beyond the frame")?;
                values.push(if dark { 255.0 - seen } else { seen });
            }
        }
        let threshold = otsu(&values);
        let side = |above: bool| {
            let mut side: Vec<f64> = values.iter().copied().filter(|v| (*v > threshold) == above).collect();
            let middle = side.len() / 2;
            (!side.is_empty()).then(|| *side.select_nth_unstable_by(middle, f64::total_cmp).1)
        };
        let (Some(low), Some(high)) = (side(false), side(true)) else {
            return Err("its rectangle is all of one grey".to_owned());
        };
        let contrast = high - low;
        if contrast < CONTRAST_MIN {
            return Err(format!("nothing stands out in its rectangle ({contrast:.1} grey levels)"));
        }
        // Well inside and well outside are whole and nothing: their noise does not add up.
        let share = |v: f64| {
            let share = (v - low) / contrast;
            if share < 0.1 {
                0.0
            } else if share > 0.9 {
                1.0
            } else {
                share
            }
        };
        let area: f64 = values.iter().map(|v| share(*v)).sum();
        let border = values.iter().filter(|v| (0.1..=0.9).contains(&((**v - low) / contrast))).count() as f64;
        let noise = values
            .iter()
            .filter(|v| (**v - low).abs() < contrast * 0.1)
            .map(|v| (v - low).powi(2))
            .fold((0.0_f64, 0.0_f64), |(sum, n), square| (sum + square, n + 1.0));
        let noise = (noise.0 / noise.1.max(1.0)).sqrt() / contrast;
        // A px at the border is off by its noise, and by 0.05 px² of what is taken for whole or nothing; the greys
        // themselves shift all of the border one way.
        let border = border.max(4.0);
        let u = (border * (noise * noise + 0.05 * 0.05) + (border * 0.002).powi(2)).sqrt();
        let one_px = self.map.area_scale();
        Ok(Value { value: area * one_px, u: u * one_px })
    }
}

/// The threshold between 0 and 255 that parts `values` best (Otsu 1979).
fn otsu(values: &[f64]) -> f64 {
    let mut counts = [0.0; 256];
    values.iter().for_each(|v| counts[v.round().clamp(0.0, 255.0) as usize] += 1.0);
    let all: f64 = counts.iter().sum();
    let sum: f64 = counts.iter().enumerate().map(|(v, n)| v as f64 * n).sum();
    let (mut below, mut sum_below, mut best) = (0.0, 0.0, (f64::MIN, 0.0));
    for (level, count) in counts.iter().enumerate() {
        below += count;
        sum_below += level as f64 * count;
        if below > 0.0 && below < all {
            let apart = sum_below / below - (sum - sum_below) / (all - below);
            let between = below * (all - below) * apart * apart;
            if between > best.0 {
                best = (between, level as f64 + 0.5);
            }
        }
    }
    best.1
}
