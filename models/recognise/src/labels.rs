//! Names of the classes: where they may be found, and what to ask where they are not.

use crate::draft::Draft;
use crate::sight::Sight;
use crate::{Question, Source};
use serde_json::Value as Json;

/// Takes labels from the files beside the model or asks for them; `classes` is how many the output tells apart, where
/// that is known. Labels that are there already are counted.
pub(crate) fn find(sight: &Sight, draft: &mut Draft, classes: Option<usize>) {
    if draft.get("labels").is_none() {
        beside(sight, draft, classes);
    }
    let Some(labels) = draft.get("labels").and_then(toml::Value::as_array) else {
        let names = match classes {
            None => "names of the classes, in the order of the model's output".to_owned(),
            Some(1) => "the name of its one class".to_owned(),
            Some(n) => format!("names of the {n} classes, in the order of the model's output"),
        };
        draft.ask(Question {
            key: "labels",
            means: format!("{names}; the training's data config has them"),
            choices: vec![],
            suggestion: None,
        });
        return;
    };
    let given = labels.len();
    if let Some(classes) = classes.filter(|classes| *classes != given) {
        draft.obstacle(format!(
            "the model tells {} apart, but there {} {}; give one name a class, in the order of its output",
            count(classes, "class", "classes"),
            if given == 1 { "is" } else { "are" },
            count(given, "label", "labels"),
        ));
    }
}

fn beside(sight: &Sight, draft: &mut Draft, classes: Option<usize>) {
    if let Some(labels) = sight.beside.json("config.json").and_then(id2label)
        && classes.is_none_or(|classes| classes == labels.len())
    {
        draft.fact("labels", labels, Source::Beside { file: "config.json".into(), key: "id2label".into() });
        return;
    }
    for (file, labels) in &sight.beside.labels {
        match classes {
            // A list that could be of another model is not taken at its word.
            Some(classes) if classes == labels.len() => {
                let source = Source::Beside { file: file.clone(), key: String::new() };
                draft.fact("labels", labels.clone(), source);
                return;
            }
            Some(classes) => draft.note(format!(
                "{file} beside it has {}, but the model tells {} apart; it was not used",
                count(labels.len(), "line", "lines"),
                count(classes, "class", "classes"),
            )),
            None => {}
        }
    }
}

/// Hugging Face's `{"id2label": {"0": "scratch", …}}`.
fn id2label(config: &Json) -> Option<Vec<String>> {
    let names = config.get("id2label")?.as_object()?;
    (0..names.len()).map(|id| Some(names.get(&id.to_string())?.as_str()?.to_owned())).collect()
}

fn count(n: usize, one: &str, more: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { more })
}
