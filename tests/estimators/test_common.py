"""scikit-learn's checks, and their twin over named tables of several modalities."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_mmsent import FusionClassifier, FusionMultitask, FusionRegressor
from sklearn_mmsent.blocks import BlockLayout
from sklearn_mmsent.nn import FUSIONS

EXPECTED_FAILURES = {
    "check_sample_weight_equivalence_on_dense_data": (
        "a row of weight two is one row in one batch; two rows fall into two batches"
    )
}
CHEAP = {"max_epochs": 20, "lr": 1e-2, "hidden_size": 32}
# one fusion of vectors for each estimator, one of sequences for all: the fusions differ in what
# the tests below look at
ESTIMATORS = [
    FusionClassifier(**CHEAP),
    FusionRegressor(**CHEAP),
    FusionMultitask(**CHEAP),
    FusionClassifier("mult", **CHEAP | {"hidden_size": 16}),
]

SHAPES = {
    "one flat": {"text": 6},
    "one sequence": {"audio": (5, 3)},
    "flat, sequence, image": {"text": 6, "audio": (5, 3), "image": (2, 3, 3)},
    "parts": {"audio__mfcc": (4, 2), "audio__f0": 2, "text": 3, "face": 2},
}


FED_BY_CHECKS = pytest.mark.filterwarnings(
    # scikit-learn's checks pass tables without names, of which the estimators warn
    "ignore:.*columns name no modality:UserWarning",
    # and columns of shape (n, 1) as y, which is tested to warn
    "ignore:A column-vector y was passed:sklearn.exceptions.DataConversionWarning",
    # array API input is only checked where SCIPY_ARRAY_API is set
    "ignore:Skipping check_array_api_input:sklearn.exceptions.SkipTestWarning",
)


@FED_BY_CHECKS
@parametrize_with_checks(ESTIMATORS, expected_failed_checks=lambda estimator: EXPECTED_FAILURES)
def test_scikit_learns_checks(estimator, check):
    check(estimator)


def fitted(cls, X, y, **params):
    params = {"max_epochs": 3, "hidden_size": 32, "random_state": 0, **params}
    target = y if cls is FusionClassifier else np.searchsorted(["neg", "neu", "pos"], y)
    return cls(**params).fit(X, target)


def outputs(estimator, X):
    if isinstance(estimator, FusionClassifier):
        return estimator.predict_proba(X)
    return estimator.predict(X)


TASKS, GAPS = (FusionClassifier, FusionRegressor), (0.0, 0.3)


def tables():
    """Yield each fusion with a table of one block and one of several, in turns with and without
    gaps, for classes and for intensities.
    """
    names = list(SHAPES)
    for i, fusion in enumerate(FUSIONS):
        for j, name in enumerate([names[i % 2], names[2 + i // 2 % 2]]):
            gaps, cls = GAPS[(i + j) % 2], TASKS[(i // 2 + j) % 2]
            yield pytest.param(fusion, SHAPES[name], gaps, cls, id=f"{fusion}-{name}")


@pytest.mark.parametrize(("fusion", "shapes", "missing", "cls"), list(tables()))
def test_named_tables(named_table, global_states, cls, fusion, missing, shapes):
    X, y, layout = named_table(80, shapes, missing=missing)
    before = X.copy()
    states = global_states()
    estimator = fitted(cls, X, y, fusion=fusion)
    result = outputs(estimator, X)

    assert np.isfinite(result).all()
    assert len(np.unique(result.round(6), axis=0)) > 40  # not all the same
    pd.testing.assert_frame_equal(X, before)
    assert global_states() == states

    # same seed, same bits; other seed, other numbers
    assert (outputs(fitted(cls, X, y, fusion=fusion), X) == result).all()
    assert (outputs(fitted(cls, X, y, fusion=fusion, random_state=1), X) != result).any()
    assert (outputs(pickle.loads(pickle.dumps(estimator)), X) == result).all()

    # a row's prediction is its own
    order = np.random.default_rng(0).permutation(len(X))
    np.testing.assert_allclose(outputs(estimator, X.iloc[order]), result[order], rtol=1e-9)
    np.testing.assert_allclose(outputs(estimator, X.iloc[[7]]), result[[7]], rtol=1e-9)
    np.testing.assert_allclose(
        outputs(estimator, pd.concat([X] * 14)), np.concatenate([result] * 14), rtol=1e-9
    )

    # a row without anything has an answer, the same for all such rows
    nothing = X.iloc[:3] * np.nan
    assert np.isfinite(outputs(estimator, nothing)).all()
    assert np.ptp(outputs(estimator, nothing), axis=0).max() < 1e-12

    assert not hasattr(clone(estimator), "net_")
    assert layout.blocks == estimator.layout_.blocks


@pytest.mark.parametrize("fusion", FUSIONS)
def test_padding_does_not_matter(named_table, fusion):
    X, y, _ = named_table(80, {"audio": (5, 3), "text": 4}, missing=0.2)
    longer = BlockLayout.from_shapes({"audio": (9, 3), "text": 4})
    names = [name for block in longer.blocks for name in block.column_names()]
    padded = pd.DataFrame(np.nan, index=X.index, columns=names, dtype="float32")
    padded.iloc[:, :15] = X.iloc[:, :15].to_numpy()
    padded.iloc[:, 27:] = X.iloc[:, 15:].to_numpy()
    # another content gives another internal split, so train without one
    params = {"fusion": fusion, "early_stopping": False}
    short = fitted(FusionClassifier, X, y, **params)
    long = fitted(FusionClassifier, padded, y, **params)
    # Adam divides gradients by their size, so that in attention rounding grows by training
    atol = 1e-4 if FUSIONS[fusion].sequential else 1e-5
    np.testing.assert_allclose(long.predict_proba(padded), short.predict_proba(X), atol=atol)
    long.net_.module_.load_state_dict(short.net_.module_.state_dict())
    np.testing.assert_allclose(long.predict_proba(padded), short.predict_proba(X), atol=1e-9)


def test_dtypes_and_containers_agree(named_table):
    X, y, layout = named_table(80, missing=0.2)
    shapes = {block.name: block.shape for block in layout.blocks}
    reference = fitted(FusionClassifier, X, y).predict_proba(X)
    array = fitted(FusionClassifier, X.to_numpy(), y, modalities=shapes)
    np.testing.assert_allclose(array.predict_proba(X.to_numpy()), reference, atol=1e-6)
    columns = np.asfortranarray(X.to_numpy())
    np.testing.assert_allclose(array.predict_proba(columns), reference, atol=1e-6)
    columns.flags.writeable = False
    np.testing.assert_allclose(array.predict_proba(columns), reference, atol=1e-6)


def test_pixels_stay_bytes(named_table):
    X, y, _ = named_table(80, {"image": (2, 3, 3)})
    X = ((X.clip(-3, 3) + 3) * 40).round()
    as_bytes, as_floats = X.astype(np.uint8), X.astype(np.float32)
    params = {"early_stopping": False}
    first = fitted(FusionClassifier, as_bytes, y, **params)
    assert first.layout_.read(as_bytes)[0].values.dtype == np.uint8
    second = fitted(FusionClassifier, as_floats, y, **params)
    np.testing.assert_allclose(
        first.predict_proba(as_bytes), second.predict_proba(as_floats), atol=1e-6
    )
