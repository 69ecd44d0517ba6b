//! A model's card: what its file is, what it wants to be given, and how to read what it gives.

use crate::family::{FamilyConfig, Misplaced};
use crate::variant::{Chosen, Variant, WeightsFile};
use crate::{Device, digest, variant};
use plumb_inspection::{ClassName, ModelName, TensorSpec};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::path::{Path, PathBuf};
use toml::de::{DeTable, ValueDeserializer};

/// What a model's `.toml` says, checked as far as that is possible without its `.onnx`.
#[derive(Clone, Debug, PartialEq)]
pub struct Card {
    /// The model's name in records, metrics and messages.
    pub name: ModelName,
    /// The `.onnx`; written relative to the card, kept resolved.
    pub file: PathBuf,
    /// SHA-256 of that file, 64 lower-case hex digits.
    pub sha256: String,
    /// Files beside it that hold its weights, where it keeps them apart.
    pub weights: Vec<WeightsFile>,
    /// The same model in other files: fewer bits, mostly.
    pub variants: Vec<Variant>,
    /// The variant that runs where none is asked for; `None` is `file` itself.
    pub default_variant: Option<String>,
    /// Where it was found to run best, mostly by measuring: what `auto` tries first.
    pub device: Option<Device>,
    /// Threads that were found to be best for one run on the processor, mostly by measuring; at least 1.
    pub threads: Option<NonZeroUsize>,
    /// Names of the classes, in the order of the model's output; none twice.
    pub labels: Vec<ClassName>,
    /// How its output is read.
    pub family: FamilyConfig,
    /// What it wants to be given; no side is 0.
    pub input: TensorSpec,
    /// Where it comes from.
    pub about: Option<About>,
    /// The card itself, for messages that say what to correct.
    pub path: PathBuf,
    /// SHA-256 of the card's own text, 64 lower-case hex digits: a threshold or label that changes changes it too.
    pub text_sha256: String,
}

/// Where a model comes from: free text, for the people who have to trust it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    /// The pictures it learned from.
    pub trained_on: Option<String>,
    /// How it was made.
    pub method: Option<String>,
    /// How good it is, and on what that was measured.
    pub accuracy: Option<String>,
    /// Of the model file.
    pub licence: Option<String>,
    /// Whom to name.
    pub attribution: Option<String>,
}

/// All but the family, whose shape depends on its `kind`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: toml::Spanned<String>,
    file: PathBuf,
    sha256: toml::Spanned<String>,
    #[serde(default)]
    weights: Vec<WeightsFile>,
    #[serde(default, rename = "variant")]
    variants: Vec<toml::Spanned<Variant>>,
    default_variant: Option<toml::Spanned<String>>,
    device: Option<Device>,
    threads: Option<NonZeroUsize>,
    labels: toml::Spanned<Vec<ClassName>>,
    input: toml::Spanned<TensorSpec>,
    about: Option<About>,
}

impl Card {
    /// Reads the card at `path`; its `.onnx` is not touched.
    ///
    /// # Errors
    /// When there is no such file, or with the place of the first thing in it that is wrong.
    pub fn read(path: &Path) -> Result<Self, CardError> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| CardError::Unreadable { path: path.to_owned(), error })?;
        Self::parse(&text, path)
    }

    /// Reads a card's `text` as if it stood at `path`.
    ///
    /// # Errors
    /// With the place of the first thing that is wrong.
    pub fn parse(text: &str, path: &Path) -> Result<Self, CardError> {
        let wrong = |(span, message): Misplaced| {
            let (line, column) = line_and_column(text, span.map_or(0, |span| span.start));
            CardError::Wrong { path: path.to_owned(), line, column, message }
        };
        let said = |e: toml::de::Error| wrong((e.span(), e.message().to_owned()));
        let mut root = DeTable::parse(text).map_err(said)?;
        // Read apart from the rest: serde's own way with `kind` would forget where in the file each value stood.
        let family = root.get_mut().remove("family").ok_or_else(|| {
            wrong((
                None,
                "a card needs a table [family] with `kind`, which says how the output is read".to_owned(),
            ))
        })?;
        let family = FamilyConfig::from_toml(family).map_err(wrong)?;
        let value = toml::Spanned::new(root.span(), toml::de::DeValue::Table(root.into_inner()));
        let written = Written::deserialize(ValueDeserializer::from(value)).map_err(said)?;

        for (span, problem) in written.problems() {
            if let Some(problem) = problem {
                return Err(wrong((Some(span), problem)));
            }
        }
        let folder = path.parent().unwrap_or(Path::new(""));
        Ok(Self {
            name: written.name.into_inner().into(),
            file: folder.join(written.file),
            sha256: written.sha256.into_inner().to_ascii_lowercase(),
            weights: written.weights.into_iter().map(WeightsFile::lowered).collect(),
            variants: written.variants.into_iter().map(|v| v.into_inner().resolved(folder)).collect(),
            default_variant: written.default_variant.map(toml::Spanned::into_inner),
            device: written.device,
            threads: written.threads,
            labels: written.labels.into_inner(),
            family,
            input: written.input.into_inner(),
            about: written.about,
            path: path.to_owned(),
            text_sha256: digest::of_bytes(text.as_bytes()),
        })
    }

    /// What [`ModelInfo::digest`](crate::ModelInfo::digest) will be: of all files of `variant`, or of the one that runs
    /// where none is asked for. `None` for a variant that the card does not have.
    pub fn digest(&self, variant: Option<&str>) -> Option<String> {
        Chosen::of(self, variant).ok().map(|chosen| chosen.digest())
    }
}

impl Written {
    /// What the types alone do not rule out.
    fn problems(&self) -> Vec<(Range<usize>, Option<String>)> {
        let name = self.name.get_ref().trim().is_empty().then(|| "a model needs a name".to_owned());
        let digest = variant::digest_problem(&self.file, self.sha256.get_ref())
            .or_else(|| self.weights.iter().find_map(WeightsFile::problem));
        let labels = self.labels.get_ref();
        let distinct: BTreeSet<_> = labels.iter().collect();
        let labels = if labels.is_empty() {
            Some("a model needs at least one label, in the order of its output".to_owned())
        } else {
            (distinct.len() < labels.len())
                .then(|| "a label stands here twice; rules could not tell them apart".to_owned())
        };
        let spec = self.input.get_ref();
        let input = if spec.is_empty() {
            Some(format!("an input of {}x{} px holds no picture", spec.width, spec.height))
        } else if spec.std.contains(&0.0) || spec.mean.iter().chain(&spec.std).any(|v| !v.is_finite()) {
            Some("mean and std must be numbers, and std not 0: pixels are divided by it".to_owned())
        } else if [&spec.mean, &spec.std].iter().any(|v| v.len() > 1 && v.len() != spec.channels()) {
            Some(format!("mean and std need none, one or {} values, one a channel", spec.channels()))
        } else {
            None
        };
        let mut problems = vec![
            (self.name.span(), name),
            (self.sha256.span(), digest),
            (self.labels.span(), labels),
            (self.input.span(), input),
        ];
        let mut known = vec![variant::ORIGINAL];
        for written in &self.variants {
            let variant = written.get_ref();
            problems.push((written.span(), variant.problem(&known)));
            known.push(&variant.name);
        }
        if let Some(default) = &self.default_variant {
            let unknown = !known.contains(&default.get_ref().as_str());
            let problem = unknown.then(|| format!("default_variant is one of {}", known.join(", ")));
            problems.push((default.span(), problem));
        }
        problems
    }
}

/// Both count from 1; the column counts characters.
fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

/// Why a card cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CardError {
    /// Not there, or not to be read.
    #[error("model card {} cannot be read: {error}; correct the path in the recipe", path.display())]
    Unreadable {
        /// The card.
        path: PathBuf,
        /// The system's reason.
        error: std::io::Error,
    },
    /// Something in it is wrong.
    #[error("{}:{line}:{column}  {message}", path.display())]
    Wrong {
        /// The card.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// From 1, in characters.
        column: usize,
        /// What is wrong there, and what would do.
        message: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DetectorOutput;
    use plumb_inspection::Element;

    const CARD: &str = r#"name = "bottle-cap"
file = "bottle-cap.onnx"
sha256 = "00112233445566778899AABBCCDDEEFF00112233445566778899aabbccddeeff"
labels = ["bottle", "cap"]
[family]
kind = "detector"
output = "yolo_v8"
score_min = 0.25
iou_max = 0.5
[input]
width = 320
height = 320
[about]
licence = "CC BY 4.0"
"#;

    #[test]
    fn a_card_says_what_the_model_is_and_finds_its_file_beside_itself() {
        let card = Card::parse(CARD, Path::new("zoo/bottle-cap.toml")).unwrap();
        assert_eq!(card.file, Path::new("zoo/bottle-cap.onnx"));
        assert_eq!(card.labels, ["bottle", "cap"].map(ClassName::from));
        assert_eq!(card.sha256, card.sha256.to_lowercase());
        assert_eq!(card.input.shape(), [1, 3, 320, 320]);
        let FamilyConfig::Detector(detector) = card.family else { panic!("kind says detector") };
        assert_eq!((detector.output, detector.score_min.get()), (DetectorOutput::YoloV8, 0.25));
    }

    #[test]
    fn every_mistake_is_told_with_its_line_and_column() {
        let rows = [
            ("width = 320", "widht = 320", "card.toml:11:1 ", "unknown field `widht`"),
            ("score_min = 0.25", "score_min = 1.5", "card.toml:8:13 ", "from 0 to 1"),
            ("score_min = 0.25", "score_mni = 0.5", "card.toml:8:1 ", "unknown field `score_mni`"),
            ("\"yolo_v8\"", "\"yolo_v9\"", "card.toml:7:10 ", "unknown variant `yolo_v9`"),
            ("\"detector\"", "\"detektor\"", "card.toml:6:8 ", "\"classifier\""),
            ("[family]\n", "", "card.toml:1:1 ", "[family]"),
            ("0011", "xyz!", "card.toml:3:10 ", "64 hex digits"),
            ("\"cap\"", "\"bottle\"", "card.toml:4:10 ", "twice"),
            ("[\"bottle\", \"cap\"]", "[]", "card.toml:4:10 ", "at least one label"),
            ("height = 320", "height = 0", "card.toml:10:1 ", "holds no picture"),
            ("height = 320", "height = 320\nstd = [0.0]", "card.toml:10:1 ", "std not 0"),
            ("height = 320", "height = 320\nmean = [1.0, 2.0]", "card.toml:10:1 ", "one a channel"),
            ("name = \"bottle-cap\"", "name = bottle", "card.toml:1:8 ", ""),
            ("licence", "license", "card.toml:14:1 ", "unknown field `license`"),
            ("name = ", "device = \"gpu\"\nname = ", "card.toml:1:10 ", "\"cuda:0\""),
            ("name = ", "default_variant = \"int8\"\nname = ", "card.toml:1:19 ", "one of original"),
            (
                "[about]",
                "[[variant]]\nname = \"a\"\nfile = \"a.onnx\"\nsha256 = \"12\"\n[about]",
                "card.toml:13:1 ",
                "64 hex digits",
            ),
        ];
        for (old, new, place, message) in rows {
            assert!(CARD.contains(old), "{old}");
            let says =
                Card::parse(&CARD.replacen(old, new, 1), Path::new("card.toml")).unwrap_err().to_string();
            assert!(says.starts_with(place) && says.contains(message), "{new:?} gave: {says}");
        }
    }

    #[test]
    fn a_card_may_have_the_same_model_in_several_files() {
        let digest = "AB".repeat(32);
        let more = format!(
            "device = \"cuda:0\"\ndefault_variant = \"int8\"\nweights = [{{ file = \"w.bin\", sha256 = \"{digest}\" }}]\n{CARD}\
             [[variant]]\nname = \"int8\"\nfile = \"int8.onnx\"\nsha256 = \"{digest}\"\ndevice = \"cpu\"\n\
             [[variant]]\nname = \"fp16\"\nfile = \"fp16.onnx\"\nsha256 = \"{digest}\"\nelement = \"f16\"\n"
        );
        let card = Card::parse(&more, Path::new("zoo/bottle-cap.toml")).unwrap();
        assert_eq!((card.device, card.default_variant.as_deref()), (Some(Device::Cuda(0)), Some("int8")));
        assert_eq!((&*card.weights[0].file, &*card.weights[0].sha256), ("w.bin", &*digest.to_lowercase()));
        let told: Vec<_> = card.variants.iter().map(|v| (&*v.name, v.device.clone(), v.element)).collect();
        assert_eq!(told, [("int8", Some(Device::Cpu), None), ("fp16", None, Some(Element::F16))]);
        assert_eq!(card.variants[0].file, Path::new("zoo/int8.onnx"));
        let twice = more.replace("\"fp16\"", "\"int8\"");
        let says = Card::parse(&twice, Path::new("c.toml")).unwrap_err().to_string();
        assert!(says.contains("\"int8\" stands here twice"), "{says}");
    }

    #[test]
    fn a_missing_card_is_named() {
        let says = Card::read(Path::new("no/such.toml")).unwrap_err().to_string();
        assert!(says.contains("no/such.toml") && says.contains("recipe"), "{says}");
    }
}
