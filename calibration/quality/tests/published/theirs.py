"""Published packages' word on the numbers that come in on stdin, as one flat JSON table on stdout."""

import json
import sys

import numpy as np
import pandas as pd
from process_improve.monitoring.control_charts import ControlChart
from river.drift import ADWIN
from scipy import stats
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.metrics.pairwise import rbf_kernel
import statsmodels.api as sm
from statsmodels.formula.api import ols
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.inter_rater import cohens_kappa, fleiss_kappa
from statsmodels.stats.proportion import proportion_confint

given = json.load(sys.stdin)
say = {}

for events, trials in given["shares"]:
    lower, upper = proportion_confint(events, trials, 0.05, method="beta")
    say[f"share {events}/{trials} lower"], say[f"share {events}/{trials} upper"] = lower, upper
for b, c in given["discordant"]:
    say[f"mcnemar {b} {c}"] = mcnemar([[0, b], [c, 0]], exact=True).pvalue
for a, n, b, m in given["fisher"]:
    say[f"fisher {a} {n} {b} {m}"] = stats.fisher_exact([[a, n - a], [b, m - b]]).pvalue

first, second = np.array(given["first"]), np.array(given["second"])
smirnov = stats.ks_2samp(first, second, method="exact")
say["ks gap"], say["ks p"] = smirnov.statistic, smirnov.pvalue
kernel = lambda a, b: rbf_kernel(a[:, None], b[:, None], gamma=1 / (2 * given["width"] ** 2))
say["mmd biased"] = kernel(first, first).mean() + kernel(second, second).mean() - 2 * kernel(first, second).mean()

truth = [0] * len(first) + [1] * len(second)
say["auc"] = roc_auc_score(truth, np.concatenate([first, second]))
say["average precision"] = average_precision_score(truth, np.concatenate([first, second]))

t = stats.ttest_1samp(first, given["reference"])
say["type 1 bias p"] = t.pvalue
free = len(first) - 1
for name, tail in (("lower", 0.025), ("upper", 0.975)):
    say[f"cp {name}"] = given["cp"] * np.sqrt(stats.chi2.ppf(tail, free) / free)

table = np.array(given["kappa"])
kappa = cohens_kappa(table)
say["cohen"], say["cohen lower"], say["cohen upper"] = kappa.kappa, kappa.kappa_low, kappa.kappa_upp
say["fleiss"] = fleiss_kappa(np.array(given["fleiss"]), method="fleiss")

line = pd.DataFrame(given["pairs"], columns=["reference", "measured"])
fit = sm.OLS(line.measured - line.reference, sm.add_constant(line.reference)).fit()
say["slope"], say["slope p"], say["intercept"], say["r2"] = (
    fit.params.iloc[1],
    fit.pvalues.iloc[1],
    fit.params.iloc[0],
    fit.rsquared,
)
say["slope lower"] = fit.conf_int().iloc[1, 0]

rows = [
    (str(appraiser), str(part), value)
    for appraiser, parts in enumerate(given["gauge"])
    for part, trials in enumerate(parts)
    for value in trials
]
study = pd.DataFrame(rows, columns=["appraiser", "part", "value"])
anova = sm.stats.anova_lm(ols("value ~ C(appraiser) * C(part)", study).fit())
for ours, theirs in (
    ("appraisers", "C(appraiser)"),
    ("parts", "C(part)"),
    ("interaction", "C(appraiser):C(part)"),
    ("equipment", "Residual"),
):
    say[f"anova {ours}"] = anova.loc[theirs, "sum_sq"]
say["anova interaction p"] = anova.loc["C(appraiser):C(part)", "PR(>F)"]

ewma = ControlChart(variant="ewma")
ewma.calculate_limits(first, target=given["reference"], sigma=given["sigma"], ld_1=0.2)
cusum = ControlChart(variant="cusum")
cusum.calculate_limits(first, target=given["reference"], sigma=given["sigma"], k=0.5, h=1e6)
for at in range(len(first)):
    say[f"ewma {at}"] = ewma.df["ewma"].iloc[at]
    say[f"ewma upper {at}"] = ewma.df["ewma_ucl"].iloc[at]
    say[f"cusum high {at}"] = cusum.df["cusum_upper"].iloc[at]
    say[f"cusum low {at}"] = cusum.df["cusum_lower"].iloc[at]

# Another way of keeping the window, so only what both must see: a change, and none where there is none.
for name in ("steady", "changed"):
    adwin = ADWIN(delta=0.002)
    found = 0
    for value in given[name]:
        adwin.update(value)
        found += adwin.drift_detected
    say[f"adwin {name}"] = float(found > 0)

json.dump({name: float(value) for name, value in say.items()}, sys.stdout)
