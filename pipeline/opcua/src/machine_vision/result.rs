//! From the station's result to the one that clients get.
//!
//! Machine Vision has no field for pass or fail; `ResultState` says only that the processing ran. So the content is:
//!
//! | element | type | what |
//! |---|---|---|
//! | 0 | Int32 | `ResultEvaluationEnum`: 1 OK, 2 NotOK, 3 NotDecidable (missed or late) |
//! | 1 | String | `pass`, `fail`, `missed` or `late`, as the PLC was told |
//! | 2 | String[] | the reasons |
//! | 3 | String | the serial number, null where none was read |

use super::{
    commands::{InspectionResult, Recipe, Verdict},
    job::Job,
    types::{
        ConfigurationIdDataType, JobIdDataType, PartIdDataType, ProcessingTimesDataType,
        RecipeIdInternalDataType, ResultDataType, ResultEvaluation, ResultIdDataType, result_state,
    },
};
use opcua::types::{Array, ByteString, DateTime, DateTimeUtc, UAString, Variant, VariantScalarTypeId};
use std::time::{Duration, SystemTime};

/// Most sentences of a result that go into its content.
const REASONS: usize = 32;

/// Longest of them, in characters.
const LONGEST: usize = 256;

/// A result with its evaluation first.
pub(super) fn result(
    found: &InspectionResult,
    configuration: &ConfigurationIdDataType,
    job: Option<&Job>,
) -> ResultDataType {
    let part = PartIdDataType { id: found.part.to_string().into(), description: None };
    let asked_for = job.and_then(|job| job.part_id.clone());
    let time = |at: SystemTime| DateTime::from(DateTimeUtc::from(at));
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    let ended = found.triggered_at + found.decision;
    ResultDataType {
        result_id: result_id(found),
        has_transferable_data_on_file: Some(false),
        is_partial: false,
        is_simulated: Some(found.simulated),
        result_state: match found.verdict {
            Verdict::Missed => result_state::FAILED,
            Verdict::Pass | Verdict::Fail | Verdict::Late => result_state::COMPLETED,
        },
        meas_id: job.and_then(|job| job.meas_id.clone()),
        part_id: Some(asked_for.unwrap_or(part)),
        external_recipe_id: job.and_then(|job| job.recipe_id.clone()),
        internal_recipe_id: internal_id(&found.recipe),
        product_id: job.and_then(|job| job.product_id.clone()),
        external_configuration_id: None,
        internal_configuration_id: configuration.clone(),
        job_id: job.map_or_else(|| JobIdDataType { id: "".into() }, |job| job.id.clone()),
        creation_time: time(ended),
        processing_times: Some(ProcessingTimesDataType {
            start_time: time(found.triggered_at),
            end_time: time(ended),
            acquisition_duration: found.acquisition.map(ms),
            processing_duration: Some(ms(found
                .decision
                .saturating_sub(found.acquisition.unwrap_or_default()))),
        }),
        result_content: Some(Some(content(found))),
    }
}

/// `<part>@<trigger, µs since 1970>`: part numbers begin again some day, this does not.
fn result_id(found: &InspectionResult) -> ResultIdDataType {
    let at = found.triggered_at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    ResultIdDataType { id: format!("{}@{}", found.part, at.as_micros()).into() }
}

fn content(found: &InspectionResult) -> Vec<Variant> {
    let evaluation = match found.verdict {
        Verdict::Pass => ResultEvaluation::Ok,
        Verdict::Fail => ResultEvaluation::NotOk,
        Verdict::Missed | Verdict::Late => ResultEvaluation::NotDecidable,
    };
    let says = |reason: &String| Variant::from(reason.chars().take(LONGEST).collect::<String>());
    let reasons: Vec<Variant> = found.reasons.iter().take(REASONS).map(says).collect();
    let reasons = Array::new(VariantScalarTypeId::String, reasons).expect("they are all texts");
    let serial = found.serial.as_deref().map_or_else(UAString::null, UAString::from);
    vec![
        evaluation.into(),
        Variant::from(found.verdict.as_str()),
        Variant::Array(Box::new(reasons)),
        Variant::String(serial),
    ]
}

/// A recipe as the station calls it: name, number as version, digest as hash.
pub(super) fn internal_id(recipe: &Recipe) -> RecipeIdInternalDataType {
    let (hash, hash_algorithm) = hash(&recipe.digest);
    RecipeIdInternalDataType {
        id: recipe.name.as_str().into(),
        version: recipe.number.map(|number| number.to_string().into()),
        hash,
        hash_algorithm,
        description: None,
    }
}

/// A SHA-256, from hexadecimal digits (`sha256:` before them or not); none where it is not known.
pub(super) fn hash(digest: &str) -> (Option<ByteString>, Option<UAString>) {
    let digits = digest.strip_prefix("sha256:").unwrap_or(digest);
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let bytes: Option<Vec<u8>> = digits.as_bytes().chunks(2).map(byte).collect();
    match bytes {
        Some(bytes) if !bytes.is_empty() && digits.len().is_multiple_of(2) => {
            (Some(ByteString::from(bytes)), Some("SHA-256".into()))
        }
        _ => (None, None),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use plumb_inspection::PartId;

    pub(crate) fn found(part: u32, verdict: Verdict) -> InspectionResult {
        InspectionResult {
            part: PartId::new(part).unwrap(),
            serial: None,
            verdict,
            reasons: vec!["1 × dent in \"part\", at most 0 allowed".into()],
            recipe: Recipe { name: "washer".into(), number: Some(7), digest: "0a1b".into() },
            triggered_at: SystemTime::UNIX_EPOCH + Duration::from_micros(1_000_001),
            acquisition: Some(Duration::from_millis(3)),
            decision: Duration::from_millis(9),
            simulated: false,
        }
    }

    #[test]
    fn only_a_pass_is_ok_and_a_missed_or_late_part_is_not_decidable() {
        let rows =
            [(Verdict::Pass, 1, 1), (Verdict::Fail, 2, 1), (Verdict::Missed, 3, 4), (Verdict::Late, 3, 1)];
        for (verdict, evaluation, state) in rows {
            let result = result(&found(5, verdict), &ConfigurationIdDataType::default(), None);
            let content = result.result_content.unwrap().unwrap();
            assert_eq!(content[0], Variant::Int32(evaluation), "{verdict:?}");
            assert_eq!(content[1], Variant::from(verdict.as_str()));
            assert_eq!(result.result_state, state, "{verdict:?}");
        }
    }

    #[test]
    fn a_result_has_its_own_name_and_says_when_and_by_what() {
        let result = result(&found(5, Verdict::Pass), &ConfigurationIdDataType::default(), None);
        assert_eq!(result.result_id.id.as_ref(), "5@1000001");
        assert_eq!(result.part_id.unwrap().id.as_ref(), "5");
        assert_eq!(result.internal_recipe_id.hash, Some(ByteString::from(vec![0x0a, 0x1b])));
        let times = result.processing_times.unwrap();
        assert_eq!((times.acquisition_duration, times.processing_duration), (Some(3.0), Some(6.0)));
        assert_eq!(times.end_time.ticks() - times.start_time.ticks(), 90_000);
    }

    #[test]
    fn a_digest_that_is_none_gives_no_hash() {
        for digest in ["", "xyz", "0a1", "ÿÿ"] {
            assert_eq!(hash(digest), (None, None), "{digest:?}");
        }
        assert_eq!(hash("sha256:ff").0, Some(ByteString::from(vec![255])));
    }
}
