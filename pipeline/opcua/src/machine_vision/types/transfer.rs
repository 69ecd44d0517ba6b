//! What is to be transferred as a file. The station offers none; a client's question is understood all the same.

use super::{ConfigurationIdDataType, RecipeIdInternalDataType, ResultIdDataType, structures};

structures! {
    /// Which configuration.
    ConfigurationTransferOptions = (3011, 5246, 5247) {
        /// As the station calls it.
        internal_id: ConfigurationIdDataType,
    }

    /// Which recipe.
    RecipeTransferOptions = (3012, 5248, 5249) {
        /// As the station calls it.
        internal_id: RecipeIdInternalDataType,
    }

    /// Which result.
    ResultTransferOptions = (3022, 5276, 5277) {
        /// As the station calls it.
        id: ResultIdDataType,
    }
}
