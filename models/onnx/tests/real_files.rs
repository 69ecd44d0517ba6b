//! Real files, whole and damaged.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "clippy knows tests by their attribute, not by their folder"
)]

use plumb_onnx::{ElementType, Layout, OnnxError, OnnxFile, Prelude, PreludeError};
use proptest::prelude::*;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// Every `.onnx` below `models/`, and those of the shared data where this checkout has them.
static FILES: LazyLock<Vec<(PathBuf, Vec<u8>)>> = LazyLock::new(|| {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("..")];
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/models");
    let data = std::env::var_os("PLUMB_DATA").map_or(data, |data| Path::new(&data).join("models"));
    if data.is_dir() {
        folders.push(data);
    } else {
        println!("skipped: no shared data at {}", data.display());
    }
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "onnx") {
                files.push((path.clone(), std::fs::read(&path).unwrap()));
            }
        }
    }
    files.sort();
    files
});

fn file(name: &str) -> OnnxFile {
    let (path, bytes) = FILES.iter().find(|(path, _)| path.ends_with(name)).unwrap();
    OnnxFile::parse(bytes.clone(), path).unwrap_or_else(|error| panic!("{error}"))
}

fn plain() -> Prelude {
    Prelude { layout: Layout::Nchw, reverse_channels: false, scale: 1.0 / 255.0, mean: vec![], std: vec![] }
}

/// Everything there is to ask, so that no question panics.
fn ask_everything(file: &OnnxFile) {
    let values: Vec<String> = file.inputs().iter().chain(&file.outputs()).map(ToString::to_string).collect();
    std::hint::black_box((values, file.metadata(), file.producer(), file.ir_version(), file.opsets()));
    std::hint::black_box((file.operators(), file.initialisers().count()));
    for external in file.external_files() {
        std::hint::black_box(external.beside(Path::new("/nowhere")));
    }
    let _ = std::hint::black_box(plain().compose(file)).map(|composed| composed.encode().len());
}

#[test]
fn every_file_comes_back_byte_for_byte() {
    assert!(FILES.len() >= 14, "{}", FILES.len());
    for (path, bytes) in &*FILES {
        let file = OnnxFile::parse(bytes.clone(), path).unwrap_or_else(|error| panic!("{error}"));
        assert!(file.encode() == *bytes, "{} changes when it is written again", path.display());
        ask_everything(&file);
    }
}

#[test]
fn a_file_tells_what_it_is() {
    let file = file("bottle-cap/bottle-cap.onnx");
    let told: Vec<String> = file.inputs().iter().chain(&file.outputs()).map(ToString::to_string).collect();
    println!("{told:?} {} ir {} {:?}", file.producer(), file.ir_version(), file.opsets());
    assert_eq!(file.inputs()[0].element, Some(ElementType::F32));
    assert!(file.opsets()[""] >= 7 && file.ir_version() >= 3);
    assert!(file.operators().keys().any(|operator| operator.name == "Conv" && operator.domain.is_empty()));
    assert!(file.initialisers().count() > 10 && file.external_files().is_empty());
}

#[test]
fn a_prelude_turns_the_input_into_bytes_and_leaves_all_else() {
    let before = file("detector-dynamic.onnx");
    let prelude = Prelude { mean: vec![0.5, 0.4, 0.3], std: vec![0.2], reverse_channels: true, ..plain() };
    let after = prelude.compose(&before).unwrap();
    let after = OnnxFile::parse(after.encode(), Path::new("composed.onnx")).unwrap();
    let old = before.inputs().remove(0);
    let [batch, _, rows, columns] = old.sides() else { panic!("{old}") };
    assert_eq!(after.inputs()[0].to_string(), format!("frame: uint8 [{batch}, {rows}, {columns}, 3]"));
    assert_eq!((after.outputs(), after.metadata()), (before.outputs(), before.metadata()));
    let ops: Vec<&str> =
        after.model().graph.as_ref().unwrap().node.iter().map(|node| node.op_type()).take(8).collect();
    assert_eq!(ops[..8], ["Cast", "Transpose", "Constant", "Gather", "Constant", "Sub", "Constant", "Div"]);
    assert_eq!(after.opsets(), before.opsets());
}

#[test]
fn a_model_of_half_floats_is_handed_half_floats() {
    let after = plain().compose(&file("classifier-f16.onnx")).unwrap();
    let nodes = &after.model().graph.as_ref().unwrap().node;
    let ops: Vec<&str> = nodes.iter().map(|node| node.op_type()).take(5).collect();
    assert_eq!(ops, ["Cast", "Transpose", "Constant", "Div", "Cast"]);
    assert_eq!(nodes[4].attribute[0].i(), 10);
}

#[test]
fn what_cannot_have_a_prelude_is_refused_with_its_reason() {
    let refused = |name: &str, prelude: Prelude| prelude.compose(&file(name)).unwrap_err();
    assert!(matches!(refused("refused-two-inputs.onnx", plain()), PreludeError::Inputs { .. }));
    assert!(matches!(
        refused("classifier-u8.onnx", plain()),
        PreludeError::Element { .. } | PreludeError::Channels { .. }
    ));
    let nhwc = Prelude { layout: Layout::Nhwc, ..plain() };
    assert!(matches!(refused("classifier.onnx", nhwc), PreludeError::Channels { axis: 3, .. }));
    let two = Prelude { mean: vec![0.0; 2], ..plain() };
    assert!(matches!(refused("classifier.onnx", two), PreludeError::Constants { what: "mean", .. }));
    let flat = Prelude { std: vec![0.0], ..plain() };
    assert!(matches!(refused("classifier.onnx", flat), PreludeError::Constants { what: "std", .. }));
    let none = Prelude { scale: 0.0, ..plain() };
    assert!(matches!(refused("classifier.onnx", none), PreludeError::Constants { what: "scale", .. }));
    let twice = plain().compose(&plain().compose(&file("classifier.onnx")).unwrap()).unwrap_err();
    println!("{twice}");
    assert!(matches!(twice, PreludeError::Channels { .. } | PreludeError::Element { .. }), "{twice}");
}

#[test]
fn what_is_no_onnx_file_is_named_for_what_it_is() {
    let said = |bytes: &[u8]| OnnxFile::parse(bytes.to_vec(), Path::new("m.onnx")).unwrap_err().to_string();
    for (bytes, says) in [
        (&b""[..], "m.onnx is empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "git lfs pull"),
        (b"PK\x03\x04rest", "PyTorch weights"),
        (b"<!DOCTYPE html><html>404</html>", "a web page"),
        (b"\x1c\0\0\0TFL3rest", "TensorFlow Lite"),
        (b"\0\0\0\0\0\0\0\0", "not a whole ONNX file"),
        (b"\x08\x07", "no graph"),
    ] {
        let says_what = said(bytes);
        assert!(says_what.contains(says), "{says_what}");
    }
    let whole = &FILES[0].1;
    let cut = said(&whole[..whole.len() / 2]);
    assert!(cut.contains("not a whole ONNX file") && cut.contains("copy it again"), "{cut}");
    let missing = OnnxFile::read(Path::new("no/such.onnx")).unwrap_err();
    assert!(matches!(missing, OnnxError::Unreadable { .. }), "{missing}");
}

/// The smaller ones, for the property below looks at many thousand mutations.
fn small() -> impl Strategy<Value = &'static [u8]> {
    let small: Vec<&[u8]> =
        FILES.iter().map(|(_, bytes)| &bytes[..]).filter(|bytes| bytes.len() < 20_000).collect();
    proptest::sample::select(small)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_damaged_file_is_an_error_or_a_model_and_never_a_panic(
        bytes in small(),
        cut in 0.0..1.0_f64,
        flips in proptest::collection::vec((any::<proptest::sample::Index>(), 0..8_u8), 0..24),
        inserted in proptest::collection::vec(any::<u8>(), 0..12),
        is_cut in any::<bool>(),
    ) {
        let mut bytes = bytes.to_vec();
        if is_cut {
            bytes.truncate((bytes.len() as f64 * cut) as usize);
        }
        for (at, bit) in flips {
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                bytes[at] ^= 1 << bit;
            }
        }
        let at = (bytes.len() as f64 * cut) as usize;
        bytes.splice(at..at, inserted);
        if let Ok(file) = OnnxFile::parse(bytes, Path::new("damaged.onnx")) {
            ask_everything(&file);
        }
    }

    #[test]
    fn any_bytes_at_all_are_an_error_or_a_model(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        if let Ok(file) = OnnxFile::parse(bytes, Path::new("noise.onnx")) {
            ask_everything(&file);
        }
    }
}

/// A graph in a node in a graph, a thousand times over: ten bytes a level, and a stack that must not end.
#[test]
fn a_graph_nested_without_end_is_refused() {
    let field = |number: u8, body: &[u8]| {
        let mut bytes = vec![number << 3 | 2];
        let mut length = body.len();
        while length > 127 {
            bytes.push((length & 127) as u8 | 128);
            length >>= 7;
        }
        bytes.push(length as u8);
        bytes.extend_from_slice(body);
        bytes
    };
    // GraphProto.node = 1, NodeProto.attribute = 5, AttributeProto.g = 6, ModelProto.graph = 7.
    let mut graph = Vec::new();
    for _ in 0..1000 {
        graph = field(1, &field(5, &field(6, &graph)));
    }
    let refused = OnnxFile::parse(field(7, &graph), Path::new("deep.onnx")).unwrap_err();
    assert!(matches!(refused, OnnxError::NotOnnx { .. }), "{refused}");
}

/// A file of empty nodes: two bytes become a node of a few hundred, and no more than that.
#[test]
fn a_file_that_claims_to_be_huge_is_not_believed() {
    // ModelProto.graph, of which 4 GiB are promised and three bytes come.
    let promised = [0x3a, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x0a, 0x00, 0x00];
    let refused = OnnxFile::parse(promised.to_vec(), Path::new("huge.onnx")).unwrap_err();
    assert!(matches!(refused, OnnxError::NotOnnx { .. }), "{refused}");
}
