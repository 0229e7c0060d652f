"""New rows are not scored, and none made from a validation row is used for training.

Each row holds a distinct unit vector as a modality, so that the nonzero entries of a new row
reveal its source rows.
"""

import numpy as np
import pandas as pd
import pytest
import torch
from imblearn.over_sampling import SMOTE, RandomOverSampler
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold, cross_validate

from sklearn_mmsent import FillBlocks, FusionClassifier, make_pipeline
from sklearn_mmsent.estimators import BaseFusion
from sklearn_mmsent.sampling import ModalityBalancer, ModalityMixup, ModalitySMOTE

N = 90
SAMPLERS = [
    ModalityBalancer(random_state=0),
    ModalityBalancer(how="under", random_state=0),
    ModalityMixup(random_state=0),
    ModalitySMOTE(k_neighbors=3, random_state=0),
    RandomOverSampler(random_state=0),
    SMOTE(k_neighbors=3, random_state=0),
]


def rows_with_fingerprints():
    y = np.repeat(["negative", "neutral", "positive"], [50, 25, 15])
    tone = np.random.default_rng(0).normal(size=(N, 2))
    columns = {f"text__{i}": tone[:, i] for i in range(2)}
    columns |= {f"mark__{i}": np.eye(N)[:, i] for i in range(N)}
    return pd.DataFrame(columns), y


def origins(table):
    """Source rows of each row of a table, as a boolean matrix."""
    return np.abs(np.asarray(table.filter(regex=r"^mark__\d"), dtype=float)) > 1e-9


class Recorder(ClassifierMixin, BaseEstimator):
    """A classifier that records the rows it is fitted on and predicts."""

    log = None

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        type(self).log.append(("fit", X))
        return self

    def predict(self, X):
        type(self).log.append(("predict", X))
        return np.full(len(X), self.classes_[0])


@pytest.mark.parametrize("sampler", SAMPLERS, ids=repr)
@pytest.mark.parametrize("folds", ["rows", "groups"])
def test_pipeline_in_cross_validation(sampler, folds):
    X, y = rows_with_fingerprints()
    groups = np.arange(N) // 3 if folds == "groups" else None
    cv = StratifiedKFold(3) if groups is None else StratifiedGroupKFold(3)
    Recorder.log = []
    pipe = make_pipeline(FillBlocks(), sampler, Recorder())
    cross_validate(pipe, X, y, cv=cv, groups=groups)
    splits = list(cv.split(X, y, groups))
    assert len(Recorder.log) == 2 * len(splits)
    for (train, test), fitted, asked in zip(
        splits, Recorder.log[::2], Recorder.log[1::2], strict=True
    ):
        assert (fitted[0], asked[0]) == ("fit", "predict")
        assert len(fitted[1]) != len(train)  # resampled
        assert not origins(fitted[1])[:, test].any()
        scored = origins(asked[1])
        assert np.array_equal(
            np.argwhere(scored)[:, 1], test
        )  # only originals, each once, in order


@pytest.mark.parametrize("sampler", SAMPLERS, ids=repr)
def test_sampler_of_an_estimator(sampler, monkeypatch):
    X, y = rows_with_fingerprints()
    readings = []
    split = BaseFusion.split

    def spy(self, table):
        readings.append(split(self, table))
        return readings[-1]

    monkeypatch.setattr(BaseFusion, "split", spy)
    net = FusionClassifier(sampler=clone(sampler), max_epochs=1, random_state=0)
    net.fit(X, y)
    (reading,) = readings
    mark = list(net.layout_.modalities).index("mark")
    trained, held = (
        data[torch.arange(len(data))][0][0][mark].numpy() > 1e-6
        for data in (reading.train, reading.valid)
    )
    assert len(reading.y) == len(trained) != N - len(held)
    assert (held.sum(axis=1) == 1).all()
    assert not trained[:, held.any(axis=0)].any()
