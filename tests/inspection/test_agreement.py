"""Unimodal predictions compared with those of the fusion."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import roc_auc_score

from sklearn_mmsent import (
    FillBlocks,
    FusionClassifier,
    SelectModalities,
    TfidfEmbedder,
    make_extractor,
    make_pipeline,
)
from sklearn_mmsent.inspection import ConflictDetector, agreement_report

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


@pytest.fixture(name="network", scope="module")
def _network():
    X, y = tweets()
    model = FusionClassifier(modality_dropout=0.3, max_epochs=15, random_state=0)
    return model.fit(X, y["text"])


def test_report_of_a_fusion_network(network):
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
    # the modality that was followed is the nearest one
    fused = network.predict_proba(X)[1:]
    far = [np.abs(report.unimodal[name][1:] - fused).sum(axis=1) for name in ("text", "image")]
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


def test_report_with_experts():
    X, y = tweets()
    experts = {
        name: make_pipeline(SelectModalities([name]), LogisticRegression()).fit(X, y[name])
        for name in ("text", "image")
    }
    model = LogisticRegression().fit(X, y["text"])
    with pytest.raises(ValueError, match=r"LogisticRegression does not tolerate missing"):
        agreement_report(model, X)
    table = agreement_report(model, X, experts=experts).table
    assert (table["image"] == experts["image"].predict(X)).all()
    other = {**experts, "image": LogisticRegression().fit(X, y["image"] == "positive")}
    with pytest.raises(ValueError, match=r"expert of 'image' predicts False, True, but the est"):
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
