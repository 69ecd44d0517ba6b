//! What a client sent along with a call. An empty value or a null structure is "none", as OPC 40100-1 has it.

use super::{
    commands::Refusal,
    types::{
        ConfigurationIdDataType, JobIdDataType, MeasIdDataType, PartIdDataType, ProductIdDataType,
        RecipeIdExternalDataType, RecipeIdInternalDataType, ResultIdDataType,
    },
};
use opcua::types::{
    ByteString, LocalizedText, StatusCode, UAString, Variant, VariantScalarTypeId, VariantTypeId,
};

/// Longest name that is taken.
const LONGEST: usize = 256;

/// Why a call came to nothing.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum NotDone {
    /// The call itself was wrong.
    Status(StatusCode),
    /// The method says so in its `Error`.
    Refused(Refusal),
}

impl From<StatusCode> for NotDone {
    fn from(status: StatusCode) -> Self {
        Self::Status(status)
    }
}

impl From<Refusal> for NotDone {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// The arguments, to be taken one after the other.
pub(super) struct Arguments<'a>(std::slice::Iter<'a, Variant>);

/// A structure with a name in it.
pub(super) trait Named: Clone + Send + Sync + 'static {
    fn name(&self) -> &UAString;
}

macro_rules! named {
    ($($type:ty)*) => {$(
        impl Named for $type {
            fn name(&self) -> &UAString {
                &self.id
            }
        }
    )*};
}
named!(
    ConfigurationIdDataType JobIdDataType MeasIdDataType PartIdDataType ProductIdDataType RecipeIdExternalDataType
    RecipeIdInternalDataType ResultIdDataType
);

impl<'a> Arguments<'a> {
    /// Of a call.
    pub(super) fn new(arguments: &'a [Variant]) -> Self {
        Self(arguments.iter())
    }

    /// A structure that names something; `None` where it is null or names nothing.
    pub(super) fn named<T: Named>(&mut self) -> Result<Option<T>, NotDone> {
        let value = match self.next()? {
            Variant::Empty => return Ok(None),
            Variant::ExtensionObject(object) if object.is_null() => return Ok(None),
            Variant::ExtensionObject(object) => {
                object.inner_as::<T>().ok_or(StatusCode::BadInvalidArgument)?
            }
            _ => return Err(StatusCode::BadInvalidArgument.into()),
        };
        check_name(value.name())?;
        Ok((!value.name().is_empty()).then(|| value.clone()))
    }

    /// The name in such a structure; empty where it names nothing.
    pub(super) fn name<T: Named>(&mut self) -> Result<UAString, NotDone> {
        Ok(self.named::<T>()?.map_or_else(UAString::null, |value| value.name().clone()))
    }

    pub(super) fn int32(&mut self) -> Result<i32, NotDone> {
        match self.next()?.convert(VariantTypeId::Scalar(VariantScalarTypeId::Int32)) {
            Variant::Int32(number) => Ok(number),
            _ => Err(StatusCode::BadInvalidArgument.into()),
        }
    }

    pub(super) fn uint32(&mut self) -> Result<u32, NotDone> {
        match self.next()?.convert(VariantTypeId::Scalar(VariantScalarTypeId::UInt32)) {
            Variant::UInt32(number) => Ok(number),
            _ => Err(StatusCode::BadInvalidArgument.into()),
        }
    }

    /// One line of text for people: control characters and what is too long are left out.
    pub(super) fn line(&mut self) -> Result<String, NotDone> {
        match self.next()? {
            Variant::Empty => Ok(String::new()),
            Variant::String(text) => {
                Ok(text.as_ref().chars().filter(|character| !character.is_control()).take(LONGEST).collect())
            }
            _ => Err(StatusCode::BadInvalidArgument.into()),
        }
    }

    pub(super) fn comment(&mut self) -> Result<LocalizedText, NotDone> {
        match self.next()? {
            Variant::Empty => Ok(LocalizedText::null()),
            Variant::LocalizedText(text) if text.text.as_ref().len() <= 4 * LONGEST => Ok((**text).clone()),
            _ => Err(StatusCode::BadInvalidArgument.into()),
        }
    }

    pub(super) fn bytes(&mut self) -> Result<ByteString, NotDone> {
        match self.next()? {
            Variant::ByteString(bytes) => Ok(bytes.clone()),
            _ => Err(StatusCode::BadInvalidArgument.into()),
        }
    }

    /// Values of any type; how many.
    pub(super) fn count(&mut self) -> Result<usize, NotDone> {
        match self.next()? {
            Variant::Empty => Ok(0),
            Variant::Array(array) => Ok(array.values.len()),
            _ => Err(StatusCode::BadInvalidArgument.into()),
        }
    }

    fn next(&mut self) -> Result<&'a Variant, NotDone> {
        self.0.next().ok_or(NotDone::Status(StatusCode::BadArgumentsMissing))
    }
}

fn check_name(name: &UAString) -> Result<(), Refusal> {
    let name = name.as_ref();
    if name.len() > LONGEST || name.chars().any(char::is_control) {
        return Err(Refusal::BadArgument(format!(
            "a name has at most {LONGEST} bytes and no control character"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use opcua::types::ExtensionObject;

    fn part(id: &str) -> Variant {
        Variant::from(ExtensionObject::new(PartIdDataType { id: id.into(), description: None }))
    }

    #[test]
    fn null_and_nameless_structures_are_none_and_wrong_ones_an_error() {
        let long = "x".repeat(257);
        let refused =
            |outcome: Result<Option<PartIdDataType>, NotDone>| matches!(outcome, Err(NotDone::Refused(_)));
        type IsRight = fn(Result<Option<PartIdDataType>, NotDone>) -> bool;
        let rows: [(Variant, IsRight); 7] = [
            (Variant::Empty, |outcome| outcome == Ok(None)),
            (Variant::from(ExtensionObject::null()), |outcome| outcome == Ok(None)),
            (part(""), |outcome| outcome == Ok(None)),
            (part("p1"), |outcome| outcome.is_ok_and(|part| part.is_some())),
            (Variant::from(1), |outcome| outcome == Err(StatusCode::BadInvalidArgument.into())),
            (Variant::from(ExtensionObject::new(JobIdDataType::default())), |outcome| {
                outcome == Err(StatusCode::BadInvalidArgument.into())
            }),
            (part("p\n1"), |outcome| matches!(outcome, Err(NotDone::Refused(_)))),
        ];
        for (argument, is_right) in rows {
            let arguments = [argument];
            assert!(is_right(Arguments::new(&arguments).named()), "{arguments:?}");
        }
        assert!(refused(Arguments::new(&[part(&long)]).named()));
        assert_eq!(
            Arguments::new(&[]).named::<PartIdDataType>(),
            Err(NotDone::Status(StatusCode::BadArgumentsMissing))
        );
    }
}
