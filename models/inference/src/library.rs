//! What only ONNX Runtime's C interface can say about itself. The one file of this crate with `unsafe`.
#![allow(unsafe_code)]

use ort::AsPointer as _;
use ort::session::Session;
use ort::sys;
use std::collections::BTreeMap;
use std::ffi::{CStr, c_char, c_int};
use std::path::Path;

/// Version of the library at `path` (a file, or a bare name for the system's loader), e.g. `1.32.0`.
///
/// # Errors
/// The loader's own words, for a file that cannot be loaded or is another library.
pub(crate) fn version(path: &Path) -> Result<String, String> {
    // SAFETY: loading a library runs its initialisers. It is the file the operator named, or the one our setup
    // installed, and it is loaded a moment later for good anyway.
    let library = unsafe { libloading::Library::new(path) }.map_err(|e| reason(&e))?;
    // SAFETY: the signature is the one of `onnxruntime_c_api.h`, unchanged since its version 1.
    let base: libloading::Symbol<'_, unsafe extern "C" fn() -> *const sys::OrtApiBase> =
        unsafe { library.get(b"OrtGetApiBase") }
            .map_err(|_| "this is a library, but not ONNX Runtime (it has no OrtGetApiBase)".to_owned())?;
    // SAFETY: the function takes nothing and gives a pointer to a static, or null.
    let base = unsafe { base() };
    if base.is_null() {
        return Err("its OrtGetApiBase gave nothing".to_owned());
    }
    // SAFETY: `base` is not null and points to a static of `library`, which lives until the end of this function;
    // the version is a static, null-terminated string in it.
    let text = unsafe { CStr::from_ptr(((*base).GetVersionString)()) };
    Ok(text.to_string_lossy().into_owned())
}

/// Execution providers compiled into the loaded library, best first; e.g. `CPUExecutionProvider`.
///
/// Call it only after the library is loaded: [`crate::Runtime`] does.
pub(crate) fn providers() -> Vec<String> {
    let api = ort::api();
    let (mut names, mut count): (*mut *mut c_char, c_int) = (std::ptr::null_mut(), 0);
    // SAFETY: both pointers are to live locals; the library fills them in.
    let status = unsafe { (api.GetAvailableProviders)(&raw mut names, &raw mut count) };
    // SAFETY: a status is null or owned by us, and `result_from_status` takes it over.
    if unsafe { ort::Error::result_from_status(status) }.is_err() || names.is_null() {
        return Vec::new();
    }
    let found = (0..usize::try_from(count).unwrap_or(0))
        // SAFETY: the library gave `count` null-terminated strings.
        .map(|i| unsafe { CStr::from_ptr(*names.add(i)) }.to_string_lossy().into_owned())
        .collect();
    // SAFETY: the list is given back once, with the count it came with, after the names were copied.
    let status = unsafe { (api.ReleaseAvailableProviders)(names, count) };
    // SAFETY: as above.
    if let Err(error) = unsafe { ort::Error::result_from_status(status) } {
        tracing::debug!(%error, "ONNX Runtime did not take its list of providers back.");
    }
    found
}

/// How many nodes of `graph` each execution provider runs, as ONNX Runtime placed them; empty where it does not say.
/// What a provider runs as a whole counts with the nodes it was made from.
pub(crate) fn placement(graph: &Session) -> BTreeMap<String, usize> {
    let api = ort::api();
    let (mut parts, mut count): (*const *const sys::OrtEpAssignedSubgraph, usize) = (std::ptr::null(), 0);
    // SAFETY: the session lives through this call, and both pointers are to live locals, which the library fills in. The
    // function is one of version 24, below which `Runtime::load` takes no library.
    let status =
        unsafe { (api.Session_GetEpGraphAssignmentInfo)(graph.ptr(), &raw mut parts, &raw mut count) };
    // SAFETY: a status is null or owned by us, and `result_from_status` takes it over.
    if unsafe { ort::Error::result_from_status(status) }.is_err() || parts.is_null() {
        return BTreeMap::new();
    }
    let mut nodes = BTreeMap::new();
    for i in 0..count {
        // SAFETY: the library gave `count` pointers; they and what they point to belong to the session.
        let part = unsafe { *parts.add(i) };
        let mut name: *const c_char = std::ptr::null();
        let (mut members, mut size): (*const *const sys::OrtEpAssignedNode, usize) = (std::ptr::null(), 0);
        // SAFETY: as for the list itself.
        let told = unsafe {
            ort::Error::result_from_status((api.EpAssignedSubgraph_GetEpName)(part, &raw mut name)).is_ok()
                && ort::Error::result_from_status((api.EpAssignedSubgraph_GetNodes)(
                    part,
                    &raw mut members,
                    &raw mut size,
                ))
                .is_ok()
        };
        if told && !name.is_null() {
            // SAFETY: the library gave a null-terminated string, which belongs to the session.
            let name = unsafe { CStr::from_ptr(name) }.to_string_lossy();
            *nodes.entry(name.trim_end_matches("ExecutionProvider").to_owned()).or_default() += size;
        }
    }
    nodes
}

fn reason(error: &libloading::Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}
