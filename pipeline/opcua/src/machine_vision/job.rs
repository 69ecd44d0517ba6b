//! A job: what a client called its part, its measurement and its recipe when it asked.

use super::types::{
    JobIdDataType, MeasIdDataType, PartIdDataType, ProductIdDataType, RecipeIdExternalDataType,
};
use plumb_inspection::PartId;
use std::time::SystemTime;

/// The job that is going on.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Job {
    /// System-wide unique.
    pub(super) id: JobIdDataType,
    pub(super) meas_id: Option<MeasIdDataType>,
    pub(super) part_id: Option<PartIdDataType>,
    pub(super) recipe_id: Option<RecipeIdExternalDataType>,
    pub(super) product_id: Option<ProductIdDataType>,
    /// The one part it is about; `None` for a run, to which all parts belong.
    pub(super) part: Option<PartId>,
}

impl Job {
    /// Whether `part` is one of its.
    pub(super) fn is_about(&self, part: PartId) -> bool {
        self.part.is_none_or(|own| own == part)
    }
}

/// `<count>@<µs since 1970>`: unique across restarts.
pub(super) fn new_id(count: u64) -> JobIdDataType {
    let at = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    JobIdDataType { id: format!("{count}@{}", at.as_micros()).into() }
}
