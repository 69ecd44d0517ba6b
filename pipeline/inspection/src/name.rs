//! Names people give to things: cheap to clone, never mixed up with each other.

use serde::{Deserialize, Serialize};
use std::{borrow::Borrow, fmt, sync::Arc};

macro_rules! name {
    ($(#[$doc:meta])* $Name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $Name(Arc<str>);

        impl $Name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl From<&str> for $Name {
            fn from(name: &str) -> Self {
                Self(name.into())
            }
        }
        impl From<String> for $Name {
            fn from(name: String) -> Self {
                Self(name.into())
            }
        }
        impl Borrow<str> for $Name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $Name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
        impl fmt::Debug for $Name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    };
}

name!(
    /// A camera, as `station.toml` names it; also the name of the view it gives.
    CameraId
);
name!(
    /// A recipe: what to check on one product.
    RecipeName
);
name!(
    /// A named area of a camera's frame.
    RegionName
);
name!(
    /// A model, as the recipe names it.
    ModelName
);
name!(
    /// What a finding is: one of its model's labels, e.g. `scratch`.
    ClassName
);
