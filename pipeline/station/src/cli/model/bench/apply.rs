//! What was recommended, written into the card: nothing else in it moves.

use super::{Report, report};
use plumb_inference::{Card, trial::Candidate};
use std::{fs, io::Write as _, path::Path};
use toml_edit::{DocumentMut, Item, Table, value};

/// How the comment above what was written begins; a later bench takes the place of an earlier one.
const MARK: &str = "# plumb model bench, ";

/// Writes device, variant and threads of the recommendation into the card at `path`, with a comment of when, where
/// and why. False where the card says so already; it is left as it is then.
///
/// # Errors
/// In a sentence, when the card cannot be written or would no longer be one.
pub(super) fn to_card(path: &Path, report: &Report) -> Result<bool, String> {
    let Some((row, ..)) = report.recommended() else { return Ok(false) };
    let cannot = |error: &dyn std::fmt::Display| format!("{} cannot be changed: {error}", path.display());
    let text = fs::read_to_string(path).map_err(|e| cannot(&e))?;
    let Some(changed) = changed(&text, &row.candidate, &comment(report)).map_err(|e| cannot(&e))? else {
        return Ok(false);
    };
    Card::parse(&changed, path).map_err(|e| cannot(&e))?;
    replace(path, &changed).map_err(|e| cannot(&e))?;
    Ok(true)
}

/// The card's text with what `candidate` says; `None` where it says so already.
fn changed(text: &str, candidate: &Candidate, comment: &str) -> Result<Option<String>, toml_edit::TomlError> {
    let mut card: DocumentMut = text.parse()?;
    let mut differs = set(&mut card, "device", Some(candidate.device.to_string().into()));
    // A card without a default runs its own file: nothing needs to be said then.
    differs |= set(&mut card, "default_variant", candidate.variant.as_deref().map(Into::into));
    if Candidate::on_processor(&candidate.device) {
        differs |= set(&mut card, "threads", Some((candidate.threads as i64).into()));
    }
    // A variant's own device stands for the card's.
    let variants = card.get_mut("variant").and_then(Item::as_array_of_tables_mut);
    let named = |table: &&mut Table| table.get("name").and_then(Item::as_str) == candidate.variant.as_deref();
    if let Some(variant) = variants.and_then(|tables| tables.iter_mut().find(named))
        && variant.contains_key("device")
    {
        differs |= set(variant, "device", Some(candidate.device.to_string().into()));
    }
    if !differs {
        return Ok(None);
    }
    if let Some(mut key) = card.key_mut("device") {
        let before = key.leaf_decor().prefix().and_then(|prefix| prefix.as_str()).unwrap_or_default();
        let kept: String =
            before.split_inclusive('\n').filter(|line| !line.trim_start().starts_with(MARK)).collect();
        key.leaf_decor_mut().set_prefix(format!("{kept}{MARK}{comment}\n"));
    }
    Ok(Some(card.to_string()))
}

/// Sets `key` to `wanted`, or takes it out; true if that changed anything.
fn set(card: &mut Table, key: &str, wanted: Option<toml_edit::Value>) -> bool {
    let said = |item: &Item| item.as_value().map(|value| value.clone().decorated("", "").to_string());
    let wanted_said = wanted.clone().map(|value| value.decorated("", "").to_string());
    match (card.get_mut(key), wanted) {
        (None, None) => false,
        (Some(_), None) => card.remove(key).is_some(),
        (None, Some(wanted)) => card.insert(key, value(wanted)).is_none(),
        (Some(item), Some(_)) if said(item) == wanted_said => false,
        (Some(item), Some(mut wanted)) => {
            // The comment behind the old value stays behind the new one.
            if let Some(old) = item.as_value() {
                *wanted.decor_mut() = old.decor().clone();
            }
            *item = Item::Value(wanted);
            true
        }
    }
}

/// `2026-11-24 06:30 UTC on line-7 (AMD EPYC, 2 cores): 6.10 ms, p99 7.02; 0.553 (0.531 to 0.580) of … ; the same …`.
fn comment(report: &Report) -> String {
    let now = jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M UTC");
    let machine = &report.machine;
    let mut text = format!("{now} on {} ({}, {} cores)", machine.name, machine.processor, machine.cores);
    if let Some((_, timed, recommendation)) = report.recommended() {
        if let Some(timing) = plumb_inference::trial::Timing::of(&timed.measured.rounds) {
            text += &format!(": {:.2} ms, p99 {:.2}", timing.p50_ms, timing.p99_ms);
        }
        if let Some(ratio) = &recommendation.to_present {
            text += &format!("; {} of the time before", report::spread(ratio, 3));
        }
        if let Some(found) = &timed.found {
            text += &format!("; {}", report::found(found));
        }
    }
    text
}

/// In one step, so that no reader ever sees half a card.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let rights = fs::metadata(path)?.permissions();
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut beside = tempfile::NamedTempFile::new_in(folder)?;
    beside.write_all(text.as_bytes())?;
    beside.as_file().set_permissions(rights)?;
    beside.as_file().sync_all()?;
    beside.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use plumb_inference::Device;

    const CARD: &str = r#"# Finds bottles.
name = "bottle-cap"  # as the line calls it
file = "bottle-cap.onnx"

[family]
kind = "detector" # boxes

[[variant]]
name = "int8"
"#;

    fn candidate(device: Device, variant: Option<&str>, threads: usize) -> Candidate {
        Candidate { device, variant: variant.map(str::to_owned), threads, batch: 1 }
    }

    #[test]
    fn only_what_is_recommended_is_written_and_all_else_stays_where_it_was() {
        let now = changed(CARD, &candidate(Device::Cpu, Some("int8"), 2), "today").unwrap().unwrap();
        let wanted = CARD.replace(
            "file = \"bottle-cap.onnx\"\n",
            "file = \"bottle-cap.onnx\"\n# plumb model bench, today\ndevice = \"cpu\"\ndefault_variant = \"int8\"\nthreads = 2\n",
        );
        assert_eq!(now, wanted);
        let again = changed(&now, &candidate(Device::Cpu, Some("int8"), 2), "tomorrow").unwrap();
        assert_eq!(again, None, "what is there already is not written again");
    }

    #[test]
    fn a_device_that_stands_at_the_variant_itself_is_changed_there_too() {
        let card = format!("{CARD}device = \"openvino:CPU\"\n");
        let now = changed(&card, &candidate(Device::Cpu, Some("int8"), 1), "today").unwrap().unwrap();
        assert!(now.ends_with("name = \"int8\"\ndevice = \"cpu\"\n"), "{now}");
        let other = changed(&card, &candidate(Device::Cpu, None, 1), "today").unwrap().unwrap();
        assert!(other.ends_with("device = \"openvino:CPU\"\n"), "{other}");
    }

    #[test]
    fn a_later_bench_takes_the_place_of_an_earlier_one() {
        let first = changed(CARD, &candidate(Device::Cpu, Some("int8"), 2), "today").unwrap().unwrap();
        let first = first.replace("device = \"cpu\"", "device = \"cpu\" # ask Anna");
        let second = changed(&first, &candidate(Device::Cuda(0), None, 1), "tomorrow").unwrap().unwrap();
        let wanted = CARD.replace(
            "file = \"bottle-cap.onnx\"\n",
            "file = \"bottle-cap.onnx\"\n# plumb model bench, tomorrow\ndevice = \"cuda:0\" # ask Anna\nthreads = 2\n",
        );
        assert_eq!(second, wanted);
    }
}
