//! Whether a calibration may be used: by this camera, at this size, today.

use crate::calibration::Calibration;
use jiff::Timestamp;
use std::fmt;

/// What is known of the camera that wants to use it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Circumstances<'a> {
    /// The camera's serial number, where the config tells it.
    pub serial: Option<&'a str>,
    /// The size of its frames, where the config tells it.
    pub size_px: Option<[u32; 2]>,
    /// Now.
    pub now: Timestamp,
}

/// Why a calibration does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// Its time is over.
    Expired {
        /// When it was.
        at: Timestamp,
    },
    /// It is of another camera.
    Foreign {
        /// The calibration's camera.
        of: String,
        /// This one.
        here: String,
    },
    /// It names a camera, and whether this is it is not known.
    Unknown {
        /// The calibration's camera.
        of: String,
    },
    /// It is of frames of another size.
    Size {
        /// The calibration's, in px.
        of: [u32; 2],
        /// This camera's.
        here: [u32; 2],
    },
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expired { at } => write!(f, "expired at {at}; calibrate again"),
            Self::Foreign { of, here } => {
                write!(f, "is of camera {of}, this is camera {here}; calibrate this one")
            }
            Self::Unknown { of } => write!(
                f,
                "is of camera {of}, and the config does not say which one this is; add serial = \"{of}\" to the camera if it is that one"
            ),
            Self::Size { of: [w, h], here: [hw, hh] } => {
                write!(
                    f,
                    "was made at {w}x{h} px, the camera gives {hw}x{hh}; set it back, or calibrate again"
                )
            }
        }
    }
}

impl Calibration {
    /// Everything that speaks against using it here and now.
    pub fn unfit(&self, here: &Circumstances<'_>) -> Vec<Unfit> {
        let expired = self.expires_at.filter(|at| *at <= here.now).map(|at| Unfit::Expired { at });
        let foreign = self.camera.serial.as_ref().and_then(|of| match here.serial {
            None => Some(Unfit::Unknown { of: of.clone() }),
            Some(serial) if serial != of => Some(Unfit::Foreign { of: of.clone(), here: serial.to_owned() }),
            Some(_) => None,
        });
        let of = self.camera.size_px;
        let size = here.size_px.filter(|size| *size != of).map(|here| Unfit::Size { of, here });
        expired.into_iter().chain(foreign).chain(size).collect()
    }
}
