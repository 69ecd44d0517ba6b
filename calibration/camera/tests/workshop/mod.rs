//! A camera that is known to the last digit: renders a target through a lens, pixel by pixel, by the lens formula.

use plumb_camera::{Picture, Target, draw, undistorted_px};
use plumb_inspection::{Image, Lens, PixelFormat};

/// Texture px a mm of the drawn target.
const TEXTURE_PX_PER_MM: f64 = 8.0;
/// Rays a pixel, no two in one row or column of it: an edge along the grid must not snap to thirds of a px.
const RAYS: u32 = 16;

/// A drawn target and what a camera sees of it.
pub(crate) struct Scene {
    texture: image::GrayImage,
    /// From the target's first point to the sheet's corner, in mm.
    origin_mm: f64,
}

/// Where the target is: its middle in mm before the camera, turned about x, y, then z by degrees.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Held {
    pub(crate) at_mm: [f64; 3],
    pub(crate) turned_deg: [f64; 3],
}

impl Scene {
    pub(crate) fn new(target: &Target) -> Self {
        let texture = draw::pixels(target, TEXTURE_PX_PER_MM).expect("drawn");
        let origin_mm = match *target {
            Target::Chessboard { square_mm, .. } | Target::Charuco { square_mm, .. } => 2.0 * square_mm,
            Target::Circles { spacing_mm, .. } | Target::AsymmetricCircles { spacing_mm, .. } => spacing_mm,
        };
        Self { texture, origin_mm }
    }

    /// The picture that `lens` takes of the target on a grey wall. Black is 30, white 220; a point of light is spread
    /// over 2 px, as real glass does.
    pub(crate) fn seen(&self, lens: &Lens, held: Held) -> Image {
        let [width, height] = lens.size_px;
        let pose = Pose::new(held, self.middle_mm());
        // The lens bends so little within a px that its corners say it all.
        let corners: Vec<[f64; 2]> = (0..=height)
            .flat_map(|y| (0..=width).map(move |x| [f64::from(x) - 0.5, f64::from(y) - 0.5]))
            .map(|px| undistorted_px(lens, px))
            .collect();
        let mut sharp = Vec::with_capacity((width * height) as usize);
        for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
            let at = (y * (width + 1) + x) as usize;
            let (a, b) = (corners[at], corners[at + 1]);
            let below = at + width as usize + 1;
            let (c, d) = (corners[below], corners[below + 1]);
            let mut sum = 0.0;
            for ray in 0..RAYS {
                let part = |index: u32| (f64::from(index) + 0.5) / f64::from(RAYS);
                let (across, down) = (part(ray), part(ray.reverse_bits() >> 28));
                let [u, v] = [0, 1].map(|i| {
                    let (above, under) = (a[i] + (b[i] - a[i]) * across, c[i] + (d[i] - c[i]) * across);
                    above + (under - above) * down
                });
                sum += self.level(pose.mm_from_ray([(u - lens.cx) / lens.fx, (v - lens.cy) / lens.fy]));
            }
            sharp.push(sum / f64::from(RAYS));
        }
        let bytes = spread(&sharp, width as usize).iter().map(|level| level.round() as u8).collect();
        Image::packed(width, height, PixelFormat::Gray8, bytes).expect("a picture")
    }

    pub(crate) fn picture(&self, name: &str, lens: &Lens, held: Held) -> Picture {
        Picture::of_frame(name, &self.seen(lens, held))
    }

    /// Where the camera sees a place of the target, in mm from its first point, in px of the camera's frame.
    pub(crate) fn px_of(&self, lens: &Lens, held: Held, [x, y]: [f64; 2]) -> [f64; 2] {
        let pose = Pose::new(held, self.middle_mm());
        let [x, y, z] = pose.camera_from_sheet([x + self.origin_mm, y + self.origin_mm]);
        plumb_camera::distorted_px(lens, [lens.fx * x / z + lens.cx, lens.fy * y / z + lens.cy])
    }

    fn middle_mm(&self) -> [f64; 2] {
        [self.texture.width(), self.texture.height()].map(|side| f64::from(side) / TEXTURE_PX_PER_MM / 2.0)
    }

    fn level(&self, [x, y]: [f64; 2]) -> f64 {
        let (x, y) = (x * TEXTURE_PX_PER_MM, y * TEXTURE_PX_PER_MM);
        let (width, height) = (f64::from(self.texture.width()), f64::from(self.texture.height()));
        if x < 0.0 || y < 0.0 || x >= width || y >= height {
            return 128.0;
        }
        30.0 + f64::from(self.texture.get_pixel(x as u32, y as u32).0[0]) / 255.0 * 190.0
    }
}

struct Pose {
    /// Columns: the sheet's x, y and normal, in camera axes.
    axes: [[f64; 3]; 3],
    /// The sheet's top left corner.
    corner: [f64; 3],
}

impl Pose {
    fn new(held: Held, [mx, my]: [f64; 2]) -> Self {
        let [a, b, c] = held.turned_deg.map(f64::to_radians);
        let about_x = [[1.0, 0.0, 0.0], [0.0, a.cos(), -a.sin()], [0.0, a.sin(), a.cos()]];
        let about_y = [[b.cos(), 0.0, b.sin()], [0.0, 1.0, 0.0], [-b.sin(), 0.0, b.cos()]];
        let about_z = [[c.cos(), -c.sin(), 0.0], [c.sin(), c.cos(), 0.0], [0.0, 0.0, 1.0]];
        let axes = times(about_z, times(about_y, about_x));
        let corner = [0, 1, 2].map(|i| held.at_mm[i] - axes[i][0] * mx - axes[i][1] * my);
        Self { axes, corner }
    }

    fn camera_from_sheet(&self, [x, y]: [f64; 2]) -> [f64; 3] {
        [0, 1, 2].map(|i| self.corner[i] + self.axes[i][0] * x + self.axes[i][1] * y)
    }

    /// Where the ray `(x, y, 1)` meets the sheet.
    fn mm_from_ray(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        let ray = [x, y, 1.0];
        let normal = [0, 1, 2].map(|i| self.axes[i][2]);
        let s = dot(normal, self.corner) / dot(normal, ray);
        let from_corner = [0, 1, 2].map(|i| ray[i] * s - self.corner[i]);
        [0, 1].map(|axis| dot([0, 1, 2].map(|i| self.axes[i][axis]), from_corner))
    }
}

/// Each level spread by 1-2-1 both ways.
fn spread(levels: &[f64], width: usize) -> Vec<f64> {
    let height = levels.len() / width;
    let blend = |a: f64, b: f64, c: f64| (a + 2.0 * b + c) / 4.0;
    let across: Vec<f64> = (0..levels.len())
        .map(|at| {
            let (x, row) = (at % width, at / width * width);
            blend(levels[row + x.saturating_sub(1)], levels[at], levels[row + (x + 1).min(width - 1)])
        })
        .collect();
    (0..levels.len())
        .map(|at| {
            let (x, y) = (at % width, at / width);
            let of = |y: usize| across[y * width + x];
            blend(of(y.saturating_sub(1)), of(y), of((y + 1).min(height - 1)))
        })
        .collect()
}

fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn times(a: [[f64; 3]; 3], b: [[f64; 3]; 3]) -> [[f64; 3]; 3] {
    [0, 1, 2].map(|i| [0, 1, 2].map(|j| (0..3).map(|k| a[i][k] * b[k][j]).sum()))
}
