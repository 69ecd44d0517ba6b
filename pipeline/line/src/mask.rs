//! Which px of a picture belong to which defect.

use plumb_inspection::RectPx;

use crate::DefectKind;

/// One class id a px, rows packed: 0 is no defect, the rest are [`DefectKind::class_id`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassMask {
    width: u32,
    height: u32,
    classes: Vec<u8>,
}

impl ClassMask {
    /// `classes` holds `width × height` ids.
    pub(crate) fn new(width: u32, height: u32, classes: Vec<u8>) -> Self {
        debug_assert_eq!(classes.len(), width as usize * height as usize);
        Self { width, height, classes }
    }

    /// Px a row.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// All ids, row by row.
    pub fn classes(&self) -> &[u8] {
        &self.classes
    }

    /// How many px show `kind`.
    pub fn area_px(&self, kind: DefectKind) -> usize {
        self.classes.iter().filter(|&&c| c == kind.class_id()).count()
    }

    /// The smallest upright box around every px of `kind`, or none if there is no such px.
    pub fn box_of(&self, kind: DefectKind) -> Option<RectPx> {
        let (mut x0, mut y0, mut x1, mut y1) = (u32::MAX, u32::MAX, 0, 0);
        for (i, _) in self.classes.iter().enumerate().filter(|(_, c)| **c == kind.class_id()) {
            let (x, y) = (i as u32 % self.width, i as u32 / self.width);
            (x0, y0, x1, y1) = (x0.min(x), y0.min(y), x1.max(x + 1), y1.max(y + 1));
        }
        (x1 > 0).then(|| RectPx::from_corners(x0 as f32, y0 as f32, x1 as f32, y1 as f32))
    }
}
