//! Every way of running a model that was asked for, and for each that is not there why not.

use super::libraries::Library;
use plumb_inference::{
    Card, Device, OpenVino,
    trial::{self, Candidate},
};

/// More ways than this at once are refused: each is a process that holds the model.
pub(super) const WAYS_MAX: usize = 48;

/// What was asked for.
pub(super) struct Asked<'a> {
    pub(super) devices: &'a [Device],
    pub(super) threads: &'a [usize],
    pub(super) batch: &'a [usize],
}

/// A way of running the model.
#[derive(Clone, Debug)]
pub(super) struct Way {
    pub(super) candidate: Candidate,
    /// Index of its library, or why there is none.
    pub(super) library: Result<usize, String>,
}

/// Devices tried where none are named: all that ONNX Runtime drives, the first of each.
pub(super) fn every_device() -> Vec<Device> {
    let openvino = [OpenVino::Cpu, OpenVino::Gpu, OpenVino::Npu].map(Device::OpenVino);
    [Device::Cpu].into_iter().chain(openvino).chain([Device::Cuda(0), Device::TensorRt(0)]).collect()
}

/// Threads tried where none are named: 1, 2 and 4, as far as there are cores.
pub(super) fn usual_threads(cores: usize) -> Vec<usize> {
    [1, 2, 4].into_iter().filter(|threads| *threads <= cores.max(1)).collect()
}

/// The reference first, in the first library; then device by device.
pub(super) fn ways(card: &Card, libraries: &[Library], asked: &Asked<'_>) -> Vec<Way> {
    let mut ways = vec![Way { candidate: Candidate::reference(), library: Ok(0) }];
    for device in asked.devices {
        let wanted = trial::provider(device);
        let has = |at: &usize, wanted: &str| libraries[*at].providers.iter().any(|has| has == wanted);
        let with_it: Vec<usize> = match wanted {
            Some(wanted) => (0..libraries.len()).filter(|at| has(at, wanted)).collect(),
            None => vec![0], // a server needs none; any will do
        };
        if with_it.is_empty() {
            let candidate = Candidate { device: device.clone(), ..Candidate::reference() };
            ways.push(Way { candidate, library: Err(lacking(wanted.unwrap_or_default(), libraries)) });
        }
        // Threads are the processor's; elsewhere one will do.
        let threads = if Candidate::on_processor(device) { asked.threads } else { &[1] };
        for library in with_it {
            for variant in trial::variants(card) {
                for (threads, batch) in pairs(threads, asked.batch) {
                    let variant = variant.clone();
                    let candidate = Candidate { device: device.clone(), variant, threads, batch };
                    let way = Way { candidate, library: Ok(library) };
                    if !ways
                        .iter()
                        .any(|known| known.candidate == way.candidate && known.library == way.library)
                    {
                        ways.push(way);
                    }
                }
            }
        }
    }
    ways
}

fn pairs(threads: &[usize], batch: &[usize]) -> Vec<(usize, usize)> {
    threads.iter().flat_map(|threads| batch.iter().map(|batch| (*threads, *batch))).collect()
}

fn lacking(provider: &str, libraries: &[Library]) -> String {
    let looked: Vec<String> =
        libraries.iter().map(|library| format!("{} ({})", library.path.display(), library.version)).collect();
    format!("no ONNX Runtime here has the {provider}; looked at {}", looked.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn library(path: &str, providers: &[&str]) -> Library {
        let providers = providers.iter().map(|name| format!("{name}ExecutionProvider")).collect();
        Library { path: path.into(), version: "1.32.0".to_owned(), providers }
    }

    fn card() -> Card {
        let text = "name = \"m\"\nfile = \"m.onnx\"\nsha256 = \"0011223344556677889900112233445566778899001122334455667788990011\"\n\
                    labels = [\"a\"]\n[family]\nkind = \"classifier\"\n[input]\nwidth = 8\nheight = 8\n";
        Card::parse(text, "m.toml".as_ref()).expect("a card")
    }

    #[test]
    fn a_device_that_no_library_drives_is_a_row_with_its_reason() {
        let libraries = [
            library("/a/libonnxruntime.so", &["CPU"]),
            library("/b/libonnxruntime.so", &["OpenVINO", "CPU"]),
        ];
        let devices = every_device();
        let ways = ways(&card(), &libraries, &Asked { devices: &devices, threads: &[1, 2], batch: &[1] });
        let told: Vec<String> = ways
            .iter()
            .map(|way| match &way.library {
                Ok(at) => format!("{} in {at}", way.candidate),
                Err(reason) => format!("{}: {reason}", way.candidate),
            })
            .collect();
        assert_eq!(told[0], "cpu, 1 thread in 0", "the reference comes first, and once");
        assert_eq!(told.iter().filter(|way| **way == told[0]).count(), 1);
        for wanted in ["cpu, 2 threads in 1", "openvino:CPU, 2 threads in 1", "openvino:NPU in 1"] {
            assert!(told.iter().any(|told| told == wanted), "{wanted}: {told:#?}");
        }
        let cuda = told.iter().find(|told| told.starts_with("cuda:0")).expect("a row");
        assert!(cuda.contains("CUDAExecutionProvider") && cuda.contains("/b/libonnxruntime.so"), "{cuda}");
    }

    #[test]
    fn threads_are_tried_as_far_as_there_are_cores() {
        assert_eq!(usual_threads(0), [1]);
        assert_eq!(usual_threads(2), [1, 2]);
        assert_eq!(usual_threads(64), [1, 2, 4]);
    }
}
