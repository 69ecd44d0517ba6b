//! A target to print: SVG in true mm, or PNG at a resolution.

use super::{
    Target,
    charuco::{First, white_squares},
};
use crate::error::{CameraError, opencv};
use image::{GrayImage, Luma};

/// Something black or white on the sheet, in mm from its top left corner.
enum Shape {
    Rect { x: f64, y: f64, w: f64, h: f64, white: bool },
    Circle { x: f64, y: f64, r: f64 },
}

/// What is on the sheet, and how large the sheet is: the target with a white margin of one step all around.
struct Sheet {
    width_mm: f64,
    height_mm: f64,
    shapes: Vec<Shape>,
}

/// The largest side of a PNG in px.
const SIDE_MAX_PX: f64 = 30_000.0;

/// An SVG whose units are mm: printed at 100 % it has its size.
///
/// # Errors
/// When OpenCV does not know the markers.
pub fn svg(target: &Target) -> Result<String, CameraError> {
    let Sheet { width_mm, height_mm, shapes } = sheet(target)?;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width_mm}mm\" height=\"{height_mm}mm\" \
         viewBox=\"0 0 {width_mm} {height_mm}\" shape-rendering=\"crispEdges\">\n\
         <title>{target}</title>\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
    );
    for shape in shapes {
        text += &match shape {
            Shape::Rect { x, y, w, h, white } => {
                let fill = if white { "#fff" } else { "#000" };
                format!(
                    "<rect x=\"{x:.4}\" y=\"{y:.4}\" width=\"{w:.4}\" height=\"{h:.4}\" fill=\"{fill}\"/>\n"
                )
            }
            Shape::Circle { x, y, r } => format!("<circle cx=\"{x:.4}\" cy=\"{y:.4}\" r=\"{r:.4}\"/>\n"),
        };
    }
    Ok(text + "</svg>\n")
}

/// The same as grey pixels, `px_per_mm` of them a mm; edges between pixels are grey.
///
/// # Errors
/// When OpenCV does not know the markers, or the picture would be larger than any printer needs.
pub fn pixels(target: &Target, px_per_mm: f64) -> Result<GrayImage, CameraError> {
    let sheet = sheet(target)?;
    let [width, height] = [sheet.width_mm, sheet.height_mm].map(|mm| (mm * px_per_mm).round());
    if !(width >= 1.0 && height >= 1.0 && width.max(height) <= SIDE_MAX_PX) {
        let says =
            format!("{px_per_mm} px a mm make {width}x{height} px; possible is 1 to {SIDE_MAX_PX} a side");
        return Err(CameraError::Target { target: target.to_string(), says: vec![says] });
    }
    let mut picture = GrayImage::from_pixel(width as u32, height as u32, Luma([255]));
    for shape in &sheet.shapes {
        paint(&mut picture, shape, px_per_mm);
    }
    Ok(picture)
}

/// The margin, and what the target counts in, in mm.
fn step_mm(target: &Target) -> f64 {
    match *target {
        Target::Chessboard { square_mm, .. } | Target::Charuco { square_mm, .. } => square_mm,
        Target::Circles { spacing_mm, .. } | Target::AsymmetricCircles { spacing_mm, .. } => spacing_mm,
    }
}

fn sheet(target: &Target) -> Result<Sheet, CameraError> {
    let step = step_mm(target);
    let mut shapes = Vec::new();
    let square = |[column, row]: [u32; 2]| Shape::Rect {
        x: f64::from(column + 1) * step,
        y: f64::from(row + 1) * step,
        w: step,
        h: step,
        white: false,
    };
    let [width, height] = match *target {
        Target::Chessboard { columns, rows, .. } => {
            // One square more than corners, and the first one black.
            shapes.extend(white_squares([columns + 1, rows + 1], First::White).map(square));
            [f64::from(columns + 1) * step, f64::from(rows + 1) * step]
        }
        Target::Charuco { columns, rows, marker_mm, dictionary, .. } => {
            shapes.extend(white_squares([columns, rows], First::White).map(square));
            let cell = marker_mm / f64::from(dictionary.side() + 2);
            for (id, [column, row]) in (0..).zip(white_squares([columns, rows], First::Black)) {
                let margin = step + (step - marker_mm) / 2.0;
                let (x, y) = (f64::from(column) * step + margin, f64::from(row) * step + margin);
                shapes.push(Shape::Rect { x, y, w: marker_mm, h: marker_mm, white: false });
                let bits = dictionary.bits(id).map_err(opencv("drew a marker"))?;
                for (at, _) in (0..).zip(bits).filter(|(_, white)| *white) {
                    let (across, down) = (at % dictionary.side() + 1, at / dictionary.side() + 1);
                    let (x, y) = (x + f64::from(across) * cell, y + f64::from(down) * cell);
                    shapes.push(Shape::Rect { x, y, w: cell, h: cell, white: true });
                }
            }
            [f64::from(columns) * step, f64::from(rows) * step]
        }
        Target::Circles { .. } | Target::AsymmetricCircles { .. } => {
            let places = (0..target.len()).map(|index| target.position_mm(index));
            let radius = if matches!(target, Target::Circles { .. }) { 0.3 } else { 0.5 } * step;
            let mut far = [0.0_f64; 2];
            for [x, y] in places {
                far = [far[0].max(x), far[1].max(y)];
                shapes.push(Shape::Circle { x: x + step, y: y + step, r: radius });
            }
            far
        }
    };
    Ok(Sheet { width_mm: width + 2.0 * step, height_mm: height + 2.0 * step, shapes })
}

/// Blends a shape in by how much of each pixel it covers, from 8 × 8 places in it.
fn paint(picture: &mut GrayImage, shape: &Shape, px_per_mm: f64) {
    const PLACES: u32 = 8;
    let (x0, y0, x1, y1, ink) = match *shape {
        Shape::Rect { x, y, w, h, white } => (x, y, x + w, y + h, if white { 255.0 } else { 0.0 }),
        Shape::Circle { x, y, r } => (x - r, y - r, x + r, y + r, 0.0),
    };
    let covers = |x: f64, y: f64| match *shape {
        Shape::Rect { .. } => x >= x0 && x < x1 && y >= y0 && y < y1,
        Shape::Circle { x: cx, y: cy, r } => (x - cx).hypot(y - cy) < r,
    };
    let first = |mm: f64| (mm * px_per_mm).floor().max(0.0) as u32;
    let last = |mm: f64, side: u32| ((mm * px_per_mm).ceil() as u32).min(side);
    for py in first(y0)..last(y1, picture.height()) {
        for px in first(x0)..last(x1, picture.width()) {
            let inside = (0..PLACES * PLACES).filter(|place| {
                let at = |index: u32| (f64::from(index) + 0.5) / f64::from(PLACES);
                let (x, y) = (f64::from(px) + at(place % PLACES), f64::from(py) + at(place / PLACES));
                covers(x / px_per_mm, y / px_per_mm)
            });
            let share = inside.count() as f64 / f64::from(PLACES * PLACES);
            let pixel = &mut picture.get_pixel_mut(px, py).0[0];
            *pixel = (f64::from(*pixel) * (1.0 - share) + ink * share).round() as u8;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Picture;
    use plumb_inspection::{Image, PixelFormat};

    /// Where the first point lies, in mm from the target's own corner, the same along x and y.
    fn origin_mm(target: &Target) -> f64 {
        match target {
            Target::Chessboard { .. } | Target::Charuco { .. } => step_mm(target),
            Target::Circles { .. } | Target::AsymmetricCircles { .. } => 0.0,
        }
    }

    #[test]
    fn what_is_drawn_is_found_and_each_point_lies_where_it_was_drawn() {
        for text in [
            "chessboard:9x6:10",
            "charuco:7x5:12:9:5x5_100",
            "charuco:8x6:12:9:4x4_50",
            "circles:7x6:10",
            "asymmetric_circles:4x11:10",
        ] {
            let target: Target = text.parse().expect(text);
            let px_per_mm = 4.0;
            let drawn = pixels(&target, px_per_mm).expect(text);
            let (width, height) = drawn.dimensions();
            let image =
                Image::packed(width, height, PixelFormat::Gray8, drawn.into_raw()).expect("a picture");
            let grey = Picture::of_frame(text, &image).grey().expect("grey");
            let seen = target.find(&grey).expect(text).unwrap_or_else(|| panic!("{text} is not found"));
            assert_eq!(seen.points.len(), target.len(), "{text}");
            let offset = step_mm(&target) + origin_mm(&target);
            let at = |index: usize| target.position_mm(index).map(|mm| (mm + offset) * px_per_mm - 0.5);
            // A chessboard looks the same from both sides.
            let turned = |index: usize| target.len() - 1 - index;
            let far = |map: &dyn Fn(usize) -> usize| {
                let off = seen.points.iter().zip(&seen.at_px).map(|(&index, px)| {
                    let wanted = at(map(index));
                    (px[0] - wanted[0]).hypot(px[1] - wanted[1])
                });
                off.fold(0.0, f64::max)
            };
            let worst = far(&|index| index).min(far(&turned));
            assert!(worst < 0.1, "{text}: a point is {worst:.3} px off");
        }
    }

    #[test]
    fn a_printed_sheet_has_its_size_in_mm() {
        let svg = svg(&"charuco:7x5:12:9:5x5_100".parse().expect("a target")).expect("drawn");
        assert!(
            svg.starts_with("<svg xmlns") && svg.contains("width=\"108mm\" height=\"84mm\""),
            "{}",
            &svg[..200]
        );
    }
}
