"""Intensity scores: reference values of published code, edge cases and bad input."""

import numpy as np
import pytest
from scipy.stats import pearsonr

from sklearn_mmsent import intensity_scores
from sklearn_mmsent.metrics import (
    intensity_accuracy,
    intensity_corr,
    intensity_f1,
    intensity_mae,
)

T1 = np.array(
    [-3, -2.4, -1.5, -1, -0.6, -0.5, -0.2, 0, 0, 0.2, 0.5, 0.6, 1, 1.5, 2.5, 3], np.float32
)
P1 = np.array(
    [-3.6, -1.5, -2.5, -0.4, 0.1, -0.5, 0, 0, -0.1, 0.3, 1.5, -0.2, 0.5, 2.5, 1.2, 3.4],
    np.float32,
)
T2 = np.array([-1, -0.8, -0.7, -0.4, -0.1, 0, 0.1, 0.2, 0.4, 0.7, 0.8, 1], np.float32)
P2 = np.array([-1.2, -0.7, -0.6, -0.1, 0, 0.1, 0.05, 0.3, -0.2, 0.71, 0.6, 0.9], np.float32)


def random_case():
    rng = np.random.RandomState(0)  # the reference values use the legacy generator
    t = np.clip(rng.randn(200) * 1.5, -3, 3).astype(np.float32)
    t[:20] = 0
    return t, (t * 0.6 + rng.randn(200) * 0.8).astype(np.float32)


GOLDEN = {
    "mosi": (
        T1,
        P1,
        "mosi",
        {
            "acc2_has0": 0.75,
            "f1_weighted_has0": 0.75,
            "acc2_non0": 0.8571,
            "f1_weighted_non0": 0.8571,
            "acc3": 0.6875,
            "acc5": 0.625,
            "acc7": 0.625,
            "mae": 0.575,
            "corr": 0.9068,
        },
    ),
    "sims of the first": (
        T1,
        P1,
        "sims",
        {
            "acc2_sims": 0.875,
            "acc3_sims": 0.75,
            "acc5_sims": 0.5625,
            "f1_weighted_sims": 0.875,
            "mae_sims": 0.2188,
            "corr_sims": 0.8853,
        },
    ),
    "sims": (
        T2,
        P2,
        "sims",
        {
            "acc2_sims": 0.8333,
            "acc3_sims": 0.8333,
            "acc5_sims": 0.5833,
            "f1_weighted_sims": 0.8333,
            "mae_sims": 0.1467,
            "corr_sims": 0.94,
        },
    ),
    "random": (
        *random_case(),
        "mosi",
        {
            "acc2_has0": 0.77,
            "f1_weighted_has0": 0.7702,
            "acc2_non0": 0.8056,
            "f1_weighted_non0": 0.8052,
            "acc5": 0.41,
            "acc7": 0.36,
            "mae": 0.749,
            "corr": 0.7618,
        },
    ),
}


@pytest.mark.parametrize("case", GOLDEN)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, list])
def test_reference_values(case, dtype):
    t, p, convention, expected = GOLDEN[case]
    if dtype is list:
        t, p = [round(float(v), 7) for v in t], [round(float(v), 7) for v in p]
    else:
        t, p = t.astype(dtype), p.astype(dtype)
    scores = intensity_scores(t, p, convention=convention)
    assert {k: round(scores[k], 4) for k in expected} == pytest.approx(expected, abs=1e-9)
    assert all(type(value) is float for value in scores.values())


def test_conventions_share_no_keys():
    mosi, sims = intensity_scores(T1, P1), intensity_scores(T1, P1, convention="sims")
    assert not set(mosi) & set(sims)


def test_column_vectors_are_accepted():
    assert intensity_scores(T1[:, None], P1[:, None]) == intensity_scores(T1, P1)


@pytest.mark.parametrize("convention", ["mosi", "sims"])
def test_integer_weights_equal_repetition(convention):
    t, p = random_case()
    weight = np.random.default_rng(3).integers(0, 4, len(t))
    weighted = intensity_scores(t, p, convention=convention, sample_weight=weight)
    repeated = intensity_scores(np.repeat(t, weight), np.repeat(p, weight), convention=convention)
    assert weighted == pytest.approx(repeated, abs=1e-12)


def test_corr_equals_scipy():
    t, p = random_case()
    expected = pearsonr(t.astype(float), p.astype(float)).statistic
    assert intensity_corr(t, p) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("t", "p"),
    [
        ([1, 2, 3], [0.1, 0.1, 0.1]),
        ([2, 2], [0, 1]),
        ([1], [1]),
        ([1, 2], [0, 1e-200]),  # the sum of squares underflows
    ],
)
def test_corr_of_a_constant_is_nan_without_a_warning(t, p):
    assert np.isnan(intensity_corr(t, p))


def test_corr_ignores_rows_of_weight_zero():
    assert np.isnan(intensity_corr([1, 2, 3], [0.5, 0.5, 9], sample_weight=[1, 1, 0]))


def test_non0_is_nan_if_all_intensities_are_zero():
    scores = intensity_scores([0, 0, 0], [0.1, -0.1, 1])
    assert np.isnan(scores["acc2_non0"])
    assert np.isnan(scores["f1_weighted_non0"])
    assert scores["acc2_has0"] == pytest.approx(2 / 3)


def test_rounding_is_half_to_even_after_clipping():
    # 0.5 -> 0, 1.5 -> 2, 2.5 -> 2, and 9 -> 3
    assert intensity_accuracy([0, 2, 2, 3], [0.5, 1.5, 2.5, 9], n_classes=7) == 1.0


def test_error_is_clipped_for_sims_but_not_for_mosi():
    assert intensity_mae([3], [5]) == 2
    assert intensity_mae([1], [5], convention="sims") == 0


def test_f1_of_a_single_class():
    assert intensity_f1([1, 2, 3], [1, 1, 1]) == 1.0
    assert intensity_f1([1, 2, 3], [-1, -1, -1]) == 0.0


@pytest.mark.parametrize(
    ("t", "p", "message"),
    [
        ([1, 2], [1], "inconsistent numbers of samples"),
        ([1, np.nan], [1, 2], "y_true contains NaN"),
        ([1, 2], [1, np.nan], "y_pred contains NaN"),
        ([1, 2], [1, np.inf], "y_pred contains infinity"),
        ([], [], "minimum of 1 is required"),
        ([[1, 2], [1, 2]], [1, 2], "1d array"),
        (["a", "b"], [1, 2], "could not convert"),
    ],
)
def test_bad_input(t, p, message):
    with pytest.raises(ValueError, match=message):
        intensity_scores(t, p)


def test_bad_parameters():
    with pytest.raises(ValueError, match="The 'convention' parameter of intensity_scores"):
        intensity_scores([1], [1], convention="mosei")
    with pytest.raises(ValueError, match="convention='sims' defines 2, 3 and 5"):
        intensity_accuracy([1], [1], n_classes=7, convention="sims")
    with pytest.raises(ValueError, match="zeros='exclude' is defined for two classes"):
        intensity_accuracy([1], [1], n_classes=3, zeros="exclude")
    with pytest.raises(ValueError, match="Negative values in data passed to `sample_weight`"):
        intensity_accuracy([1, 1], [1, 1], sample_weight=[1, -1])
