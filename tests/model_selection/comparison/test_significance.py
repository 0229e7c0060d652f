"""Intervals and tests, compared with other implementations."""

import numpy as np
import pytest
from scipy.stats import t as student_t
from scipy.stats import ttest_rel

from sklearn_mmsent.model_selection.comparison._significance import (
    corrected_interval,
    holm,
    paired_p,
)

FIRST = np.array([0.81, 0.79, 0.84, 0.77, 0.80])
SECOND = np.array([0.78, 0.77, 0.80, 0.78, 0.76])


def test_without_overlap_it_is_the_paired_t_test():
    expected = ttest_rel(FIRST, SECOND)
    assert paired_p(FIRST - SECOND, 0.0, "nadeau-bengio") == pytest.approx(expected.pvalue)
    interval = corrected_interval(FIRST - SECOND, 0.0, 0.9)
    assert interval == pytest.approx(tuple(expected.confidence_interval(0.9)))


def test_the_correction_equals_that_of_the_paper():
    d = FIRST - SECOND
    # mean / sqrt((1/5 + 1/4) s2), with four degrees of freedom
    t = d.mean() / np.sqrt((1 / 5 + 1 / 4) * d.var(ddof=1))
    assert paired_p(d, 0.25, "nadeau-bengio") == pytest.approx(2 * student_t.sf(t, 4))
    assert paired_p(-d, 0.25, "nadeau-bengio") == paired_p(d, 0.25, "nadeau-bengio")
    low, high = corrected_interval(d, 0.25, 0.95)
    assert (low + high) / 2 == pytest.approx(d.mean())
    assert high - low == pytest.approx(2 * student_t.ppf(0.975, 4) * d.mean() / t)


def test_the_correction_controls_false_positives():
    """Two equally good models over ten repeats of five folds with shared training rows."""
    rng = np.random.default_rng(0)
    alarms = {0.0: 0, 0.25: 0}
    for _ in range(400):
        # a part that all splits share, as with shared rows, and a part of each split
        d = rng.normal(scale=0.5) + rng.normal(size=50)
        for share in alarms:
            alarms[share] += paired_p(d, share, "nadeau-bengio") < 0.05
    assert alarms[0.25] <= 0.06 * 400 < 0.2 * 400 < alarms[0.0]


def test_wilcoxon():
    d = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    assert paired_p(d, 0.25, "wilcoxon") == pytest.approx(2 / 2**6)
    assert paired_p(np.array([-3.0, -2, -1, 1, 2, 3]), 0.25, "wilcoxon") == pytest.approx(1.0)


@pytest.mark.parametrize("test", ["nadeau-bengio", "wilcoxon"])
def test_single_and_equal_pairs(test):
    assert paired_p(np.zeros(5), 0.25, test) == 1.0
    assert np.isnan(paired_p(np.array([0.3]), 0.25, test))
    assert np.isnan(paired_p(np.array([0.3, np.nan]), 0.25, test))
    assert np.isnan(corrected_interval(np.array([0.3]), 0.0, 0.95)).all()
    assert paired_p(np.full(5, 0.25), 0.25, "nadeau-bengio") == 0.0


def test_holm():
    p = np.array([0.01, 0.04, np.nan, 0.03, 0.5])
    np.testing.assert_allclose(holm(p), [0.04, 0.09, np.nan, 0.09, 0.5])
    assert np.isnan(holm(np.array([np.nan]))).all()
    p = np.random.default_rng(0).random(20)
    corrected = holm(p)
    assert ((corrected >= p) & (corrected <= 1)).all()
    assert (np.diff(corrected[np.argsort(p)]) >= 0).all()
