//! Which defects make up most of the rejects.

use serde::Serialize;

/// One bar of the chart.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Bar {
    /// What is counted.
    pub name: String,
    /// How often.
    pub count: u64,
    /// Share of all, this and the bars before it together, 0..=1.
    pub cumulative: f64,
}

/// Bars in falling order, equal ones by name; more than `bars_max` are summed up in a last one called `other`. Kinds that
/// did not occur are left out.
pub fn pareto<'a>(counts: impl IntoIterator<Item = (&'a str, u64)>, bars_max: usize) -> Vec<Bar> {
    let mut counts: Vec<(&str, u64)> = counts.into_iter().filter(|(_, count)| *count > 0).collect();
    counts.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    if counts.len() > bars_max {
        let rest = counts.drain(bars_max..).map(|(_, count)| count).sum();
        counts.push(("other", rest));
    }
    let all: u64 = counts.iter().map(|(_, count)| count).sum();
    let mut so_far = 0;
    counts
        .into_iter()
        .map(|(name, count)| {
            so_far += count;
            Bar { name: name.to_owned(), count, cumulative: so_far as f64 / all as f64 }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_comes_last_even_where_it_is_large() {
        let bars = pareto([("dent", 2), ("scratch", 5), ("stain", 2), ("burr", 1), ("chip", 0)], 2);
        let seen: Vec<_> = bars.iter().map(|bar| (bar.name.as_str(), bar.count)).collect();
        assert_eq!(seen, [("scratch", 5), ("dent", 2), ("other", 3)]);
        assert_eq!(bars[0].cumulative, 0.5);
        assert_eq!(bars[2].cumulative, 1.0);
        assert!(pareto([("dent", 0)], 5).is_empty());
    }
}
