"""Detection of rows whose modalities contradict each other."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold
from sklearn.neighbors import KNeighborsClassifier

from sklearn_mmsent import FusionRegressor
from sklearn_mmsent.exceptions import BlockError
from sklearn_mmsent.inspection import ConflictDetector

MOODS = np.array(["negative", "neutral", "positive"])


def tweets(n=600, seed=0, conflicts=0.0):
    """Return text and image that both show a mood, which differs in a share of the rows."""
    rng = np.random.default_rng(seed)
    text = rng.integers(0, 3, n)
    image = np.where(rng.random(n) < conflicts, 2 - text, text)
    X = pd.DataFrame(
        {
            "text__tone": text + 0.5 * rng.normal(size=n),
            "image__warmth": image + 0.5 * rng.normal(size=n),
            "image__noise": rng.normal(size=n),
        }
    )
    return X, pd.DataFrame({"text": MOODS[text], "image": MOODS[image]})


@pytest.mark.parametrize("own_labels", [True, False])
def test_detector_finds_contradictions(own_labels):
    X, y = tweets()
    detector = ConflictDetector(LogisticRegression(), opposites=[("negative", "positive")])
    detector.fit(X, y if own_labels else y["text"])
    assert detector.threshold_ == np.quantile(detector.scores_, 0.9)
    X, y = tweets(400, seed=1, conflicts=0.4)
    opposed = ((y["text"] != y["image"]) & (y["text"] != "neutral")).to_numpy()
    clear = opposed | (y["text"] == y["image"]).to_numpy()
    scores = detector.score_samples(X)
    assert roc_auc_score(opposed[clear], scores[clear]) > 0.9
    assert (detector.predict(X) == (scores >= detector.threshold_)).all()
    assert detector.predict(X)[opposed].mean() > 0.8


def test_training_scores_are_out_of_fold():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(80, 2)), columns=["text__a", "face__a"])
    detector = ConflictDetector(KNeighborsClassifier(1)).fit(X, rng.integers(0, 2, 80))
    assert detector.score_samples(X).mean() == 0  # memorised
    assert detector.scores_.mean() > 0.3


def test_rows_of_fewer_than_two_modalities_have_no_score():
    X, y = tweets(200)
    X.iloc[:20, 0] = np.nan
    X.iloc[20:30, 1:] = np.nan
    detector = ConflictDetector(LogisticRegression(), cv=3).fit(X, y)
    scores = detector.score_samples(X)
    assert np.isnan(scores).tolist() == [row < 30 for row in range(200)]
    assert not detector.predict(X)[:30].any()
    assert np.isnan(detector.scores_).sum() == 30


def test_detector_of_intensities_and_of_networks():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=300)
    X = pd.DataFrame({"text__a": truth + 0.1 * rng.normal(size=300), "face__a": truth})
    detector = ConflictDetector(FusionRegressor(max_epochs=5, random_state=0), cv=2).fit(X, truth)
    assert detector.classes_ is None
    assert detector.scale_ == pytest.approx(truth.std())
    flipped = X.assign(face__a=-X["face__a"])
    assert detector.score_samples(flipped).mean() > 3 * detector.score_samples(X).mean()


def test_groups_stay_within_a_fold():
    X, y = tweets(120)
    groups = np.arange(120) // 10
    detector = ConflictDetector(LogisticRegression(), cv=GroupKFold(3))
    assert detector.fit(X, y, groups=groups).threshold_ > 0
    with pytest.raises(ValueError, match="groups"):
        detector.fit(X, y)


def test_detector_errors():
    X, y = tweets(60)
    detector = ConflictDetector(LogisticRegression())
    with pytest.raises(ValueError, match="requires y to be passed"):
        detector.fit(X, None)
    with pytest.raises(BlockError, match="has only one: 'text'"):
        detector.fit(X[["text__tone"]], y["text"])
    with pytest.raises(ValueError, match=r"columns for at least two.*got 'voice'"):
        detector.fit(X, y[["text"]].rename(columns={"text": "voice"}))
    with pytest.raises(ValueError, match=r"opposites must be pairs"):
        ConflictDetector(LogisticRegression(), opposites=[("good", "bad")]).fit(X, y)
    unimodal = X.copy()
    unimodal.iloc[:30, 0] = np.nan
    unimodal.iloc[30:, 1:] = np.nan
    with pytest.raises(ValueError, match="no training row has two modalities"):
        detector.fit(unimodal, y)
