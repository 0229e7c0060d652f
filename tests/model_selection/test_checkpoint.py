"""Interrupted searches, cross-validations and ensembles resume, with the same results."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from sklearn.model_selection import GridSearchCV

from sklearn_mmsent import (
    BatchedGridSearchCV,
    DeepEnsembleClassifier,
    FusionClassifier,
    batched_cross_validate,
    make_pipeline,
)
from sklearn_mmsent.model_selection import BatchedRandomizedSearchCV
from sklearn_mmsent.training.checkpoint import file

CHEAP = {"max_epochs": 4, "hidden_size": 8, "random_state": 0}
GRID = {"lr": [1e-3, 1e-2], "hidden_size": [8, 12]}
SCORES = ["split0_test_score", "split1_test_score", "mean_test_score", "rank_test_score"]


@pytest.fixture
def table(named_table):
    return named_table(80, {"text": 4, "audio": (3, 2)}, missing=0.2)[:2]


@pytest.fixture
def saves(monkeypatch):
    """Count saves, and raise KeyboardInterrupt after a number of them."""
    counter = {"n": 0, "most": None}
    save = file.CheckpointFile.save

    def count(self, state):
        save(self, state)
        counter["n"] += 1
        if counter["n"] == counter["most"]:
            raise KeyboardInterrupt

    monkeypatch.setattr(file, "SECONDS", 0)
    monkeypatch.setattr(file.CheckpointFile, "save", count)
    return counter


def interrupted(function, saves, most):
    saves.update(n=0, most=most)
    with pytest.raises(KeyboardInterrupt):
        function()
    saves.update(n=0, most=None)


def search(kind, estimator):
    options = {"cv": 2, "error_score": "raise"}
    if kind is BatchedRandomizedSearchCV:
        return kind(estimator, GRID, n_iter=3, random_state=0, batched=True, **options)
    if kind is BatchedGridSearchCV:
        options["batched"] = True
    return kind(estimator, GRID, **options)


@pytest.mark.parametrize(
    ("kind", "most"),
    [(GridSearchCV, 17), (BatchedGridSearchCV, 1), (BatchedRandomizedSearchCV, 4)],
)
def test_an_interrupted_search_resumes_to_the_same_scores(kind, most, table, tmp_path, saves):
    X, y = table
    whole = search(kind, FusionClassifier(**CHEAP)).fit(X, y)
    mine = search(kind, FusionClassifier(**CHEAP, checkpoint_dir=tmp_path))
    interrupted(lambda: mine.fit(X, y), saves, most)
    mine.fit(X, y)
    for name in SCORES:
        np.testing.assert_array_equal(mine.cv_results_[name], whole.cv_results_[name])
    assert mine.best_params_ == whole.best_params_
    np.testing.assert_array_equal(mine.predict_proba(X), whole.predict_proba(X))
    assert getattr(mine, "training_", None) == getattr(whole, "training_", None)
    saves["n"] = 0
    again = search(kind, FusionClassifier(**CHEAP, checkpoint_dir=tmp_path)).fit(X, y)
    assert saves["n"] == 0  # nor is the refit trained again
    np.testing.assert_array_equal(again.predict_proba(X), whole.predict_proba(X))


def test_interrupted_folds_of_a_pipeline_resume(table, tmp_path, saves):
    X, y = table
    whole = make_pipeline(FusionClassifier(**CHEAP))
    mine = make_pipeline(FusionClassifier(**CHEAP, checkpoint_dir=tmp_path))
    options = {"cv": 3, "batched": True}
    expected = batched_cross_validate(whole, X, y, **options)["test_score"]
    interrupted(lambda: batched_cross_validate(mine, X, y, **options), saves, 1)
    np.testing.assert_array_equal(
        batched_cross_validate(mine, X, y, **options)["test_score"], expected
    )
    assert saves["n"] == 0  # the folds had been trained


def test_an_interrupted_ensemble_resumes(table, tmp_path, saves):
    X, y = table
    options = {"n_members": 3, "bootstrap": True, "batched": True, "random_state": 1}
    whole = DeepEnsembleClassifier(FusionClassifier(**CHEAP), **options).fit(X, y)
    base = FusionClassifier(**CHEAP, checkpoint_dir=tmp_path)
    mine = DeepEnsembleClassifier(base, **options)
    interrupted(lambda: mine.fit(X, y), saves, 1)
    mine.fit(X, y)
    assert saves["n"] == 0  # the members had been trained
    np.testing.assert_array_equal(mine.predict_proba(X), whole.predict_proba(X))
    with pytest.raises(
        ValueError, match="DeepEnsembleClassifier: checkpoint_dir needs an integer random_state"
    ):
        DeepEnsembleClassifier(base, n_members=2).fit(X, y)


def test_candidates_with_a_checkpoint_dir_share_the_table(table, tmp_path, monkeypatch):
    X, y = table
    opened = []
    usual = FusionClassifier.prepare

    def count(self, *args, **kwargs):
        opened.append(self)
        return usual(self, *args, **kwargs)

    monkeypatch.setattr(FusionClassifier, "prepare", count)
    folders = [str(tmp_path / name) for name in "ab"]
    grid = {"checkpoint_dir": [*folders, None]}
    mine = BatchedGridSearchCV(FusionClassifier(**CHEAP), grid, cv=2, refit=False).fit(X, y)
    assert len(opened) == 2
    assert len(set(mine.cv_results_["mean_test_score"])) == 1
    assert all(os.listdir(folder) for folder in folders)


def test_a_checkpoint_dir_without_a_seed_raises_an_error(table, tmp_path):
    X, y = table
    mine = FusionClassifier(checkpoint_dir=tmp_path)
    with pytest.raises(ValueError, match="checkpoint_dir needs an integer random_state"):
        BatchedGridSearchCV(mine, GRID, cv=2).fit(X, y)
    assert not list(tmp_path.iterdir())


# -- SIGKILL ---------------------------------------------------------------------------------------

SCRIPT = """
import sys
import numpy as np, pandas as pd
from sklearn_mmsent import BatchedGridSearchCV, FusionClassifier
from sklearn_mmsent.training.checkpoint import file

def fit(folder):
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(120, 2)), columns=["text__tone", "face__smile"])
    y = np.where(X.sum(axis=1) + rng.normal(size=120) > 0, "up", "down")
    options = dict(max_epochs=60, n_iter_no_change=60, hidden_size=8, random_state=0)
    clf = FusionClassifier(**options, checkpoint_dir=folder)
    grid = {"lr": [1e-4, 1e-3, 1e-2], "weight_decay": [0.0, 0.1, 1.0]}
    return BatchedGridSearchCV(clf, grid, cv=2, batched=True).fit(X, y)

if __name__ == "__main__":
    file.SECONDS = 0.02
    fit(sys.argv[1])
"""


def test_a_killed_search_resumes(tmp_path):
    command = [sys.executable, "-c", SCRIPT, str(tmp_path)]
    with subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"}) as process:
        while not list(tmp_path.glob("*.pt")):  # then the second fold is being trained
            assert process.poll() is None
            time.sleep(0.002)
        time.sleep(0.05)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    (finished,) = tmp_path.glob("*.pt")
    written = finished.stat().st_mtime_ns
    space = {"__name__": "script"}
    exec(SCRIPT, space)
    mine, whole = space["fit"](tmp_path), space["fit"](None)
    assert finished.stat().st_mtime_ns == written
    for name in SCORES:
        np.testing.assert_array_equal(mine.cv_results_[name], whole.cv_results_[name])
    for ours, theirs in zip(
        mine.best_estimator_.net_.module_.parameters(),
        whole.best_estimator_.net_.module_.parameters(),
        strict=True,
    ):
        assert torch.equal(ours, theirs)
