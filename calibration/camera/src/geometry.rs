//! The lens formula itself, forwards and backwards, in f64: what `inspection::Lens` says in words.

use plumb_inspection::Lens;

/// Where a point of the undistorted frame lies in the frame as the camera gives it. Both in px.
///
/// With `k4`, `k5`, `k6` not 0 the radial part is divided by `1 + k4 r² + k5 r⁴ + k6 r⁶` (OpenCV's rational model).
pub fn distorted_px(lens: &Lens, [u, v]: [f64; 2]) -> [f64; 2] {
    let [x, y] = distort(lens, [(u - lens.cx) / lens.fx, (v - lens.cy) / lens.fy]);
    [lens.fx * x + lens.cx, lens.fy * y + lens.cy]
}

/// The inverse of [`distorted_px`], to about 1e-9 px within the picture of a lens that does not fold.
pub fn undistorted_px(lens: &Lens, [u, v]: [f64; 2]) -> [f64; 2] {
    let there = [(u - lens.cx) / lens.fx, (v - lens.cy) / lens.fy];
    let [x, y] = undistort(lens, there);
    [lens.fx * x + lens.cx, lens.fy * y + lens.cy]
}

fn distort(lens: &Lens, [x, y]: [f64; 2]) -> [f64; 2] {
    let [k1, k2, p1, p2, k3] = lens.distortion;
    let [k4, k5, k6] = lens.rational;
    let r2 = x * x + y * y;
    let radial = (1.0 + r2 * (k1 + r2 * (k2 + r2 * k3))) / (1.0 + r2 * (k4 + r2 * (k5 + r2 * k6)));
    [
        x * radial + 2.0 * p1 * x * y + p2 * (r2 + 2.0 * x * x),
        y * radial + p1 * (r2 + 2.0 * y * y) + 2.0 * p2 * x * y,
    ]
}

/// How far from the principal point to the farthest corner, 0..=1, the picture does not fold back on itself; `None` where
/// it never does.
pub(crate) fn folds_at(lens: &Lens) -> Option<f64> {
    let [width, height] = lens.size_px.map(f64::from);
    let reach_x = lens.cx.max(width - lens.cx) / lens.fx;
    let reach_y = lens.cy.max(height - lens.cy) / lens.fy;
    let radial = Lens {
        distortion: {
            let [k1, k2, _, _, k3] = lens.distortion;
            [k1, k2, 0.0, 0.0, k3]
        },
        ..*lens
    };
    let at = |step: u32| distort(&radial, [reach_x.hypot(reach_y) * f64::from(step) / 200.0, 0.0])[0];
    (1..=200).find(|step| at(*step) <= at(step - 1)).map(|step| f64::from(step) / 200.0)
}

/// Newton's method with a numerical slope; from the distorted point itself, which is near for any lens that images.
fn undistort(lens: &Lens, there: [f64; 2]) -> [f64; 2] {
    const STEP: f64 = 1e-6;
    let mut at = there;
    for _ in 0..30 {
        let here = distort(lens, at);
        let off = [here[0] - there[0], here[1] - there[1]];
        if off[0].hypot(off[1]) < 1e-13 {
            break;
        }
        let right = distort(lens, [at[0] + STEP, at[1]]);
        let below = distort(lens, [at[0], at[1] + STEP]);
        let [a, c] = [(right[0] - here[0]) / STEP, (right[1] - here[1]) / STEP];
        let [b, d] = [(below[0] - here[0]) / STEP, (below[1] - here[1]) / STEP];
        let det = a * d - b * c;
        if det.abs() < 1e-9 {
            break;
        }
        at = [at[0] - (d * off[0] - b * off[1]) / det, at[1] - (a * off[1] - c * off[0]) / det];
    }
    at
}

/// `h` applied to a point.
pub(crate) fn through(h: &[[f64; 3]; 3], [x, y]: [f64; 2]) -> [f64; 2] {
    let row = |r: [f64; 3]| r[0] * x + r[1] * y + r[2];
    let w = row(h[2]);
    [row(h[0]) / w, row(h[1]) / w]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn undistorting_undoes_distorting_over_the_whole_picture() {
        let plain = Lens {
            size_px: [1280, 720],
            fx: 1152.0,
            fy: 1148.0,
            cx: 675.0,
            cy: 366.0,
            distortion: [-0.248, 0.047, -0.001, 0.0002, -0.05],
            rational: [0.0; 3],
        };
        let rational = Lens { rational: [0.1, -0.02, 0.003], ..plain };
        for lens in [plain, rational] {
            for at in [[0.0, 0.0], [1279.0, 719.0], [640.0, 0.0], [675.0, 366.0], [12.5, 700.25]] {
                let back = distorted_px(&lens, undistorted_px(&lens, at));
                assert!((back[0] - at[0]).hypot(back[1] - at[1]) < 1e-8, "{at:?} came back as {back:?}");
            }
        }
    }
}
