//! What things are called: parts, jobs, results, recipes, configurations.

use super::structures;
use opcua::types::{ByteString, LocalizedText, UAString};

structures! {
    /// A name for something that has contents, and so a version and a hash.
    BinaryIdBaseDataType = (3019, 5027, 5271) {
        /// System-wide unique.
        id: UAString,
        /// Of the contents.
        #[opcua(optional)]
        version: Option<UAString>,
        /// Of the contents.
        #[opcua(optional)]
        hash: Option<ByteString>,
        /// `SHA-256`.
        #[opcua(optional)]
        hash_algorithm: Option<UAString>,
        /// For people.
        #[opcua(optional)]
        description: Option<LocalizedText>,
    }

    /// A configuration.
    ConfigurationIdDataType = (3008, 5090, 5091) {
        /// System-wide unique.
        id: UAString,
        /// Of the contents.
        #[opcua(optional)]
        version: Option<UAString>,
        /// Of the contents.
        #[opcua(optional)]
        hash: Option<ByteString>,
        /// `SHA-256`.
        #[opcua(optional)]
        hash_algorithm: Option<UAString>,
        /// For people.
        #[opcua(optional)]
        description: Option<LocalizedText>,
    }

    /// A recipe, as the client calls it.
    RecipeIdExternalDataType = (3002, 5002, 5003) {
        /// System-wide unique.
        id: UAString,
        /// Of the contents.
        #[opcua(optional)]
        version: Option<UAString>,
        /// Of the contents.
        #[opcua(optional)]
        hash: Option<ByteString>,
        /// `SHA-256`.
        #[opcua(optional)]
        hash_algorithm: Option<UAString>,
        /// For people.
        #[opcua(optional)]
        description: Option<LocalizedText>,
    }

    /// A recipe, as the station calls it.
    RecipeIdInternalDataType = (3013, 5268, 5269) {
        /// System-wide unique.
        id: UAString,
        /// Of the contents.
        #[opcua(optional)]
        version: Option<UAString>,
        /// Of the contents.
        #[opcua(optional)]
        hash: Option<ByteString>,
        /// `SHA-256`.
        #[opcua(optional)]
        hash_algorithm: Option<UAString>,
        /// For people.
        #[opcua(optional)]
        description: Option<LocalizedText>,
    }

    /// A job.
    JobIdDataType = (3016, 5008, 5026) {
        /// System-wide unique.
        id: UAString,
    }

    /// A measurement, as the client calls it.
    MeasIdDataType = (3015, 5006, 5007) {
        /// The client's choice.
        id: UAString,
        /// For people.
        #[opcua(optional)]
        description: Option<LocalizedText>,
    }

    /// A part.
    PartIdDataType = (3004, 5013, 5014) {
        /// The client's choice, or the station's number.
        id: UAString,
        /// For people.
        #[opcua(optional)]
        description: Option<LocalizedText>,
    }

    /// A product.
    ProductIdDataType = (3003, 5224, 5225) {
        /// The client's choice.
        id: UAString,
        /// For people.
        #[opcua(optional)]
        description: Option<LocalizedText>,
    }

    /// A result.
    ResultIdDataType = (3021, 5274, 5275) {
        /// System-wide unique.
        id: UAString,
    }
}
