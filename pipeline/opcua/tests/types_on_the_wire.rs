//! Every structure of Machine Vision byte for byte as asyncua writes it, with and without its optional fields, and read
//! again on both sides.

#![allow(clippy::unwrap_used)] // a test's helpers are part of the test

mod little_server;
mod little_station;
mod peer;

use little_server::{introduce, pki};
use little_station::{PASSWORD, Served, users};
use opcua::types::{
    Array, BinaryDecodable, BinaryEncodable, ByteString, ContextOwned, DateTime, DecodingOptions,
    DynEncodable, ExpandedMessageInfo, ExtensionObject, NamespaceMap, Variant, VariantScalarTypeId,
};
use peer::{ask, python};
use plumb_opcua::machine_vision::{
    NAMESPACE,
    types::{
        BinaryIdBaseDataType, ConfigurationDataType, ConfigurationIdDataType, ConfigurationTransferOptions,
        JobIdDataType, MachineVisionTypes, MeasIdDataType, PartIdDataType, ProcessingTimesDataType,
        ProductDataType, ProductIdDataType, RecipeIdExternalDataType, RecipeIdInternalDataType,
        RecipeTransferOptions, ResultDataType, ResultIdDataType, ResultTransferOptions,
        SystemStateDescriptionDataType,
    },
};
use serde_json::{Value, json};

/// A structure, and how asyncua is to make the same.
struct Row {
    ours: ExtensionObject,
    theirs: Value,
}

fn row<T: DynEncodable + ExpandedMessageInfo>(ours: T, theirs: Value) -> Row {
    Row { ours: ExtensionObject::new(ours), theirs }
}

fn time(text: &str) -> (DateTime, Value) {
    let text = format!("{text}+00:00");
    (DateTime::parse_from_rfc3339(&text).unwrap(), json!({ "time": text }))
}

/// A structure of a name with contents, whole and bare.
macro_rules! of_contents {
    ($($name:ident)*) => {
        [$(
            row(whole!($name), whole_json(stringify!($name))),
            row($name { id: "only".into(), ..$name::default() }, json!({ "type": stringify!($name), "Id": "only" })),
        )*]
    };
}

macro_rules! whole {
    ($name:ident) => {
        $name {
            id: "ä-1".into(),
            version: Some("7".into()),
            hash: Some(ByteString::from(vec![0, 255])),
            hash_algorithm: Some("SHA-256".into()),
            description: Some("a washer".into()),
        }
    };
}

fn whole_json(name: &str) -> Value {
    json!({
        "type": name, "Id": "ä-1", "Version": "7", "Hash": { "bytes": "00ff" }, "HashAlgorithm": "SHA-256",
        "Description": { "text": "a washer" },
    })
}

macro_rules! of_description {
    ($($name:ident)*) => {
        [$(
            row(
                $name { id: "p".into(), description: Some("for people".into()) },
                json!({ "type": stringify!($name), "Id": "p", "Description": { "text": "for people" } }),
            ),
            row($name { id: "p".into(), description: None }, json!({ "type": stringify!($name), "Id": "p" })),
        )*]
    };
}

fn rows() -> Vec<Row> {
    let mut rows: Vec<Row> = of_contents!(
        BinaryIdBaseDataType ConfigurationIdDataType RecipeIdExternalDataType RecipeIdInternalDataType
    )
    .into();
    rows.extend(of_description!(MeasIdDataType PartIdDataType ProductIdDataType));
    rows.push(row(JobIdDataType { id: "j".into() }, json!({ "type": "JobIdDataType", "Id": "j" })));
    rows.push(row(ResultIdDataType { id: "r".into() }, json!({ "type": "ResultIdDataType", "Id": "r" })));
    rows.push(row(
        ResultTransferOptions { id: ResultIdDataType { id: "r".into() } },
        json!({ "type": "ResultTransferOptions", "Id": { "type": "ResultIdDataType", "Id": "r" } }),
    ));
    rows.push(row(
        RecipeTransferOptions { internal_id: whole!(RecipeIdInternalDataType) },
        json!({ "type": "RecipeTransferOptions", "InternalId": whole_json("RecipeIdInternalDataType") }),
    ));
    rows.push(row(
        ConfigurationTransferOptions { internal_id: whole!(ConfigurationIdDataType) },
        json!({ "type": "ConfigurationTransferOptions", "InternalId": whole_json("ConfigurationIdDataType") }),
    ));
    rows.push(row(
        ProductDataType { external_id: ProductIdDataType { id: "p".into(), description: None } },
        json!({ "type": "ProductDataType", "ExternalId": { "type": "ProductIdDataType", "Id": "p" } }),
    ));
    rows.push(row(
        SystemStateDescriptionDataType { state: 5, state_description: Some("broken".into()) },
        json!({ "type": "SystemStateDescriptionDataType", "State": { "enum": "SystemStateDataType", "is": 5 },
                "StateDescription": "broken" }),
    ));
    rows.push(row(
        SystemStateDescriptionDataType { state: 1, state_description: None },
        json!({ "type": "SystemStateDescriptionDataType", "State": { "enum": "SystemStateDataType", "is": 1 } }),
    ));
    rows.extend(configurations());
    rows.extend(results());
    rows
}

fn configurations() -> [Row; 2] {
    let (at, at_json) = time("2026-01-02T03:04:05.678900");
    [
        row(
            ConfigurationDataType {
                has_transferable_data_on_file: Some(true),
                external_id: Some(whole!(ConfigurationIdDataType)),
                internal_id: ConfigurationIdDataType { id: "c".into(), ..Default::default() },
                last_modified: at,
            },
            json!({
                "type": "ConfigurationDataType", "HasTransferableDataOnFile": true,
                "ExternalId": whole_json("ConfigurationIdDataType"),
                "InternalId": { "type": "ConfigurationIdDataType", "Id": "c" }, "LastModified": at_json,
            }),
        ),
        row(
            ConfigurationDataType {
                internal_id: ConfigurationIdDataType { id: "c".into(), ..Default::default() },
                last_modified: at,
                ..ConfigurationDataType::default()
            },
            json!({
                "type": "ConfigurationDataType", "InternalId": { "type": "ConfigurationIdDataType", "Id": "c" },
                "LastModified": at_json,
            }),
        ),
    ]
}

fn results() -> [Row; 4] {
    let ((from, from_json), (to, to_json)) =
        (time("2026-01-02T03:04:05"), time("2026-01-02T03:04:05.009000"));
    let bare = ResultDataType {
        result_id: ResultIdDataType { id: "1@2".into() },
        is_partial: true,
        result_state: 4,
        internal_recipe_id: RecipeIdInternalDataType { id: "washer".into(), ..Default::default() },
        internal_configuration_id: ConfigurationIdDataType { id: "c".into(), ..Default::default() },
        job_id: JobIdDataType { id: "j".into() },
        creation_time: to,
        ..ResultDataType::default()
    };
    let bare_json = json!({
        "type": "ResultDataType", "ResultId": { "type": "ResultIdDataType", "Id": "1@2" }, "IsPartial": true,
        "ResultState": 4, "InternalRecipeId": { "type": "RecipeIdInternalDataType", "Id": "washer" },
        "InternalConfigurationId": { "type": "ConfigurationIdDataType", "Id": "c" },
        "JobId": { "type": "JobIdDataType", "Id": "j" }, "CreationTime": to_json,
    });
    let reasons = vec![Variant::from("a dent"), Variant::from("a burr")];
    let reasons = Array::new(VariantScalarTypeId::String, reasons).unwrap();
    let whole = ResultDataType {
        has_transferable_data_on_file: Some(false),
        is_simulated: Some(true),
        meas_id: Some(MeasIdDataType { id: "m".into(), description: None }),
        part_id: Some(PartIdDataType { id: "p".into(), description: Some("a part".into()) }),
        external_recipe_id: Some(whole!(RecipeIdExternalDataType)),
        product_id: Some(ProductIdDataType { id: "w".into(), description: None }),
        external_configuration_id: Some(whole!(ConfigurationIdDataType)),
        processing_times: Some(ProcessingTimesDataType {
            start_time: from,
            end_time: to,
            acquisition_duration: Some(3.25),
            processing_duration: None,
        }),
        result_content: Some(Some(vec![
            Variant::from(2),
            Variant::from("fail"),
            Variant::Array(Box::new(reasons)),
            Variant::from("SN1"),
        ])),
        ..bare.clone()
    };
    let times_json = json!({
        "type": "ProcessingTimesDataType", "StartTime": from_json, "EndTime": to_json, "AcquisitionDuration": 3.25,
    });
    let mut all_json = bare_json.clone();
    for (name, value) in [
        ("HasTransferableDataOnFile", json!(false)),
        ("IsSimulated", json!(true)),
        ("MeasId", json!({ "type": "MeasIdDataType", "Id": "m" })),
        ("PartId", json!({ "type": "PartIdDataType", "Id": "p", "Description": { "text": "a part" } })),
        ("ExternalRecipeId", whole_json("RecipeIdExternalDataType")),
        ("ProductId", json!({ "type": "ProductIdDataType", "Id": "w" })),
        ("ExternalConfigurationId", whole_json("ConfigurationIdDataType")),
        ("ProcessingTimes", times_json.clone()),
        (
            "ResultContent",
            json!([{ "int32": 2 }, { "string": "fail" }, { "strings": ["a dent", "a burr"] }, { "string": "SN1" }]),
        ),
    ] {
        all_json[name] = value;
    }
    let no_durations = ProcessingTimesDataType { start_time: from, end_time: to, ..Default::default() };
    [
        row(bare, bare_json),
        row(whole.processing_times.clone().unwrap(), times_json),
        row(
            no_durations,
            json!({ "type": "ProcessingTimesDataType", "StartTime": from_json, "EndTime": to_json }),
        ),
        row(whole, all_json),
    ]
}

/// As the server has it: its own namespace is 1, Machine Vision 2.
fn context() -> ContextOwned {
    let mut namespaces = NamespaceMap::new();
    for (namespace, index) in [("urn:test:station", 1), (NAMESPACE, 2)] {
        assert_eq!(namespaces.add_namespace(namespace), index);
    }
    let mut context = ContextOwned::new_default(namespaces, DecodingOptions::default());
    context.loaders_mut().add_type_loader(MachineVisionTypes);
    context
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn every_structure_is_byte_for_byte_what_asyncua_writes_and_is_read_on_both_sides() {
    let folder = tempfile::tempdir().unwrap();
    let client = pki(folder.path(), "client");
    let served = Served::start(folder.path(), users());
    introduce(&served.pki, &client);
    let own = client.own().unwrap().unwrap();
    let (context, rows) = (context(), rows());
    let values: Vec<Value> = rows
        .iter()
        .map(|row| json!([row.theirs, hex(&row.ours.encode_to_vec(&context.context()))]))
        .collect();
    let Some(peer) = python() else { return };
    let said = ask(
        peer,
        "machine_vision.py",
        &json!({
            "url": served.url(), "uri": own.certificate.application_uri, "policy": "Aes256_Sha256_RsaPss",
            "certificate": own.certificate_path, "key": own.key_path, "user": "olga", "password": PASSWORD,
            "scene": "wire", "values": values,
        }),
    );
    let said = said.as_array().unwrap();
    assert_eq!(said.len(), rows.len());
    for (at, (row, said)) in rows.iter().zip(said).enumerate() {
        assert_eq!(values[at][1], said[0], "asyncua writes {} otherwise", row.theirs);
        assert_eq!(said[1], said[2], "asyncua reads ours otherwise");
        let theirs = bytes(said[0].as_str().unwrap());
        let read = ExtensionObject::decode(&mut theirs.as_slice(), &context.context()).unwrap();
        assert_eq!(read, row.ours, "{}", row.theirs);
    }
}

#[test]
fn trap_what_a_structure_has_too_much_is_not_taken_for_the_next_value() {
    let context = context();
    let context = context.context();
    let recipe = RecipeIdExternalDataType { id: "fuse".into(), ..Default::default() };
    let recipe = ExtensionObject::new(recipe);
    let mut bytes = recipe.encode_to_vec(&context);
    let id = "fuse".len() + 4;
    let at = bytes.len() - id - 4 - 4; // the length of the body, before its mask and its one field
    bytes[at..at + 4].copy_from_slice(&(4 + 2 * id as u32).to_le_bytes());
    bytes.extend_from_within(bytes.len() - id..);
    Variant::Empty.encode(&mut bytes, &context).unwrap();
    let mut stream = bytes.as_slice();
    assert_eq!(ExtensionObject::decode(&mut stream, &context).unwrap(), recipe);
    assert_eq!(Variant::decode(&mut stream, &context).unwrap(), Variant::Empty);
    assert!(stream.is_empty());
}

/// Clients send these as arguments of methods: whatever comes is a structure or an error.
#[test]
fn a_structure_that_is_cut_or_changed_is_an_error_or_another_structure_and_never_a_panic() {
    let context = context();
    let context = context.context();
    for row in rows() {
        let whole = row.ours.encode_to_vec(&context);
        for at in 0..whole.len() {
            let _ = ExtensionObject::decode(&mut &whole[..at], &context); // either is right
            for bit in [1, 0x80, 0xff] {
                let mut changed = whole.clone();
                changed[at] ^= bit;
                let _ = ExtensionObject::decode(&mut changed.as_slice(), &context); // either is right
            }
        }
    }
}
