//! The ONNX Runtime library: found, loaded once, kept for the life of the process.

use crate::{Device, library};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// The loaded ONNX Runtime library and its environment: one a process, cheap to clone.
#[derive(Clone, Debug)]
pub struct Runtime(Arc<Loaded>);

#[derive(Debug)]
struct Loaded {
    environment: ort::environment::Environment,
    version: String,
    path: PathBuf,
}

/// The library stays loaded until the process ends: sessions on other threads may still be ending when `main` does.
static LOADED: Mutex<Option<Runtime>> = Mutex::new(None);

impl Runtime {
    /// As [`Runtime::load_for`], for models that run on `auto`.
    ///
    /// # Errors
    /// As there.
    pub fn load(path: Option<&Path>) -> Result<Self, RuntimeError> {
        Self::load_for(path, &[Device::Auto])
    }

    /// Loads the library, or hands out the one that is loaded already.
    ///
    /// Looks at `path`, then `$PLUMB_ORT_LIB`, then `$ORT_DYLIB_PATH` (each a file, or a folder with the library in
    /// it): the first that is set is the only one tried, for a wish that cannot be met is an error. Without one:
    /// `<exe>/../lib/plumb/`, `.plumb/lib/` of the working folder and the folders above it, and of every folder above the
    /// executable; at last the system's own library path.
    ///
    /// No build of the library has every provider, so each of these folders may have others in it: `cuda/`, which is
    /// looked at first where one of `devices` is `cuda` or `tensorrt`, or `auto` on a machine with NVIDIA's driver; and
    /// `openvino/`, first where one of them is `openvino`. Where devices want both, `cuda/` is looked at first, and a model
    /// on the other is refused with that reason: one process holds one library.
    ///
    /// CUDA's own libraries are taken from the folder of the library where they lie there, else from the system.
    ///
    /// # Errors
    /// When nothing was found (the message lists every place), when what was asked for does not load or is too old,
    /// or when another file was asked for than the one this process has loaded.
    pub fn load_for(path: Option<&Path>, devices: &[Device]) -> Result<Self, RuntimeError> {
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = &*loaded {
            return match path {
                Some(asked) if resolve(asked) != runtime.0.path => {
                    Err(RuntimeError::Another { asked: asked.to_owned(), loaded: runtime.0.path.clone() })
                }
                _ => Ok(runtime.clone()),
            };
        }
        let runtime = match wish(path, |name| std::env::var_os(name).map(PathBuf::from)) {
            Some(asked) => Self::open(&resolve(&asked))
                .map_err(|reason| RuntimeError::Unusable { path: asked, reason })?,
            None => Self::search(&usual_places(
                std::env::current_exe().ok().as_deref(),
                std::env::current_dir().ok().as_deref(),
                &kinds(devices, Path::new("/dev/nvidiactl").exists()),
            ))?,
        };
        Ok(loaded.insert(runtime).clone())
    }

    /// Version of the library, e.g. `1.32.0`.
    pub fn version(&self) -> &str {
        &self.0.version
    }

    /// The file that was loaded; a bare name where the system's loader found it.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Execution providers compiled into the library, best first; a provider listed here may still lack its device
    /// or its driver.
    pub fn providers(&self) -> Vec<String> {
        library::providers()
    }

    pub(crate) fn environment(&self) -> &ort::environment::Environment {
        &self.0.environment
    }

    fn search(places: &[PathBuf]) -> Result<Self, RuntimeError> {
        let mut tried = Vec::new();
        for place in places {
            let bare = place.components().count() == 1;
            match if bare { Some(place.clone()) } else { newest_library(place).map(|file| resolve(&file)) } {
                None => tried.push(format!("{}: nothing there", place.display())),
                Some(file) => match Self::open(&file) {
                    Ok(runtime) => return Ok(runtime),
                    Err(reason) => tried.push(format!("{}: {reason}", file.display())),
                },
            }
        }
        Err(RuntimeError::NotFound { tried })
    }

    fn open(file: &Path) -> Result<Self, String> {
        let version = library::version(file)?;
        let minor = version.split('.').nth(1).and_then(|minor| minor.parse::<u32>().ok()).unwrap_or(0);
        if minor < ort::MINOR_VERSION {
            return Err(format!("it is version {version}, Plumb needs 1.{} or newer", ort::MINOR_VERSION));
        }
        preload_cuda(file.parent().unwrap_or(Path::new("")));
        // Never the implicit way in: there a library that does not load is a panic.
        let environment = ort::init_from(file)
            .map_err(|e| e.to_string())?
            .with_name("plumb")
            .with_telemetry(false)
            .with_logger(Arc::new(pass_on))
            .build()
            .map_err(|e| e.to_string())?;
        environment.set_log_level(ort::logging::LogLevel::Warning);
        Ok(Self(Arc::new(Loaded { environment, version, path: file.to_owned() })))
    }
}

/// What ONNX Runtime says goes to our log. Its errors come back as `Err` too; what never does (a thread that could
/// not be pinned, say) is worth a warning. Its warnings speak of graph optimisation and are for developers.
fn pass_on(level: ort::logging::LogLevel, _category: &str, _id: &str, place: &str, message: &str) {
    use ort::logging::LogLevel::{Error, Fatal, Warning};
    match level {
        Fatal | Error => tracing::warn!(place, "ONNX Runtime: {message}"),
        Warning => tracing::debug!(place, "ONNX Runtime: {message}"),
        _ => {}
    }
}

/// What somebody asked for by name.
fn wish(path: Option<&Path>, env: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    path.map(Path::to_owned).or_else(|| {
        ["PLUMB_ORT_LIB", "ORT_DYLIB_PATH"]
            .into_iter()
            .filter_map(env)
            .find(|path| !path.as_os_str().is_empty())
    })
}

/// The library itself: `path`, or the newest library in that folder; absolute, for a relative one would be looked up
/// beside the executable first.
fn resolve(path: &Path) -> PathBuf {
    let file = newest_library(path).unwrap_or_else(|| path.to_owned());
    file.canonicalize().unwrap_or(file)
}

/// Folders of other builds of the library that these devices call for, the most wanted first.
fn kinds(devices: &[Device], nvidia_driver: bool) -> Vec<&'static str> {
    let cuda = devices.iter().any(|device| match device {
        Device::Cuda(_) | Device::TensorRt(_) => true,
        Device::Auto => nvidia_driver,
        Device::Cpu | Device::OpenVino(_) | Device::Kserve(_) => false,
    });
    let openvino = devices.iter().any(|device| matches!(device, Device::OpenVino(_)));
    [(cuda, "cuda"), (openvino, "openvino")]
        .into_iter()
        .filter(|(wanted, _)| *wanted)
        .map(|(_, kind)| kind)
        .collect()
}

/// Folders to look in, then bare names for the system's loader. In each folder, those of `kinds` come first; all of one
/// kind come before the next, so that a checkout's CUDA library is found though a plain one is installed.
fn usual_places(exe: Option<&Path>, cwd: Option<&Path>, kinds: &[&str]) -> Vec<PathBuf> {
    let exe_dir = exe.and_then(Path::parent);
    let installed = exe_dir.and_then(Path::parent).map(|up| up.join("lib/plumb"));
    let above = |dir: Option<&Path>| -> Vec<PathBuf> {
        dir.into_iter().flat_map(Path::ancestors).map(|dir| dir.join(".plumb/lib")).collect()
    };
    let mut folders: Vec<PathBuf> = Vec::new();
    for folder in installed.into_iter().chain(above(cwd)).chain(above(exe_dir)) {
        if !folders.contains(&folder) {
            folders.push(folder);
        }
    }
    let of_a_kind = kinds.iter().flat_map(|kind| folders.iter().map(move |folder| folder.join(kind)));
    let mut places: Vec<PathBuf> = of_a_kind.collect();
    places.extend(folders);
    places.extend(["libonnxruntime.so.1", "libonnxruntime.so"].map(PathBuf::from));
    places
}

/// CUDA's libraries out of `folder`, each after those it needs. The provider asks for them by name alone and would not
/// find them there by itself; what is loaded already satisfies it.
fn preload_cuda(folder: &Path) {
    let libraries = ort::ep::cuda::CUDA_DYLIBS.iter().chain(ort::ep::cuda::CUDNN_DYLIBS);
    for file in libraries.chain(&TENSORRT).map(|name| folder.join(name)).filter(|file| file.is_file()) {
        if let Err(error) = ort::util::preload_dylib(&file) {
            tracing::warn!(file = %file.display(), %error, "A library of CUDA does not load; models on it will say what they lack.");
        }
    }
}

const TENSORRT: [&str; 3] = ["libnvinfer.so.10", "libnvinfer_plugin.so.10", "libnvonnxparser.so.10"];

/// The library with the highest version in folder `dir`.
fn newest_library(dir: &Path) -> Option<PathBuf> {
    let files = std::fs::read_dir(dir).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    files
        .filter_map(|file| {
            let rest = file.file_name().and_then(OsStr::to_str)?.strip_prefix("libonnxruntime.so")?;
            let version: Vec<u32> = rest.split('.').filter_map(|part| part.parse().ok()).collect();
            Some((version, file))
        })
        .max()
        .map(|(_, file)| file)
}

/// Why there is no ONNX Runtime.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// It is in none of the usual places.
    #[error("ONNX Runtime was not found; run `make setup`, or name the library in PLUMB_ORT_LIB. Tried:\n  {}", tried.join("\n  "))]
    NotFound {
        /// Every place, with what was wrong there.
        tried: Vec<String>,
    },
    /// What was asked for does not load.
    #[error("ONNX Runtime at {} cannot be used: {reason}; name another in PLUMB_ORT_LIB, or run `make setup` and name none", path.display())]
    Unusable {
        /// As asked for.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// One process can hold one library.
    #[error("ONNX Runtime {} was asked for, but this process has loaded {}; restart to change it", asked.display(), loaded.display())]
    Another {
        /// As asked for.
        asked: PathBuf,
        /// In use.
        loaded: PathBuf,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_path_comes_before_the_environment_and_an_empty_variable_is_none() {
        let env = |name: &str| match name {
            "PLUMB_ORT_LIB" => Some(PathBuf::from("")),
            _ => Some(PathBuf::from("/env/lib.so")),
        };
        assert_eq!(wish(Some(Path::new("/arg/lib.so")), env), Some(PathBuf::from("/arg/lib.so")));
        assert_eq!(wish(None, env), Some(PathBuf::from("/env/lib.so")));
        assert_eq!(wish(None, |_| None), None);
    }

    #[test]
    fn an_installed_library_comes_before_one_of_a_checkout() {
        let places = usual_places(Some(Path::new("/opt/plumb/bin/plumb")), Some(Path::new("/home/me")), &[]);
        let expected = [
            "/opt/plumb/lib/plumb",
            "/home/me/.plumb/lib",
            "/home/.plumb/lib",
            "/.plumb/lib",
            "/opt/plumb/bin/.plumb/lib",
            "/opt/plumb/.plumb/lib",
            "/opt/.plumb/lib",
            "libonnxruntime.so.1",
            "libonnxruntime.so",
        ];
        assert_eq!(places, expected.map(PathBuf::from));
    }

    #[test]
    fn a_device_that_needs_another_build_of_the_library_has_its_folder_looked_at_first() {
        let (cuda, openvino) = (Device::Cuda(0), Device::OpenVino(crate::OpenVino::Cpu));
        assert_eq!(kinds(&[Device::Auto], false), [""; 0]);
        assert_eq!(kinds(&[Device::Auto, Device::Cpu], true), ["cuda"]);
        assert_eq!(kinds(&[openvino, cuda], false), ["cuda", "openvino"]);
        let places = usual_places(None, Some(Path::new("/home")), &["openvino"]);
        let expected =
            ["/home/.plumb/lib/openvino", "/.plumb/lib/openvino", "/home/.plumb/lib", "/.plumb/lib"];
        assert_eq!(places[..4], expected.map(PathBuf::from));
    }

    #[test]
    fn of_several_libraries_the_newest_is_taken() {
        let dir = tempfile::tempdir().unwrap();
        for name in
            ["libonnxruntime.so.1.9.0", "libonnxruntime.so.1.32.0", "libonnxruntime_providers_shared.so"]
        {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        assert_eq!(newest_library(dir.path()), Some(dir.path().join("libonnxruntime.so.1.32.0")));
    }

    #[test]
    fn a_search_in_vain_names_every_place_and_the_remedy() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("libonnxruntime.so.1"), "not a library").unwrap();
        let places = ["/no/such/folder".into(), dir.path().to_owned(), "libno-such-thing.so".into()];
        let says = Runtime::search(&places).unwrap_err().to_string();
        for part in ["/no/such/folder", "libonnxruntime.so.1: ", "libno-such-thing.so", "make setup"] {
            assert!(says.contains(part), "{part:?} is missing in: {says}");
        }
    }

    #[test]
    fn a_library_that_is_not_onnx_runtime_is_refused_by_name() {
        let says = library::version(Path::new("libc.so.6")).unwrap_err();
        assert!(says.contains("not ONNX Runtime"), "{says}");
    }
}
