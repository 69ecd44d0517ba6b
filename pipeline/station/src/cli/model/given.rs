//! What is said of a model on the command line, before anything is asked.

use plumb_recognise::Answers;
use std::path::PathBuf;

/// Facts that go before what the file says.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct Given {
    /// Names of the classes, in the order of the model's output.
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    labels: Vec<String>,
    /// A file with one class name a line, in the order of the model's output.
    #[arg(long, value_name = "FILE", conflicts_with = "labels")]
    labels_file: Option<PathBuf>,
    /// A line of the card, e.g. input.normalisation=imagenet or family.score_min=0.4; may stand several times.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

impl Given {
    /// The same as answers.
    ///
    /// # Errors
    /// With a sentence, when something of it is no answer.
    pub(super) fn answers(&self) -> Result<Answers, String> {
        let mut answers = Answers::default();
        for assignment in &self.set {
            let Some((key, value)) = assignment.split_once('=') else {
                return Err(format!("--set {assignment} has no \"=\"; write --set KEY=VALUE"));
            };
            answers.set(key.trim(), value.trim()).map_err(|error| error.to_string())?;
        }
        let labels = match &self.labels_file {
            Some(file) => std::fs::read_to_string(file)
                .map_err(|error| format!("labels file {} cannot be read: {error}", file.display()))?
                .lines()
                .map(str::to_owned)
                .collect(),
            None => self.labels.clone(),
        };
        let labels: Vec<String> =
            labels.iter().map(|label| label.trim().to_owned()).filter(|label| !label.is_empty()).collect();
        if !labels.is_empty() {
            answers.set_labels(labels);
        } else if let Some(file) = &self.labels_file {
            return Err(format!("labels file {} has no names in it; write one a line", file.display()));
        }
        Ok(answers)
    }
}
