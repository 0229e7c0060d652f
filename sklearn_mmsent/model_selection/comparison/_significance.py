"""Intervals and tests for scores of folds, whose training rows overlap."""

import numpy as np
from scipy.stats import t as student_t
from scipy.stats import wilcoxon

#: Fewer pairs than this cannot reach p < .05 in a two-sided Wilcoxon test.
MIN_WILCOXON_PAIRS = 6


def corrected_interval(values, share, confidence_level):
    """Return the confidence interval of a mean over overlapping splits.

    Parameters
    ----------
    values : ndarray of shape (n_splits,)
        Score of each split.
    share : float
        Ratio of test to training rows; 0 for independent values.
    confidence_level : float
        Such as 0.95.

    Returns
    -------
    low, high : float
        Bounds from Student's t with the variance of Nadeau and Bengio [1]_; NaN for one value.

    References
    ----------
    .. [1] C. Nadeau, Y. Bengio, "Inference for the Generalization Error", Machine Learning 52,
       2003.
    """
    if len(values) < 2 or np.isnan(values).any():
        return np.nan, np.nan
    half = student_t.ppf((1 + confidence_level) / 2, len(values) - 1)
    half *= _corrected_error(values, share)
    return values.mean() - half, values.mean() + half


def paired_p(differences, share, test):
    """Return the p-value of the hypothesis that paired scores do not differ on average.

    Parameters
    ----------
    differences : ndarray of shape (n_splits,)
        Difference of the scores of two models on each split.
    share : float
        Ratio of test to training rows; 0 for independent differences.
    test : {"nadeau-bengio", "wilcoxon"}
        Corrected resampled t-test, or signed-rank test without a correction.

    Returns
    -------
    float
        Two-sided p-value; 1 if all differences are zero, NaN for a single pair.
    """
    if len(differences) < 2 or np.isnan(differences).any():
        return np.nan
    if not differences.any():
        return 1.0
    if test == "wilcoxon":
        return float(wilcoxon(differences, zero_method="zsplit").pvalue)
    error = _corrected_error(differences, share)
    if error == 0:
        return 0.0
    return float(2 * student_t.sf(abs(differences.mean()) / error, len(differences) - 1))


def _corrected_error(values, share):
    """Return the standard error of the mean, corrected for overlapping training rows."""
    return np.sqrt((1 / len(values) + share) * values.var(ddof=1))


def holm(p_values):
    """Return p-values corrected for multiple tests by Holm's method.

    Parameters
    ----------
    p_values : ndarray of shape (n_tests,)
        NaN where there was no test.

    Returns
    -------
    ndarray of shape (n_tests,)
        Corrected p-values, at most 1.

    References
    ----------
    .. [1] S. Holm, "A Simple Sequentially Rejective Multiple Test Procedure", Scandinavian
       Journal of Statistics 6, 1979.
    """
    corrected = np.full(len(p_values), np.nan)
    tested = np.flatnonzero(~np.isnan(p_values))
    order = tested[np.argsort(p_values[tested], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    corrected[order] = np.minimum(np.maximum.accumulate(factors * p_values[order]), 1.0)
    return corrected
