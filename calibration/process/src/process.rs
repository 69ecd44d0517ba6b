//! The charts of one recipe: the share of rejects, what parts were rejected for, and the score of a rule.

use plumb_inspection::PartId;
use plumb_ledger::{Record, RecordVerdict};
use plumb_quality::{
    Bar, Confidence, Share,
    chart::{
        BernoulliCusum, ChartError, Counted, Cusum, CusumPoint, Ewma, EwmaPoint, Hit, Limits, Rule,
        laney_p_chart_on, nelson,
    },
    drift::{Adwin, KolmogorovSmirnov, kolmogorov_smirnov, psi},
    pareto,
};
use serde::Serialize;
use std::collections::BTreeMap;

/// Samples below which limits are a guess.
pub const SAMPLES_WANTED: usize = 20;
/// Bars of the Pareto chart before "other".
const BARS: usize = 12;
/// Bins of the histogram that the stability index compares.
const BINS: usize = 10;
/// A doubled share of rejects is to be told from the usual one, with a false alarm once in so many parts.
const PARTS_BETWEEN_FALSE_ALARMS: f64 = 20_000.0;

/// What is charted of one part, in the order of the parts.
#[derive(Clone, Debug, PartialEq)]
pub struct Charted {
    /// Which.
    pub part: PartId,
    /// RFC 3339, as the record has it.
    pub at: String,
    /// What the PLC was told.
    pub verdict: RecordVerdict,
    /// The rules that objected, or why it was missed.
    pub why: Vec<String>,
    /// Each model that judged, with its digest's beginning.
    pub models: Vec<String>,
    /// The rule's score, where one is asked for and the recipe's present models gave it.
    pub score: Option<f64>,
}

impl Charted {
    /// Without a score.
    pub fn of(record: &Record) -> Self {
        let models = record
            .models
            .iter()
            .map(|model| format!("{} {}", model.name, model.digest.get(..12).unwrap_or(&model.digest)));
        let mut why: Vec<String> = record.reasons.iter().map(|reason| reason.rule.to_string()).collect();
        why.dedup();
        Self {
            part: record.part_id,
            at: record.triggered_at.to_string(),
            verdict: record.verdict,
            why,
            models: models.collect(),
            score: None,
        }
    }
}

/// The charts.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Process {
    /// Parts looked at, and those of them that were rejected for whatever reason.
    pub parts: u64,
    /// See `parts`.
    pub rejects: u64,
    /// The first and the last part's time.
    pub from: String,
    /// See `from`.
    pub until: String,
    /// Who judged, and how many parts: where there are several, a jump may be theirs.
    pub models: BTreeMap<String, u64>,
    /// The share of rejects, sample by sample.
    pub share: ShareChart,
    /// Rejects one by one.
    pub single: Option<Single>,
    /// What parts were rejected for; a part counts for each rule.
    pub pareto: Vec<Bar>,
    /// The rule's score, where one was asked for.
    pub score: Option<ScoreChart>,
}

/// Laney's p′ chart: the share of rejects, with limits from the first half of the samples, which allow for samples that
/// differ more than chance explains.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ShareChart {
    /// Parts in each sample.
    pub sample: u64,
    /// Rejects of each, oldest first; the parts after the last whole sample are not charted.
    pub samples: Vec<Counted>,
    /// The first part of each.
    pub first_parts: Vec<PartId>,
    /// Empty where no limits can be drawn.
    pub limits: Vec<Limits>,
    /// Nelson's rules 1, 2, 3 and 5.
    pub signals: Vec<Hit>,
    /// Why there are no limits.
    pub without_limits: Option<String>,
    /// There are fewer samples than [`SAMPLES_WANTED`].
    pub is_preliminary: bool,
}

/// A CUSUM of single parts, against the share of rejects among the first half of them: it sees a change of a small share
/// sooner than samples do.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Single {
    /// The usual share of rejects.
    pub usual: f64,
    /// Parts at which it signalled, and began anew.
    pub signals: Vec<PartId>,
    /// Parts until a doubled share is told, on the average.
    pub told_after: f64,
    /// Parts between two false alarms, on the average.
    pub false_alarm_after: f64,
}

/// A rule's score: the means of samples, against the first half of them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ScoreChart {
    /// Whose.
    pub rule: String,
    /// Parts with a score; those of other models have none here.
    pub parts: usize,
    /// Mean of each sample.
    pub means: Vec<f64>,
    /// Of the first half's means: what the charts stand on.
    pub centre: f64,
    /// Their standard deviation.
    pub deviation: f64,
    /// λ = 0.2, three standard deviations.
    pub ewma: Vec<EwmaPoint>,
    /// Slack of half, limit of five standard deviations.
    pub cusum: Vec<CusumPoint>,
    /// The later half's scores against the earlier half's.
    pub drift: Drift,
}

/// How far scores have moved. The p says whether, the others how much.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Drift {
    /// Widest gap of the two distributions, and its chance.
    pub ks: KolmogorovSmirnov,
    /// Population stability index over the earlier scores' deciles; above 0.25 asks for action.
    pub psi: f64,
    /// Difference of the means in standard deviations of the earlier half.
    pub shift: f64,
    /// Where an adaptive window (ADWIN, δ = 0.002) last forgot its past; of scores within 0..=1 only.
    pub changed_at: Option<PartId>,
}

/// Why nothing can be charted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NothingToChart {
    /// Too few parts.
    #[error("{parts} parts make no two samples of {sample}; take smaller samples, or more parts")]
    TooFew {
        /// There are.
        parts: usize,
        /// Asked for.
        sample: u64,
    },
}

impl Process {
    /// Charts `parts`, oldest first, in samples of `sample` parts; `rule` is whose scores they carry.
    ///
    /// # Errors
    /// With fewer than two samples.
    pub fn of(parts: &[Charted], sample: u64, rule: Option<&str>) -> Result<Self, NothingToChart> {
        let size = usize::try_from(sample).unwrap_or(usize::MAX).max(1);
        let too_few = || NothingToChart::TooFew { parts: parts.len(), sample };
        if parts.len() / size < 2 {
            return Err(too_few());
        }
        let (Some(first), Some(last)) = (parts.first(), parts.last()) else { return Err(too_few()) };
        let is_reject = |part: &Charted| part.verdict != RecordVerdict::Pass;
        let rejects = parts.iter().filter(|part| is_reject(part)).count() as u64;
        let mut models = BTreeMap::new();
        let mut why: BTreeMap<&str, u64> = BTreeMap::new();
        for part in parts {
            for model in &part.models {
                *models.entry(model.clone()).or_default() += 1;
            }
            for rule in part.why.iter().filter(|_| is_reject(part)) {
                *why.entry(rule).or_default() += 1;
            }
        }
        Ok(Self {
            parts: parts.len() as u64,
            rejects,
            from: first.at.clone(),
            until: last.at.clone(),
            models,
            share: share_chart(parts, size, sample),
            single: single(parts),
            pareto: pareto(why, BARS),
            score: rule.and_then(|rule| score_chart(parts, size, rule)),
        })
    }

    /// The share of rejects of all parts.
    pub fn reject_share(&self) -> Option<Share> {
        Share::new(self.rejects, self.parts).ok()
    }

    /// True if any chart signals: something has changed that chance does not explain.
    pub fn signals(&self) -> bool {
        let score = self.score.as_ref();
        !self.share.signals.is_empty()
            || self.single.as_ref().is_some_and(|single| !single.signals.is_empty())
            || score.is_some_and(|score| {
                score.ewma.iter().any(EwmaPoint::is_out) || score.cusum.iter().any(|point| point.signals)
            })
    }

    /// For people.
    pub fn words(&self, confidence: Confidence) -> String {
        let mut out = format!(
            "{} parts from {} to {}: rejected {}\n",
            self.parts,
            self.from,
            self.until,
            self.reject_share().map_or("none".to_owned(), |share| share.says(confidence))
        );
        let mut line = |name: &str, says: String| out += &format!("  {name:<9} {says}\n");
        for (model, parts) in &self.models {
            line("judged by", format!("{model} ({parts} parts)"));
        }
        let ShareChart { sample, samples, first_parts, limits, signals, without_limits, is_preliminary } =
            &self.share;
        match (limits.first(), without_limits) {
            (Some(limit), _) => line(
                "share",
                format!(
                    "{} samples of {sample}; centre {:.2} %, limits {:.2} to {:.2} % (Laney p′, by the first half){}",
                    samples.len(),
                    100.0 * limit.centre,
                    100.0 * limit.lower,
                    100.0 * limit.upper,
                    if *is_preliminary { "; preliminary, limits want 20 samples" } else { "" }
                ),
            ),
            (None, why) => line("share", why.clone().unwrap_or_default()),
        }
        for hit in signals {
            let of = samples[hit.at];
            line(
                "signal",
                format!(
                    "sample {} (from part {}): {} of {}; {}",
                    hit.at + 1,
                    first_parts[hit.at],
                    of.rejects,
                    of.parts,
                    meaning(hit.rule)
                ),
            );
        }
        if let Some(Single { usual, signals, told_after, false_alarm_after }) = &self.single {
            let at = signals.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            let at = if at.is_empty() { "no signal".to_owned() } else { format!("signals at part {at}") };
            line(
                "single",
                format!(
                    "{at}; twice {:.3} % is told after {told_after:.0} parts, a false alarm comes in {false_alarm_after:.0}",
                    100.0 * usual
                ),
            );
        }
        for Bar { name, count, cumulative } in &self.pareto {
            line("pareto", format!("{count:>6}  {name}  ({:.0} % with those above)", 100.0 * cumulative));
        }
        if let Some(score) = &self.score {
            let out_at = |out: Option<usize>| {
                out.map_or("no signal".to_owned(), |at| format!("signals at sample {}", at + 1))
            };
            line(
                "score",
                format!(
                    "rule \"{}\": mean {:.4}, samples spread by {:.4}",
                    score.rule, score.centre, score.deviation
                ),
            );
            line("ewma", out_at(score.ewma.iter().position(EwmaPoint::is_out)));
            line("cusum", out_at(score.cusum.iter().position(|point| point.signals)));
            let Drift { ks, psi, shift, changed_at } = score.drift;
            let at = changed_at.map_or(String::new(), |part| format!(", last changed at part {part}"));
            line(
                "drift",
                format!(
                    "later half against the earlier: gap {:.3} (p = {:.4}), PSI {psi:.3}, shift {shift:+.2} σ{at}",
                    ks.gap, ks.p
                ),
            );
        }
        out
    }
}

/// What a rule's signal says of the process.
pub fn meaning(rule: Rule) -> &'static str {
    match rule {
        Rule::Beyond3 => "beyond three standard deviations (rule 1)",
        Rule::NineOneSide => "nine in a row on one side (rule 2)",
        Rule::SixRising => "six in a row rising or falling (rule 3)",
        Rule::FourteenAlternating => "fourteen in a row up and down in turn (rule 4)",
        Rule::TwoOfThreeBeyond2 => "two of three beyond two standard deviations (rule 5)",
        Rule::FourOfFiveBeyond1 => "four of five beyond one standard deviation (rule 6)",
        Rule::FifteenWithin1 => "fifteen in a row within one standard deviation (rule 7)",
        Rule::EightBeyond1 => "eight in a row beyond one standard deviation (rule 8)",
    }
}

fn share_chart(parts: &[Charted], size: usize, sample: u64) -> ShareChart {
    let rejects =
        |parts: &[Charted]| parts.iter().filter(|part| part.verdict != RecordVerdict::Pass).count() as u64;
    let samples: Vec<Counted> =
        parts.chunks_exact(size).map(|parts| Counted { rejects: rejects(parts), parts: sample }).collect();
    let first_parts = parts.chunks_exact(size).map(|parts| parts[0].part).collect();
    let charted: Result<Vec<Limits>, ChartError> =
        laney_p_chart_on(&samples[..samples.len().div_ceil(2).max(2)], &samples);
    let z: Vec<f64> = charted.iter().flatten().map(|limits| limits.z).collect();
    ShareChart {
        sample,
        is_preliminary: samples.len() < SAMPLES_WANTED,
        signals: nelson(&z, &Rule::USUAL),
        without_limits: charted.as_ref().err().map(ToString::to_string),
        limits: charted.unwrap_or_default(),
        samples,
        first_parts,
    }
}

fn single(parts: &[Charted]) -> Option<Single> {
    let base = &parts[..parts.len() / 2];
    let usual =
        base.iter().filter(|part| part.verdict != RecordVerdict::Pass).count() as f64 / base.len() as f64;
    let mut chart = BernoulliCusum::new(usual, 2.0 * usual, PARTS_BETWEEN_FALSE_ALARMS).ok()?;
    let mut signals = Vec::new();
    for part in parts {
        if chart.add(part.verdict != RecordVerdict::Pass) {
            signals.push(part.part);
            chart.reset();
        }
    }
    Some(Single {
        usual,
        signals,
        told_after: chart.average_parts(2.0 * usual),
        false_alarm_after: chart.average_parts(usual),
    })
}

fn score_chart(parts: &[Charted], size: usize, rule: &str) -> Option<ScoreChart> {
    let scored: Vec<(PartId, f64)> = parts.iter().filter_map(|part| Some((part.part, part.score?))).collect();
    let scores: Vec<f64> = scored.iter().map(|(_, score)| *score).collect();
    let means: Vec<f64> = scores.chunks_exact(size).map(mean).collect();
    let base = &means[..means.len() / 2];
    let (centre, deviation) = (mean(base), deviation(base)?);
    let mut ewma = Ewma::new(centre, deviation, 0.2, 3.0)?;
    let mut cusum = Cusum::new(centre, 0.5 * deviation, 5.0 * deviation)?;
    let (earlier, later) = scores.split_at(scores.len() / 2);
    let ks = kolmogorov_smirnov(earlier, later).ok()?;
    let (then, now) = histograms(earlier, later);
    let in_unit = scores.iter().all(|score| (0.0..=1.0).contains(score));
    let mut adwin = Adwin::new(0.002).filter(|_| in_unit);
    let changed = scored.iter().filter(|(_, score)| adwin.as_mut().is_some_and(|adwin| adwin.add(*score)));
    let changed_at = changed.last().map(|(part, _)| *part);
    let spread = self::deviation(earlier).unwrap_or(f64::MIN_POSITIVE);
    Some(ScoreChart {
        rule: rule.to_owned(),
        parts: scores.len(),
        ewma: means.iter().map(|mean| ewma.add(*mean)).collect(),
        cusum: means.iter().map(|mean| cusum.add(*mean)).collect(),
        drift: Drift {
            ks,
            psi: psi(&then, &now).ok()?,
            shift: (mean(later) - mean(earlier)) / spread,
            changed_at,
        },
        means,
        centre,
        deviation,
    })
}

/// Shares of both in bins that each hold a tenth of the earlier ones; fewer bins where values repeat.
fn histograms(earlier: &[f64], later: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let mut sorted = earlier.to_vec();
    sorted.sort_by(f64::total_cmp);
    let mut edges: Vec<f64> = (1..BINS).map(|bin| sorted[bin * sorted.len() / BINS]).collect();
    edges.dedup();
    let shares = |scores: &[f64]| {
        let mut bins = vec![0.0; edges.len() + 1];
        for score in scores {
            bins[edges.partition_point(|edge| edge <= score)] += 1.0 / scores.len() as f64;
        }
        bins
    };
    (shares(earlier), shares(later))
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// `None` where values do not differ or are fewer than two.
fn deviation(values: &[f64]) -> Option<f64> {
    let (centre, n) = (mean(values), values.len() as f64);
    let variance = values.iter().map(|value| (value - centre).powi(2)).sum::<f64>() / (n - 1.0);
    (values.len() > 1 && variance > 0.0).then(|| variance.sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line that rejects about each 30th part, from `change` on each sixth; scores follow a small saw.
    fn line(parts: u32, change: u32) -> Vec<Charted> {
        let part = |id: u32| {
            let dice = id.wrapping_mul(2_654_435_761).rotate_left(13).wrapping_mul(2_246_822_519) >> 8;
            let is_bad = dice.is_multiple_of(if id < change { 30 } else { 6 });
            let saw = f64::from(id * 37 % 101) / 1_000.0;
            Charted {
                part: PartId::new(id).unwrap(),
                at: format!("2026-01-01T00:00:{:02}Z", id % 60),
                verdict: if is_bad { RecordVerdict::Fail } else { RecordVerdict::Pass },
                why: if is_bad { vec!["no-dent".to_owned()] } else { Vec::new() },
                models: vec!["parts 3f2a".to_owned()],
                score: Some(if id < change { 0.2 + saw } else { 0.3 + saw }),
            }
        };
        (1..=parts).map(part).collect()
    }

    #[test]
    fn a_steady_line_signals_nothing_and_a_change_is_seen_by_each_chart() {
        let steady = Process::of(&line(3_000, u32::MAX), 100, Some("no-dent")).unwrap();
        assert!(!steady.signals(), "{steady:#?}");
        assert!(steady.score.as_ref().is_some_and(|score| score.drift.psi < 0.1 && score.drift.ks.p > 0.2));
        let changed = Process::of(&line(3_000, 2_401), 100, Some("no-dent")).unwrap();
        let far: Vec<usize> = (changed.share.signals.iter())
            .filter(|hit| hit.rule == Rule::Beyond3)
            .map(|hit| hit.at)
            .collect();
        assert!(!far.is_empty() && far.iter().all(|at| *at >= 24), "{:?}", changed.share.signals);
        let single = changed.single.as_ref().unwrap();
        assert!(
            single.signals.iter().all(|part| part.get() > 2_401) && !single.signals.is_empty(),
            "{single:?}"
        );
        let score = changed.score.as_ref().unwrap();
        assert_eq!(score.ewma.iter().position(EwmaPoint::is_out), Some(24));
        assert!(score.cusum.iter().any(|point| point.signals));
        assert!(
            score.drift.ks.p < 1e-6 && score.drift.psi > 0.25 && score.drift.shift > 0.5,
            "{:?}",
            score.drift
        );
        assert!(score.drift.changed_at.is_some_and(|part| part.get() > 2_401));
        let words = changed.words(Confidence::NINETY_FIVE);
        for part in ["3000 parts", "rule 1", "no-dent  (100 %", "Laney", "signals at sample 25"] {
            assert!(words.contains(part), "{part} in\n{words}");
        }
    }

    #[test]
    fn what_cannot_be_charted_says_so() {
        assert_eq!(
            Process::of(&line(150, 500), 100, None).unwrap_err().to_string(),
            "150 parts make no two samples of 100; take smaller samples, or more parts"
        );
        let mut all_good = line(300, 500);
        all_good.iter_mut().for_each(|part| part.verdict = RecordVerdict::Pass);
        let told = Process::of(&all_good, 100, None).unwrap();
        assert!(told.share.limits.is_empty() && told.single.is_none() && told.pareto.is_empty());
        let words = told.words(Confidence::NINETY_FIVE);
        assert!(words.contains("0 of 300 (at most") && words.contains("no spread to chart"), "{words}");
        // Scores all equal: nothing to chart, and no panic.
        all_good.iter_mut().for_each(|part| part.score = Some(0.0));
        assert_eq!(Process::of(&all_good, 100, Some("x")).unwrap().score, None);
        assert!(Process::of(&all_good, 100, None).unwrap().share.is_preliminary);
    }
}
