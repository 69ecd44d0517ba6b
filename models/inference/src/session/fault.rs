//! What ONNX Runtime's prose means: it has few codes, and says most things in words.

use crate::error::DeviceFault;

/// Why ONNX Runtime would not open a graph.
#[derive(Debug)]
pub(crate) enum OpenError {
    /// The device is not there, or the library has nothing for it.
    Device(String),
    /// The device is there and has failed.
    Fault(DeviceFault, String),
    /// No whole ONNX file.
    NotOnnx(String),
    /// An operator it does not have.
    Operator(String),
    /// Anything else.
    Refused(String),
}

/// Why a run gave nothing.
#[derive(Debug)]
pub(crate) enum RunError {
    /// The device has failed.
    Fault(DeviceFault, String),
    /// The server has, or was not there in time.
    Remote(plumb_remote::RemoteError),
    /// Anything else.
    Failed(String),
}

/// As it was opened.
pub(crate) fn opening(message: &str) -> OpenError {
    let message = tidy(message);
    if let Some(operator) = unknown_operator(&message) {
        return OpenError::Operator(operator);
    }
    let lower = message.to_lowercase();
    if ["protobuf parsing failed", "does not have a graph", "no graph was found"]
        .iter()
        .any(|w| lower.contains(w))
    {
        return OpenError::NotOnnx(message);
    }
    match fault(&lower) {
        Some(fault) => OpenError::Fault(fault, message),
        None => OpenError::Refused(message),
    }
}

/// As it ran.
pub(crate) fn running(message: &str) -> RunError {
    let message = tidy(message);
    match fault(&message.to_lowercase()) {
        Some(fault) => RunError::Fault(fault, message),
        None => RunError::Failed(message),
    }
}

/// Words of ONNX Runtime's allocators, of CUDA, cuBLAS, cuDNN and TensorRT. Lost comes first: a broken context makes
/// every later call fail, those for memory too.
const WORDS: [(DeviceFault, &[&str]); 3] = [
    (
        DeviceFault::Lost,
        &[
            "cuda failure 4:",   // the driver is shutting down
            "cuda failure 46:",  // all cards are busy or unavailable
            "cuda failure 100:", // no card is there any more
            "cuda failure 214:", // uncorrectable ECC error
            "cuda failure 700:", // illegal address
            "cuda failure 710:", // device-side assert
            "cuda failure 719:", // unspecified launch failure
            "cuda failure 999:", // unknown error
            "illegal memory access",
            "unspecified launch failure",
            "device-side assert",
            "device lost",
            "device is lost",
            "device_lost",
            "cl_out_of_resources",
            "uncorrectable ecc",
            "driver shutting down",
        ],
    ),
    (
        DeviceFault::OutOfMemory,
        &[
            "failed to allocate memory",
            "out of memory",
            "cuda failure 2:",
            "bad_alloc",
            "bad allocation",
            "smaller than requested bytes",
            "_alloc_failed",
            "can't allocate",
            "cannot allocate memory",
            "could not allocate",
        ],
    ),
    (
        DeviceFault::EngineBuild,
        &[
            "failed to create engine",
            "failed to build engine",
            "could not build engine",
            "failed to deserialize engine",
            "failed to create execution context",
            "tensorrt ep failed to",
        ],
    ),
];

fn fault(lower: &str) -> Option<DeviceFault> {
    WORDS.iter().find(|(_, words)| words.iter().any(|word| lower.contains(word))).map(|(fault, _)| *fault)
}

/// ONNX Runtime puts the place in its own source before its sentences; nobody at a station can do anything with it.
fn tidy(message: &str) -> String {
    let line = message.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ");
    match line.split_once(".cc:") {
        Some((path, rest)) if path.starts_with('/') && !path.contains(' ') => {
            let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit());
            rest.trim_start().to_owned()
        }
        _ => line,
    }
}

fn unknown_operator(message: &str) -> Option<String> {
    let word = match message.split_once(" is not a registered function/op") {
        Some((before, _)) => before.rsplit(char::is_whitespace).next()?,
        None => ["Could not find an implementation for ", "No Op registered for "]
            .iter()
            .find_map(|words| message.split_once(words))
            .and_then(|(_, after)| after.split(char::is_whitespace).next())?,
    };
    word.split('(').next().filter(|operator| !operator.is_empty()).map(ToOwned::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_operator_is_found_in_onnx_runtimes_prose() {
        let rows = [
            (
                "Load model from x failed:Fatal error: com.microsoft.extensions:DecodeImage(-1) is not a registered function/op",
                Some("com.microsoft.extensions:DecodeImage"),
            ),
            ("Could not find an implementation for Foo(11) node with name 'n'", Some("Foo")),
            ("No Op registered for Frobnicate with domain_version of 17", Some("Frobnicate")),
            ("Protobuf parsing failed.", None),
        ];
        for (message, operator) in rows {
            assert_eq!(unknown_operator(message).as_deref(), operator, "{message}");
        }
    }

    /// Sentences as the libraries print them: from their sources and from reports; the CPU's own is provoked in
    /// `tests/devices.rs`.
    #[test]
    fn a_devices_failure_is_told_from_a_models() {
        use DeviceFault::{EngineBuild, Lost, OutOfMemory};
        let rows = [
            ("Failed to allocate memory for requested buffer of size 140737488355328", Some(OutOfMemory)),
            (
                "CUDA failure 2: out of memory ; GPU=0 ; hostname=x ; file=cuda_allocator.cc ; line=47",
                Some(OutOfMemory),
            ),
            (
                "BFCArena::AllocateRawInternal Available memory of 1048576 is smaller than requested bytes of 4194304",
                Some(OutOfMemory),
            ),
            ("CUBLAS failure 3: CUBLAS_STATUS_ALLOC_FAILED ; GPU=0", Some(OutOfMemory)),
            ("CUDNN failure 4: CUDNN_STATUS_ALLOC_FAILED ; GPU=0", Some(OutOfMemory)),
            ("std::bad_alloc", Some(OutOfMemory)),
            ("CUDA failure 700: an illegal memory access was encountered ; GPU=0", Some(Lost)),
            ("CUDA failure 719: unspecified launch failure ; GPU=0", Some(Lost)),
            ("CUDA failure 999: unknown error ; GPU=0", Some(Lost)),
            ("CUDA failure 100: no CUDA-capable device is detected", Some(Lost)),
            ("TensorRT EP failed to create engine from network for fused node: x", Some(EngineBuild)),
            ("Non-zero status code returned while running Conv node. Input channels C is not equal to", None),
            ("CUDA failure 209: no kernel image is available", None),
            ("CUDA failure 29: nothing of the kind", None),
        ];
        for (message, expected) in rows {
            assert_eq!(fault(&message.to_lowercase()), expected, "{message}");
        }
    }

    #[test]
    fn the_place_in_somebody_elses_source_is_left_out() {
        let says = "/onnxruntime_src/onnxruntime/core/x.cc:1577 bool onnxruntime::Load() Failed to load\n";
        assert_eq!(tidy(says), "bool onnxruntime::Load() Failed to load");
        assert_eq!(tidy("Load model from a.cc failed"), "Load model from a.cc failed");
    }
}
