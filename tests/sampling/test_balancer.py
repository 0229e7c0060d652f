"""ModalityBalancer: class sizes and missingness patterns."""

from itertools import product

import numpy as np
import pandas as pd
import pytest

from sklearn_mmsent import FillBlocks
from sklearn_mmsent.sampling import ModalityBalancer
from sklearn_mmsent.sampling._balancer import _allocate

SIZES = {("neg", True): 40, ("neg", False): 10, ("pos", True): 6, ("pos", False): 14}


def table():
    labels = np.concatenate([[label] * n for (label, _), n in SIZES.items()])
    present = np.concatenate([[present] * n for (_, present), n in SIZES.items()])
    order = np.random.default_rng(0).permutation(len(labels))
    X = pd.DataFrame(
        {"text__a": np.arange(len(labels)) * 1.0, "face__x": np.where(present, 1, np.nan)}
    )
    return X.iloc[order].reset_index(drop=True), labels[order]


def counts(X, y):
    return X.groupby([y, X["face__x"].notna()]).size().to_dict()


@pytest.mark.parametrize(("how", "size"), [("over", 40), ("under", 6)])
def test_classes_and_patterns_are_balanced(how, size):
    X, y = table()
    X_new, y_new = ModalityBalancer(how=how, random_state=0).fit_resample(X, y)
    assert counts(X_new, y_new) == dict.fromkeys(SIZES, size)


def test_patterns_after_filling():
    X, y = table()
    filled = FillBlocks().fit_transform(X)
    balancer = ModalityBalancer(random_state=0)
    X_new, y_new = balancer.fit_resample(filled, y)
    assert X_new.groupby([y_new, "face__present"]).size().eq(40).all()
    again = ModalityBalancer(random_state=0)
    again.fit_resample(X, y)
    np.testing.assert_array_equal(balancer.sample_indices_, again.sample_indices_)


def test_rows_are_repeated_evenly():
    X, y = table()
    balancer = ModalityBalancer(random_state=0)
    X_new, _ = balancer.fit_resample(X, y)
    pd.testing.assert_frame_equal(X_new.iloc[: len(X)], X)
    times = np.bincount(balancer.sample_indices_, minlength=len(X))
    for label, present in SIZES:
        cell = (y == label) & (X["face__x"].notna() == present)
        assert np.ptp(times[cell]) <= 1
    under = ModalityBalancer(how="under", random_state=0)
    under.fit_resample(X, y)
    assert (np.diff(under.sample_indices_) > 0).all()  # in order, without repetition


@pytest.mark.parametrize(
    ("how", "strategy", "expected"),
    [
        ("over", {"pos": 21}, {**SIZES, ("pos", True): 7}),
        ("over", {"pos": 50}, {**SIZES, ("pos", True): 25, ("pos", False): 25}),
        ("over", "not majority", {**SIZES, ("pos", True): 25, ("pos", False): 25}),
        ("over", 0.6, {**SIZES, ("pos", True): 15, ("pos", False): 15}),
        ("under", {"neg": 30}, {**SIZES, ("neg", True): 20}),
        ("under", {"neg": 12}, {**SIZES, ("neg", True): 6, ("neg", False): 6}),
        ("under", "majority", {**SIZES, ("neg", True): 10, ("neg", False): 10}),
    ],
)
def test_given_class_sizes(how, strategy, expected):
    X, y = table()
    X_new, y_new = ModalityBalancer(strategy, how=how, random_state=0).fit_resample(X, y)
    assert counts(X_new, y_new) == expected


def test_modality_is_present_if_any_block_is():
    X = pd.DataFrame({"a__p__x": [1, np.nan, np.nan, 1], "a__q__x": [np.nan, 1, np.nan, 1]})
    X["b__x"] = 1.0
    _, y_new = ModalityBalancer().fit_resample(X, [0, 0, 0, 1])
    assert np.bincount(y_new).tolist() == [4, 4]  # two patterns of two


def test_allocation_within_bounds():
    for bounds in product(range(5), repeat=3):
        for total in range(sum(bounds), 14):
            shares = _allocate(total, lower=bounds)
            assert shares.sum() == total
            assert (shares >= bounds).all()
            free = shares[shares > bounds]
            assert not len(free) or np.ptp(free) <= 1
            assert not len(free) or free.max() <= shares.min() + 1
        for total in range(sum(bounds) + 1):
            shares = _allocate(total, upper=bounds)
            assert shares.sum() == total
            assert (shares <= bounds).all()
            free = shares[shares < bounds]
            assert not len(free) or free.min() >= shares.max() - 1
