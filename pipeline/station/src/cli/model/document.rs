//! A recognised model as one JSON document, schema `plumb.model/1`.

use plumb_onnx::Presence;
use plumb_recognise::Recognition;
use serde_json::{Value, json};

/// Everything that is known of the file.
pub(super) fn of(seen: &Recognition) -> Value {
    let facts: Vec<Value> = seen
        .facts
        .iter()
        .map(|fact| {
            let source = json!({ "kind": fact.source.word(), "says": fact.source.to_string() });
            json!({ "key": fact.key, "value": fact.value, "source": source })
        })
        .collect();
    let missing: Vec<Value> = seen
        .questions
        .iter()
        .map(|question| {
            let suggestion = question
                .suggestion
                .as_ref()
                .map(|suggestion| json!({ "answer": suggestion.answer, "because": suggestion.because }));
            json!({
                "key": question.key, "means": question.means, "choices": question.choices,
                "suggestion": suggestion, "how": question.how(),
            })
        })
        .collect();
    let external: Vec<Value> = seen
        .external
        .iter()
        .map(|(file, presence)| {
            let (presence, there) = match *presence {
                Presence::There { bytes } => ("there", Some(bytes)),
                Presence::Short { bytes } => ("short", Some(bytes)),
                Presence::Missing => ("missing", None),
                Presence::Outside => ("outside", None),
            };
            json!({ "file": file.location, "bytes_wanted": file.bytes, "presence": presence, "bytes_there": there })
        })
        .collect();
    let metadata: serde_json::Map<String, Value> =
        seen.metadata.iter().map(|(key, value)| (key.clone(), Value::from(value.as_str()))).collect();
    json!({
        "schema": "plumb.model/1",
        "file": seen.file,
        "sha256": seen.sha256,
        "bytes": seen.bytes,
        "exporter": seen.exporter.map(|exporter| exporter.to_string()),
        "producer": seen.producer,
        "ir_version": seen.ir_version,
        "opset": seen.opset,
        "inputs": seen.inputs,
        "outputs": seen.outputs,
        "metadata": metadata,
        "external": external,
        "facts": facts,
        "missing": missing,
        "obstacles": seen.obstacles,
        "notes": seen.notes,
        "complete": seen.is_complete(),
    })
}
