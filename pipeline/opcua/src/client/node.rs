//! A variable on a server: its name as a person writes it, its type as the server has it, and values to and from it.

use super::failure::{Failure, FailureKind};
use opcua::types::{Array, DataValue, NodeId, StatusCode, Variant, VariantScalarTypeId};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A node id as OPC UA writes it: `ns=3;s="DB_Plumb"."station"`, or with the namespace's URI, which survives a server's
/// restart with other numbers: `nsu=http://example.com/line;s=station`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NodeName {
    written: String,
    namespace: Option<String>,
    id: NodeId,
}

impl TryFrom<String> for NodeName {
    type Error = String;

    fn try_from(written: String) -> Result<Self, String> {
        let wrong = || {
            format!(
                "node \"{written}\" is no node id; expected ns=<number>;s=<text>, ns=<number>;i=<number>, or nsu=<URI>;s=<text>"
            )
        };
        let (namespace, rest) = match written.strip_prefix("nsu=").map(|rest| rest.split_once(';')) {
            None => (None, written.as_str()),
            Some(Some((uri, rest))) if !uri.is_empty() && !rest.starts_with("ns=") => {
                (Some(uri.to_owned()), rest)
            }
            Some(_) => return Err(wrong()),
        };
        let id = rest.parse().map_err(|_| wrong())?;
        Ok(Self { namespace, id, written })
    }
}

impl TryFrom<&str> for NodeName {
    type Error = String;

    fn try_from(written: &str) -> Result<Self, String> {
        written.to_owned().try_into()
    }
}

impl From<NodeName> for String {
    fn from(name: NodeName) -> Self {
        name.written
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

impl NodeName {
    /// The id on a server with these namespaces.
    pub(super) fn on(&self, namespaces: &[String]) -> Result<NodeId, Failure> {
        let Some(uri) = &self.namespace else { return Ok(self.id.clone()) };
        let index = namespaces.iter().position(|namespace| namespace == uri);
        let Some(index) = index.and_then(|index| u16::try_from(index).ok()) else {
            let has =
                namespaces.iter().map(|uri| uri.escape_default().to_string()).collect::<Vec<_>>().join(", ");
            return Err(Failure::new(FailureKind::Said, format!("has no namespace \"{uri}\"; it has {has}")));
        };
        Ok(NodeId { namespace: index, ..self.id.clone() })
    }

    pub(super) fn needs_namespaces(&self) -> bool {
        self.namespace.is_some()
    }
}

/// What a variable holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Kind {
    scalar: VariantScalarTypeId,
    /// Its length, where it is an array.
    pub array: Option<usize>,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.array {
            None => self.scalar.fmt(f),
            Some(length) => write!(f, "{}[{length}]", self.scalar),
        }
    }
}

impl Kind {
    /// Told from the value itself; from the declared type where there is no value yet.
    pub(super) fn of(value: &Variant, declared: Option<VariantScalarTypeId>) -> Option<Self> {
        match value {
            Variant::Array(array) => Some(Self { scalar: array.value_type, array: Some(array.values.len()) }),
            Variant::Empty => declared.map(|scalar| Self { scalar, array: None }),
            scalar => scalar.scalar_type_id().map(|scalar| Self { scalar, array: None }),
        }
    }

    /// An array of this many 16-bit words: UInt16 (WORD) or Int16 (INT), whose bits are taken as they are.
    pub fn is_words(&self, count: usize) -> bool {
        self.array == Some(count)
            && matches!(self.scalar, VariantScalarTypeId::UInt16 | VariantScalarTypeId::Int16)
    }

    /// One value that a number can be written to.
    pub fn is_number(&self) -> bool {
        use VariantScalarTypeId as Id;
        let integers =
            [Id::SByte, Id::Byte, Id::Int16, Id::UInt16, Id::Int32, Id::UInt32, Id::Int64, Id::UInt64];
        self.array.is_none() && (integers.contains(&self.scalar) || self.scalar == Id::String)
    }
}

/// A variable that was looked at on the server.
#[derive(Clone, Debug)]
pub struct Node {
    pub(super) id: NodeId,
    /// As it was asked for.
    pub name: NodeName,
    /// What it holds.
    pub kind: Kind,
    /// This user may write it, as the server says.
    pub writable: bool,
}

/// A value to or from a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// 16-bit words, one array.
    Words(Vec<u16>),
    /// A number; written as the variable's own type, a text as decimal digits.
    Number(u32),
}

impl Node {
    /// `value` in the type the variable has.
    pub(super) fn encode(&self, value: &Value) -> Result<DataValue, Failure> {
        use VariantScalarTypeId as Id;
        let fit = |variant: Option<Variant>| {
            let wrong = || {
                let (name, kind) = (&self.name, self.kind);
                Failure::new(FailureKind::Said, format!("has {name} as {kind}, which cannot hold {value:?}"))
            };
            variant.map(DataValue::value_only::<Variant>).ok_or_else(wrong)
        };
        let number = match (value, self.kind.array) {
            (Value::Words(words), Some(length)) if length == words.len() => {
                return fit(words_as(self.kind.scalar, words));
            }
            (Value::Number(number), None) => *number,
            _ => return fit(None),
        };
        fit(match self.kind.scalar {
            Id::SByte => i8::try_from(number).ok().map(Variant::SByte),
            Id::Byte => u8::try_from(number).ok().map(Variant::Byte),
            Id::Int16 => i16::try_from(number).ok().map(Variant::Int16),
            Id::UInt16 => u16::try_from(number).ok().map(Variant::UInt16),
            Id::Int32 => i32::try_from(number).ok().map(Variant::Int32),
            Id::UInt32 => Some(Variant::UInt32(number)),
            Id::Int64 => Some(Variant::Int64(number.into())),
            Id::UInt64 => Some(Variant::UInt64(number.into())),
            Id::String => Some(Variant::from(number.to_string())),
            _ => None,
        })
    }

    /// The words that the server sent for it.
    pub(super) fn words(&self, sent: DataValue) -> Result<Vec<u16>, Failure> {
        let name = &self.name;
        if let Some(status) = sent.status.filter(|status| !status.is_good()) {
            return Err(said(name, status, "read"));
        }
        let words = match sent.value {
            Some(Variant::Array(array)) => array.values.iter().map(word).collect::<Option<Vec<u16>>>(),
            _ => None,
        };
        words.ok_or_else(|| {
            Failure::new(
                FailureKind::WrongAnswer,
                format!("sent something else than words for {name}; was its type changed?"),
            )
        })
    }
}

fn words_as(scalar: VariantScalarTypeId, words: &[u16]) -> Option<Variant> {
    let values = match scalar {
        VariantScalarTypeId::UInt16 => words.iter().map(|&word| Variant::UInt16(word)).collect::<Vec<_>>(),
        VariantScalarTypeId::Int16 => words.iter().map(|&word| Variant::Int16(word.cast_signed())).collect(),
        _ => return None,
    };
    Array::new(scalar, values).ok().map(|array| Variant::Array(Box::new(array)))
}

fn word(variant: &Variant) -> Option<u16> {
    match variant {
        Variant::UInt16(word) => Some(*word),
        Variant::Int16(word) => Some(word.cast_unsigned()),
        _ => None,
    }
}

/// A status the server gave for one node.
pub(super) fn said(name: &NodeName, status: StatusCode, did: &str) -> Failure {
    let code = status.sub_code().name();
    let says = match status {
        StatusCode::BadNodeIdUnknown | StatusCode::BadNodeIdInvalid => {
            format!(
                "has no node {name} ({code}); look it up with an OPC UA browser, and mind the namespace's number"
            )
        }
        StatusCode::BadUserAccessDenied => {
            format!("does not let this user {did} {name} ({code}); give the user that right there")
        }
        StatusCode::BadNotWritable | StatusCode::BadWriteNotSupported | StatusCode::BadNotReadable => {
            format!(
                "does not let anybody {did} {name} ({code}); permit it in the variable's properties there"
            )
        }
        StatusCode::BadTypeMismatch => {
            format!("says that {name} is of another type ({code}); was it changed?")
        }
        StatusCode::BadAttributeIdInvalid => format!("says that {name} is no variable ({code})"),
        _ => format!("could not {did} {name} ({code})"),
    };
    Failure::new(FailureKind::Said, says)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_named_by_number_or_by_its_namespaces_uri() {
        let namespaces = ["http://opcfoundation.org/UA/", "urn:plc", "http://line"].map(str::to_owned);
        let on = |name: &str| NodeName::try_from(name).unwrap().on(&namespaces).map(|id| id.to_string());
        assert_eq!(on("ns=3;s=\"DB_Plumb\".\"station\"").unwrap(), "ns=3;s=\"DB_Plumb\".\"station\"");
        assert_eq!(on("nsu=http://line;s=station").unwrap(), "ns=2;s=station");
        assert!(on("nsu=http://elsewhere;i=4").unwrap_err().says.contains("urn:plc"));
        for wrong in [
            "",
            "station",
            "ns=x;i=1",
            "ns=1;i=x",
            "nsu=;s=a",
            "nsu=http://a",
            "nsu=http://a;ns=2;i=1",
            "ns=70000;i=1",
        ] {
            assert!(NodeName::try_from(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_number_goes_into_the_type_that_is_there_or_is_refused() {
        let node = |scalar, array| Node {
            id: NodeId::null(),
            name: "i=1".try_into().unwrap(),
            kind: Kind { scalar, array },
            writable: true,
        };
        let written = |scalar, number| {
            node(scalar, None).encode(&Value::Number(number)).map(|data| data.value.unwrap())
        };
        assert_eq!(written(VariantScalarTypeId::Int32, 0x5AA5), Ok(Variant::Int32(0x5AA5)));
        assert_eq!(written(VariantScalarTypeId::String, 7), Ok(Variant::from("7")));
        assert!(written(VariantScalarTypeId::Byte, 0x5AA5).unwrap_err().says.contains("cannot hold"));
        assert!(written(VariantScalarTypeId::Boolean, 1).is_err());
        let words = Value::Words(vec![0xFFFF; 10]);
        assert!(node(VariantScalarTypeId::Int16, Some(10)).encode(&words).is_ok());
        assert!(node(VariantScalarTypeId::UInt16, Some(9)).encode(&words).is_err());
    }
}
