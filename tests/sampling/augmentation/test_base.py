"""Behaviour common to all augmenters."""

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import cross_validate

from sklearn_mmsent import make_pipeline
from sklearn_mmsent.exceptions import CellError
from sklearn_mmsent.sampling import AudioAugmenter, ImageAugmenter, TextAugmenter

SYNONYMS = {"the": ["this", "that"], "film": ["movie"], "day": ["date"]}
AUGMENTERS = [
    TextAugmenter(synonyms=SYNONYMS, random_state=0),
    ImageAugmenter(random_state=0),
    AudioAugmenter(pitch=0, stretch=0, random_state=0),
]
NAMES = ["TextAugmenter", "ImageAugmenter", "AudioAugmenter"]
over_all = pytest.mark.parametrize("augmenter", AUGMENTERS, ids=NAMES)


def rows(n=12, seed=0):
    """Texts, images and audio clips with missing cells, and imbalanced labels."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(
        {
            "text": [f"the film was shown on day number {i} of the festival" for i in range(n)],
            "image": [rng.integers(0, 256, (12, 16, 3), dtype=np.uint8) for _ in range(n)],
            "audio": [(rng.normal(size=400).astype(np.float32), 4000) for _ in range(n)],
            "likes": np.arange(n, dtype=np.int32),
        },
        index=[f"row{i}" for i in range(n)],
    )
    for name, row in {"text": 1, "image": 2, "audio": 3}.items():
        X.loc[f"row{row}", name] = None
    return X, np.where(np.arange(n) % 4 == 0, "rare", "often")


def same(a, b):
    """Return whether two raw cells are equal."""
    if isinstance(a, tuple):
        return isinstance(b, tuple) and a[1] == b[1] and np.array_equal(a[0], b[0])
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and np.array_equal(a, b)
    return type(a) is type(b) and (a == b or (a is not None and a != a))  # NaN equals NaN


def column(augmenter):
    return augmenter.columns


@over_all
def test_originals_first_and_other_columns_copied(augmenter):
    X, y = rows()
    before = X.copy()
    X_new, y_new = augmenter.fit_resample(X, y)
    pd.testing.assert_frame_equal(X, before)
    assert (pd.Series(y_new).value_counts() == 9).all()
    assert np.array_equal(y_new, y[augmenter.sample_indices_])
    assert (X_new.dtypes == X.dtypes).all()
    assert list(X_new) == list(X)
    for i, row in enumerate(augmenter.sample_indices_):
        for name in X:
            kept = same(X_new[name].iloc[i], X[name].iloc[row])
            changes = (
                i >= len(X)
                and name == column(augmenter)
                and pd.notna(X[name].iloc[row : row + 1]).all()
            )
            assert kept != changes


@over_all
def test_factor_adds_as_many_copies_of_each_row(augmenter):
    X, y = rows()
    augmenter = type(augmenter)(**{**augmenter.get_params(), "factor": 2})
    for target in (y, np.linspace(-3, 3, 12) + 0.01):
        X_new, y_new = augmenter.fit_resample(X, target)
        assert len(X_new) == 36
        assert np.array_equal(augmenter.sample_indices_[12:], np.repeat(np.arange(12), 2))
        assert np.array_equal(y_new, target[augmenter.sample_indices_])
    present = [i for i in range(12) if f"row{i}" in X[column(augmenter)].dropna()]
    cells = X_new[column(augmenter)]
    distinct = [not same(cells[12 + 2 * i], cells[13 + 2 * i]) for i in present]
    assert np.mean(distinct) > 0.8


@over_all
def test_reproducible_without_global_state(augmenter, global_states):
    X, y = rows()
    states = global_states()
    first, again = (augmenter.fit_resample(X, y)[0] for _ in range(2))
    assert global_states() == states
    other = type(augmenter)(**{**augmenter.get_params(), "random_state": 1})
    other, _ = other.fit_resample(X, y)
    name = column(augmenter)
    assert all(map(same, first[name], again[name]))
    assert not all(map(same, first[name], other[name]))


@over_all
def test_copies_independent_of_other_rows(augmenter):
    X, y = rows()
    augmenter = type(augmenter)(**{**augmenter.get_params(), "factor": 1})
    whole, _ = augmenter.fit_resample(X, y)
    part, _ = augmenter.fit_resample(X.iloc[:8], y[:8])
    name = column(augmenter)
    assert all(map(same, whole[name].iloc[12:20], part[name].iloc[8:]))


@over_all
def test_independent_of_n_jobs(augmenter):
    X, y = rows()
    separate, _ = augmenter.fit_resample(X, y)
    shared = type(augmenter)(**{**augmenter.get_params(), "n_jobs": 2})
    shared, _ = shared.fit_resample(X, y)
    assert all(map(same, separate[column(augmenter)], shared[column(augmenter)]))


@over_all
def test_unusable_cell_error(augmenter):
    X, y = rows()
    name = column(augmenter)
    X[name] = X[name].astype(object)
    X.loc["row4", name] = 4.5
    with pytest.raises(CellError, match=r"row4|row 4"):
        augmenter.fit_resample(X, y)
    lenient = type(augmenter)(**{**augmenter.get_params(), "on_error": "missing"})
    with pytest.warns(UserWarning, match="1"):
        X_new, _ = lenient.fit_resample(X, y)
    made = np.flatnonzero(lenient.sample_indices_[12:] == 4) + 12
    assert len(made)
    assert X_new[name].iloc[made].isna().all()
    assert X_new[name].iloc[4] == 4.5


@over_all
def test_invalid_columns(augmenter):
    X, y = rows()
    with pytest.raises(ValueError, match=r"no column 'words'.*'text', 'image'"):
        type(augmenter)("words").fit_resample(X, y)
    with pytest.raises(TypeError, match="Pass a DataFrame"):
        augmenter.fit_resample(np.ones((4, 2)), [0, 0, 0, 1])
    with pytest.raises(ValueError, match="class"):
        augmenter.fit_resample(X, np.full(12, "often"))


class PredictionRecorder(DummyClassifier):
    """Records the texts that it predicts."""

    seen: list = []

    def predict(self, X):
        self.seen.extend(X["text"])
        return super().predict(X)


def test_new_rows_are_not_scored():
    X, y = rows(30)
    X = X[["text"]].dropna()
    PredictionRecorder.seen.clear()
    pipe = make_pipeline(TextAugmenter(synonyms={}, random_state=0), PredictionRecorder())
    cross_validate(pipe, X, y[: len(X)], cv=3, scoring="accuracy", error_score="raise")
    assert sorted(map(str, PredictionRecorder.seen)) == sorted(map(str, X["text"]))
