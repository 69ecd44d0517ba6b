//! Which model somebody means by the first digits of its digest.

use super::ModelError;
use plumb_inspection::ModelName;

/// Fewer digits would be a guess.
const LEAST: usize = 4;

/// The one model whose digest begins with `wanted`, of `known`: names and digests.
///
/// # Errors
/// When `wanted` is no beginning of a digest, and when none or several begin with it.
pub fn pick<'k>(
    wanted: &str,
    known: &'k [(ModelName, String)],
) -> Result<&'k (ModelName, String), ModelError> {
    let digits = wanted.to_ascii_lowercase();
    if !(LEAST..=64).contains(&digits.len()) || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Err(ModelError::NoDigest { wanted: wanted.to_owned() });
    }
    let mut found: Vec<_> = known.iter().filter(|(_, digest)| digest.starts_with(&digits)).collect();
    found.sort_by_key(|(_, digest)| digest);
    found.dedup_by_key(|(_, digest)| digest);
    match found[..] {
        [] => Err(ModelError::Unknown { wanted: wanted.to_owned() }),
        [one] => Ok(one),
        _ => Err(ModelError::Ambiguous {
            wanted: wanted.to_owned(),
            among: found.into_iter().cloned().collect(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Vec<(ModelName, String)> {
        ["caps", "dents", "caps"]
            .into_iter()
            .zip(["abcd01", "abcd02", "ffff00"])
            .map(|(name, start)| (name.into(), format!("{start:0<64}")))
            .collect()
    }

    #[test]
    fn the_first_digits_are_enough_where_one_model_has_them() {
        let known = known();
        for wanted in ["abcd02", "ABCD02", "ffff", &known[2].1] {
            let (_, digest) = pick(wanted, &known).expect("one");
            assert!(digest.starts_with(&wanted.to_lowercase()));
        }
        let twice = [&known[..], &known[..]].concat();
        assert!(pick("ffff", &twice).is_ok(), "known from two sides is one model");
    }

    #[test]
    fn several_that_begin_alike_are_all_named() {
        let says = pick("abcd", &known()).expect_err("two").to_string();
        assert!(says.contains("abcd01000000") && says.contains("abcd02000000"), "{says}");
        assert!(says.contains("\"caps\"") && says.contains("\"dents\"") && !says.contains("ffff"), "{says}");
    }

    #[test]
    fn what_is_no_digest_is_told_apart_from_one_that_nobody_knows() {
        for wanted in ["", "abc", "caps-v2", "abcdä1", &"a".repeat(65)] {
            assert!(matches!(pick(wanted, &known()), Err(ModelError::NoDigest { .. })), "{wanted:?}");
        }
        assert!(matches!(pick("0000", &known()), Err(ModelError::Unknown { .. })));
    }
}
