//! Circle grids. A tilted circle's middle is not quite the picture of its centre: small circles are better here.

use super::Sighting;
use opencv::{
    calib3d::{CALIB_CB_ASYMMETRIC_GRID, CALIB_CB_CLUSTERING, CALIB_CB_SYMMETRIC_GRID, find_circles_grid},
    core::{Mat, Point2f, Ptr, Size, Vector},
    features2d::{Feature2D, SimpleBlobDetector, SimpleBlobDetector_Params},
    prelude::*,
};

/// All `columns × rows` circles, or none.
pub(super) fn find(
    grey: &Mat,
    columns: u32,
    rows: u32,
    asymmetric: bool,
) -> opencv::Result<Option<Sighting>> {
    let grid = if asymmetric { CALIB_CB_ASYMMETRIC_GRID } else { CALIB_CB_SYMMETRIC_GRID };
    let size = Size::new(columns as i32, rows as i32);
    let mut centres = Vector::<Point2f>::new();
    let mut params = SimpleBlobDetector_Params::default()?;
    // OpenCV's own limit is 5000 px²: a board that fills a 2 megapixel view has larger ones.
    params.max_area = (grey.rows() * grey.cols()) as f32 / (columns * rows) as f32;
    params.min_area = 20.0;
    params.min_dist_between_blobs = 4.0;
    params.min_threshold = 20.0;
    params.max_threshold = 230.0;
    let blobs: Ptr<Feature2D> = SimpleBlobDetector::create(params)?.into();
    let found = find_circles_grid(grey, size, &mut centres, grid, Some(&blobs))?
        || find_circles_grid(grey, size, &mut centres, grid | CALIB_CB_CLUSTERING, Some(&blobs))?;
    if !found || centres.len() != (columns * rows) as usize {
        return Ok(None);
    }
    Ok(Some(Sighting {
        points: (0..centres.len()).collect(),
        at_px: centres.iter().map(|p| [f64::from(p.x), f64::from(p.y)]).collect(),
        window_px: 2.0,
    }))
}
