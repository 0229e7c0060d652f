"""What modalities say alone, and where they disagree."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold
from sklearn.neighbors import KNeighborsClassifier

from sklearn_mmsent import (
    FillBlocks,
    FusionClassifier,
    FusionRegressor,
    SelectModalities,
    TfidfEmbedder,
    make_extractor,
    make_pipeline,
)
from sklearn_mmsent.exceptions import BlockError
from sklearn_mmsent.inspection import ConflictDetector, agreement_report
from sklearn_mmsent.inspection._conflict import conflict_of_classes, contradictions

MOODS = np.array(["negative", "neutral", "positive"])


def tweets(n=600, seed=0, conflicts=0.0):
    """Text and image of which each tells a mood; in some rows another than the other."""
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


# -- the score -------------------------------------------------------------------------------------


def test_conflict_is_how_probable_a_contradiction_is():
    matrix = contradictions(MOODS, [("negative", "positive")], owner="test")
    p = np.array([[0.8, 0.1, 0.1], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [1 / 3, 1 / 3, 1 / 3]])
    q = np.array([[0.1, 0.1, 0.8], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [1 / 3, 1 / 3, 1 / 3]])
    expected = [0.65 / (0.65 + 0.17), 0.0, 0.0, 0.4]
    np.testing.assert_allclose(conflict_of_classes([p, q], matrix), expected)
    anything = contradictions(MOODS, None, owner="test")
    np.testing.assert_allclose(conflict_of_classes([p, q], anything), 1 - (p * q).sum(axis=1))


def test_missing_modalities_leave_their_pairs_out():
    p = np.array([[1.0, 0.0], [1.0, 0.0], [np.nan, np.nan]])
    q = np.array([[0.0, 1.0], [np.nan, np.nan], [np.nan, np.nan]])
    r = np.array([[0.0, 1.0], [0.5, 0.5], [0.3, 0.7]])
    found = conflict_of_classes([p, q, r], contradictions(np.arange(2), None, owner="test"))
    np.testing.assert_allclose(found, [2 / 3, 0.5, np.nan])


# -- the report ------------------------------------------------------------------------------------


@pytest.fixture(name="network", scope="module")
def _network():
    X, y = tweets()
    model = FusionClassifier(modality_dropout=0.3, max_epochs=15, random_state=0)
    return model.fit(X, y["text"])


def test_report_of_a_network_by_its_own_way_with_gaps(network):
    X, y = tweets(300, seed=1, conflicts=0.5)
    X.loc[0, ["image__warmth", "image__noise"]] = np.nan
    report = agreement_report(network, X, opposites=[("negative", "positive")])
    table = report.table
    assert table.columns.tolist() == [
        *("prediction", "text", "image"),
        *("agreement", "conflict", "followed"),
    ]
    assert (table["text"] == y["text"]).mean() > 0.7
    assert (table["image"] == y["image"])[1:].mean() > 0.7
    only_text = X.assign(image__warmth=np.nan, image__noise=np.nan)
    assert (table["text"] == network.predict(only_text)).all()
    assert table.loc[0, ["image", "agreement", "conflict", "followed"]].isna().all()
    opposed = ((y["text"] != y["image"]) & (y["text"] != "neutral")).to_numpy()
    clear = opposed | (y["text"] == y["image"]).to_numpy()
    clear[0] = False
    assert roc_auc_score(opposed[clear], table["conflict"][clear]) > 0.9
    assert report.followed.sum() == pytest.approx(1)
    # who was followed is nearest
    fused = network.predict_proba(X)[1:]
    far = [np.abs(report.alone[name][1:] - fused).sum(axis=1) for name in ("text", "image")]
    assert (table["followed"][1:] == np.array(["text", "image"])[np.argmin(far, axis=0)]).all()


def test_report_of_intensities():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(400, 2)), columns=["text__a", "voice__a"])
    y = 3 * X["text__a"] + X["voice__a"]
    model = make_pipeline(FillBlocks(), LinearRegression()).fit(X, y)
    report = agreement_report(model, X, scale=6.0)
    center = X.mean()
    text = 3 * X["text__a"] + center["voice__a"]
    voice = X["voice__a"] + 3 * center["text__a"]
    np.testing.assert_allclose(report.table["text"], text)
    np.testing.assert_allclose(report.table["conflict"], (text - voice).abs() / 6)
    np.testing.assert_array_equal(report.table["agreement"], np.sign(text) == np.sign(voice))
    assert report.followed["text"] > 0.7


def test_experts_can_be_given():
    X, y = tweets()
    experts = {
        name: make_pipeline(SelectModalities([name]), LogisticRegression()).fit(X, y[name])
        for name in ("text", "image")
    }
    model = LogisticRegression().fit(X, y["text"])
    with pytest.raises(ValueError, match=r"LogisticRegression cannot read missing modalities"):
        agreement_report(model, X)
    table = agreement_report(model, X, experts=experts).table
    assert (table["image"] == experts["image"].predict(X)).all()
    other = {**experts, "image": LogisticRegression().fit(X, y["image"] == "positive")}
    with pytest.raises(ValueError, match=r"expert of 'image' predicts False, True, and the est"):
        agreement_report(model, X, experts=other)
    wrong = {**experts, "image": LinearRegression().fit(X, X["text__tone"])}
    with pytest.raises(ValueError, match=r"expert of 'image' predicts intensities"):
        agreement_report(model, X, experts=wrong)
    with pytest.raises(ValueError, match=r"opposites must be pairs.*'good'"):
        agreement_report(model, X, experts=experts, opposites=[("good", "bad")])
    detector = ConflictDetector(LogisticRegression()).fit(X, y)
    by_detector = agreement_report(model, X, experts=detector).table
    np.testing.assert_allclose(by_detector["conflict"], detector.score_samples(X))


def test_report_of_raw_cells():
    y = np.arange(60) % 2
    X = pd.DataFrame(
        {
            "caption": [["awful boring", "lovely fun"][label] for label in y],
            "title": [["sad end", "happy end"][label] for label in y],
        }
    )
    X.loc[3, "title"] = None
    model = make_pipeline(
        make_extractor(caption=TfidfEmbedder(n_components=2), title=TfidfEmbedder(n_components=2)),
        FusionClassifier(modality_dropout=0.3, max_epochs=20, random_state=0),
    ).fit(X, y)
    table = agreement_report(model, X).table
    assert (table["caption"] == y).all()
    assert table["title"].isna().tolist() == [row == 3 for row in range(60)]
    mixed = agreement_report(model, X.assign(title=X["title"][::-1].to_numpy())).table
    assert mixed["conflict"].median() > table["conflict"].median() + 0.2


# -- the detector ----------------------------------------------------------------------------------


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


def test_training_scores_come_from_experts_that_have_not_seen_the_row():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(80, 2)), columns=["text__a", "face__a"])
    detector = ConflictDetector(KNeighborsClassifier(1)).fit(X, rng.integers(0, 2, 80))
    assert detector.score_samples(X).mean() == 0  # learned by heart
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


def test_groups_are_not_cut():
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
    with pytest.raises(BlockError, match="has one only: 'text'"):
        detector.fit(X[["text__tone"]], y["text"])
    with pytest.raises(ValueError, match=r"one column for each of two.*got 'voice'"):
        detector.fit(X, y[["text"]].rename(columns={"text": "voice"}))
    with pytest.raises(ValueError, match=r"opposites must be pairs"):
        ConflictDetector(LogisticRegression(), opposites=[("good", "bad")]).fit(X, y)
    lonely = X.copy()
    lonely.iloc[:30, 0] = np.nan
    lonely.iloc[30:, 1:] = np.nan
    with pytest.raises(ValueError, match="no training row has two modalities"):
        detector.fit(lonely, y)
