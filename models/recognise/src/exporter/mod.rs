//! Tools that export ONNX files: the marks each leaves, and how its models are read. One tool, one file.

use crate::draft::Draft;
use crate::sight::Sight;
use std::fmt;

mod anomalib;
mod fastestdet;
mod geti;
mod huggingface;
mod mmdeploy;
mod plain;
mod rf_detr;
mod rt_detr;
mod ssd;
mod torchvision;
mod ultralytics;
mod yolov5;

/// Who exported a file. Tried in this order: what a tool says of itself goes before names of outputs, and those before
/// shapes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exporter {
    /// Ultralytics: YOLO v8 to v26, RT-DETR.
    Ultralytics,
    /// The repository yolov5.
    YoloV5,
    /// Geti, OTX and their Model API.
    Geti,
    /// MMDeploy, with its side files.
    MmDeploy,
    /// Anomalib 2.
    Anomalib,
    /// RF-DETR.
    RfDetr,
    /// RT-DETR and D-FINE as their authors export them.
    RtDetr,
    /// DETR and its kin from Hugging Face's transformers.
    HuggingFace,
    /// Torchvision's detectors.
    Torchvision,
    /// FastestDet.
    FastestDet,
    /// Single-shot detectors with scores and boxes.
    Ssd,
    /// No tool in particular: a classifier, a segmenter or an anomaly map, told by shape.
    Plain,
}

impl Exporter {
    const ALL: [Self; 12] = [
        Self::Ultralytics,
        Self::YoloV5,
        Self::Geti,
        Self::MmDeploy,
        Self::Anomalib,
        Self::RfDetr,
        Self::RtDetr,
        Self::HuggingFace,
        Self::Torchvision,
        Self::FastestDet,
        Self::Ssd,
        Self::Plain,
    ];

    /// The tool whose marks the file bears.
    pub(crate) fn of(sight: &Sight) -> Option<Self> {
        Self::ALL.into_iter().find(|exporter| exporter.made(sight))
    }

    fn made(self, sight: &Sight) -> bool {
        match self {
            Self::Ultralytics => ultralytics::made(sight),
            Self::YoloV5 => yolov5::made(sight),
            Self::Geti => geti::made(sight),
            Self::MmDeploy => mmdeploy::made(sight),
            Self::Anomalib => anomalib::made(sight),
            Self::RfDetr => rf_detr::made(sight),
            Self::RtDetr => rt_detr::made(sight),
            Self::HuggingFace => huggingface::made(sight),
            Self::Torchvision => torchvision::made(sight),
            Self::FastestDet => fastestdet::made(sight),
            Self::Ssd => ssd::made(sight),
            Self::Plain => plain::made(sight),
        }
    }

    /// Fills in what this tool's files tell.
    pub(crate) fn read(self, sight: &Sight, draft: &mut Draft) {
        match self {
            Self::Ultralytics => ultralytics::read(sight, draft),
            Self::YoloV5 => yolov5::read(sight, draft),
            Self::Geti => geti::read(sight, draft),
            Self::MmDeploy => mmdeploy::read(sight, draft),
            Self::Anomalib => anomalib::read(sight, draft),
            Self::RfDetr => rf_detr::read(sight, draft),
            Self::RtDetr => rt_detr::read(sight, draft),
            Self::HuggingFace => huggingface::read(sight, draft),
            Self::Torchvision => torchvision::read(sight, draft),
            Self::FastestDet => fastestdet::read(sight, draft),
            Self::Ssd => ssd::read(sight, draft),
            Self::Plain => plain::read(sight, draft),
        }
    }
}

impl fmt::Display for Exporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ultralytics => "Ultralytics",
            Self::YoloV5 => "yolov5",
            Self::Geti => "Geti (Model API)",
            Self::MmDeploy => "MMDeploy",
            Self::Anomalib => "Anomalib",
            Self::RfDetr => "RF-DETR",
            Self::RtDetr => "RT-DETR or D-FINE",
            Self::HuggingFace => "Hugging Face transformers",
            Self::Torchvision => "torchvision",
            Self::FastestDet => "FastestDet",
            Self::Ssd => "a single-shot detector",
            Self::Plain => "no tool in particular",
        })
    }
}
