//! What came of a part, and what the station is and does.

use super::{
    ConfigurationIdDataType, JobIdDataType, MeasIdDataType, PartIdDataType, ProductIdDataType,
    RecipeIdExternalDataType, RecipeIdInternalDataType, ResultIdDataType, structures,
};
use opcua::types::{DateTime, UAString, Variant};

structures! {
    /// A result. It has no field for pass or fail: that is `result_content[0]`.
    ResultDataType = (3006, 5018, 5019) {
        /// System-wide unique.
        result_id: ResultIdDataType,
        /// Whether there is a file to be had.
        #[opcua(optional)]
        has_transferable_data_on_file: Option<bool>,
        /// Whether more of it will come.
        is_partial: bool,
        /// Whether it is of a simulation.
        #[opcua(optional)]
        is_simulated: Option<bool>,
        /// What became of the processing, see [`super::result_state`].
        result_state: i32,
        /// As the client called it when the job was started.
        #[opcua(optional)]
        meas_id: Option<MeasIdDataType>,
        /// Whose.
        #[opcua(optional)]
        part_id: Option<PartIdDataType>,
        /// As the client called it when the job was started.
        #[opcua(optional)]
        external_recipe_id: Option<RecipeIdExternalDataType>,
        /// By which it was judged.
        internal_recipe_id: RecipeIdInternalDataType,
        /// As the client called it when the job was started.
        #[opcua(optional)]
        product_id: Option<ProductIdDataType>,
        /// As the client calls the configuration.
        #[opcua(optional)]
        external_configuration_id: Option<ConfigurationIdDataType>,
        /// Under which it was judged.
        internal_configuration_id: ConfigurationIdDataType,
        /// By which it was made; empty where the line asked and no job runs.
        job_id: JobIdDataType,
        /// When it was made.
        creation_time: DateTime,
        /// From when to when it took.
        #[opcua(optional)]
        processing_times: Option<ProcessingTimesDataType>,
        /// The evaluation first, see `result.rs` of this module's parent.
        #[opcua(optional)]
        result_content: Option<Option<Vec<Variant>>>,
    }

    /// From when to when. Durations are in ms.
    ProcessingTimesDataType = (3005, 5016, 5017) {
        /// The trigger.
        start_time: DateTime,
        /// The verdict.
        end_time: DateTime,
        /// Of this, for the picture.
        #[opcua(optional)]
        acquisition_duration: Option<f64>,
        /// Of this, for everything after the picture.
        #[opcua(optional)]
        processing_duration: Option<f64>,
    }

    /// A configuration.
    ConfigurationDataType = (3007, 5088, 5089) {
        /// Whether there is a file to be had.
        #[opcua(optional)]
        has_transferable_data_on_file: Option<bool>,
        /// As the client calls it.
        #[opcua(optional)]
        external_id: Option<ConfigurationIdDataType>,
        /// As the station calls it.
        internal_id: ConfigurationIdDataType,
        /// When it last changed.
        last_modified: DateTime,
    }

    /// A product.
    ProductDataType = (3020, 5272, 5273) {
        /// As the client calls it.
        external_id: ProductIdDataType,
    }

    /// What the machine's time goes into, and why.
    SystemStateDescriptionDataType = (3024, 5278, 5279) {
        /// A [`super::SystemState`].
        state: i32,
        /// Why.
        #[opcua(optional)]
        state_description: Option<UAString>,
    }
}
