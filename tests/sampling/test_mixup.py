"""ModalityMixup: mixed rows and targets."""

import numpy as np
import pandas as pd
import pytest

from sklearn_mmsent.sampling import ModalityMixup


def imbalanced(named_table, **options):
    X, y, layout = named_table(160, **options)
    rows = np.flatnonzero((y == "pos") | (np.arange(160) % 3 == 0))
    return X.iloc[rows].reset_index(drop=True), y[rows], layout


def mixed(X, y, **options):
    sampler = ModalityMixup(**{"random_state": 0, **options})
    X_new, y_new = sampler.fit_resample(X, y)
    return X_new, y_new, sampler.sample_indices_[len(X) :], sampler


@pytest.mark.parametrize("labels", ["hard", "soft"])
def test_same_weight_in_every_block(named_table, labels):
    X, y, _ = imbalanced(named_table, dtype="float64")
    X_new, _, seeds, sampler = mixed(X, y, labels=labels)
    start, end = X.to_numpy()[seeds], X.to_numpy()[sampler.partner_indices_]
    expected = (1 - sampler.weights_[:, None]) * start + sampler.weights_[:, None] * end
    both = np.isfinite(expected)
    np.testing.assert_allclose(X_new.to_numpy()[len(X) :][both], expected[both], atol=1e-12)
    assert 0 <= sampler.weights_.min() < sampler.weights_.max() <= 0.5
    assert (seeds != sampler.partner_indices_).all()


def test_hard_labels_mix_within_a_class(named_table):
    X, y, _ = imbalanced(named_table)
    _, y_new, seeds, sampler = mixed(X, y)
    np.testing.assert_array_equal(y[seeds], y[sampler.partner_indices_])
    np.testing.assert_array_equal(y_new[len(X) :], y[seeds])
    assert len(set(np.bincount(np.unique(y_new, return_inverse=True)[1]))) == 1


def test_soft_labels_are_class_weights(named_table):
    X, y, _ = imbalanced(named_table)
    _, y_new, seeds, sampler = mixed(X, y, labels="soft")
    assert isinstance(y_new, pd.DataFrame)
    assert y_new.columns.tolist() == ["neg", "neu", "pos"]
    np.testing.assert_allclose(y_new.sum(axis=1), 1)
    classes = np.array(y_new.columns)
    np.testing.assert_array_equal(y_new.iloc[: len(X)], y[:, None] == classes)
    weights = sampler.weights_[:, None]
    expected = (1 - weights) * (y[seeds][:, None] == classes)
    expected = expected + weights * (y[sampler.partner_indices_][:, None] == classes)
    np.testing.assert_allclose(y_new.iloc[len(X) :], expected)
    assert (y[seeds] != y[sampler.partner_indices_]).any()
    counts = y_new.idxmax(axis=1).value_counts()
    assert (counts == counts.iloc[0]).all()


def test_partner_without_common_modality_has_no_weight_in_the_target():
    X = pd.DataFrame({"a__x": [1.0, np.nan, np.nan], "b__x": [1.0, 5.0, np.nan]})
    y = ["p", "q", "q"]
    X_new, y_new, _, sampler = mixed(X, y, sampling_strategy={"p": 200}, labels="soft")
    shares, made = y_new["q"].to_numpy()[3:], X_new.to_numpy()[3:]
    with_b = sampler.partner_indices_ == 1
    np.testing.assert_allclose(shares[with_b], sampler.weights_[with_b] / 2)
    np.testing.assert_allclose(made[with_b, 1], 1 + 4 * sampler.weights_[with_b])
    assert (shares[~with_b] == 0).all()
    assert (made[~with_b] == 1).all()


def test_all_other_rows_are_partners():
    X = pd.DataFrame({"a__x": np.arange(7.0)})
    y = np.array([0, 1, 0, 1, 1, 0, 1])
    for labels, expected in (("hard", {0, 2, 5}), ("soft", set(range(7)))):
        _, _, seeds, sampler = mixed(X, y, sampling_strategy={0: 500}, labels=labels)
        pairs = set(zip(seeds.tolist(), sampler.partner_indices_.tolist(), strict=True))
        assert pairs == {(i, j) for i in (0, 2, 5) for j in expected if i != j}


def test_alpha_controls_the_weights(named_table):
    X, y, _ = imbalanced(named_table, shapes={"text": 3})
    little, much = (mixed(X, y, alpha=alpha)[3].weights_.mean() for alpha in (0.05, 5.0))
    assert little < 0.1 < 0.3 < much


def test_single_row_class_error(named_table):
    X, y, _ = named_table(30, shapes={"text": 3})
    rows = np.r_[np.flatnonzero(y == "neg")[:1], np.flatnonzero(y != "neg")]
    with pytest.raises(ValueError, match="class 'neg' has 1 row, and rows are mixed"):
        ModalityMixup().fit_resample(X.iloc[rows], y[rows])
    _, y_new = ModalityMixup(labels="soft").fit_resample(X.iloc[rows], y[rows])
    assert len(y_new) > len(rows)
