"""One row without pandas equals the pipeline on a table of one row."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.ensemble import RandomForestClassifier, StackingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline as sklearn_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from sklearn_mmsent import (
    MFCC,
    Cached,
    ColorTexture,
    FillBlocks,
    FusionClassifier,
    FusionRegressor,
    LogMel,
    PerModality,
    RowPredictor,
    SelectModalities,
    TfidfEmbedder,
    make_extractor,
    make_pipeline,
)
from sklearn_mmsent.exceptions import CellError
from sklearn_mmsent.feature_extraction.image import Pixels
from sklearn_mmsent.feature_extraction.text import SentimentLexicon, TextCleaner
from sklearn_mmsent.sampling import ModalitySMOTE

TEXT = {"text": TfidfEmbedder(n_components=2)}
SOUND = {"audio": LogMel(8000, n_mels=6)}
NET = {"max_epochs": 2, "random_state": 0}
PIPELINES = {
    "network": [TEXT | SOUND, FusionClassifier(**NET)],
    "sequence": [
        {"audio": MFCC(4, sample_rate=8000, n_mels=8, pooling=None, max_steps=9)},
        FusionClassifier("mult", **NET),
    ],
    "filled": [TEXT | SOUND, FillBlocks(), StandardScaler(), LogisticRegression()],
    "filled network": [TEXT | SOUND, FillBlocks(), StandardScaler(), FusionClassifier(**NET)],
    "reduced": [TEXT | SOUND, FillBlocks(), PCA(4), SVC()],
    "selected": [TEXT | SOUND, FillBlocks(), SelectKBest(k=5), RandomForestClassifier(9)],
    "one modality": [TEXT | SOUND, SelectModalities(["audio"]), FusionClassifier(**NET)],
    "per modality": [
        TEXT | SOUND,
        FillBlocks(),
        PerModality(PCA(2), ["audio"]),
        LogisticRegression(),
    ],
    "sampled": [
        TEXT | SOUND,
        ModalitySMOTE(random_state=0),
        FusionClassifier(early_stopping=False, **NET),
    ],
    "stacked": [
        TEXT | SOUND,
        FillBlocks(),
        StackingClassifier([("a", LogisticRegression())], cv=2),
    ],
    "passed through": [TEXT | SOUND, FillBlocks(), "passthrough", LogisticRegression()],
    "parts": [
        {"text": {"lsa": TfidfEmbedder(n_components=2), "words": SentimentLexicon()}} | SOUND,
        FusionClassifier(**NET),
    ],
    "cleaned": [
        {"text": make_pipeline(TextCleaner(), TfidfEmbedder(n_components=2))} | SOUND,
        FusionClassifier(**NET),
    ],
    "from elsewhere": [
        {"text": sklearn_pipeline(TfidfVectorizer(), TruncatedSVD(2))} | SOUND,
        FillBlocks(),
        LogisticRegression(),
    ],
    "pixels": [
        {"image": Pixels(size=(8, 8)), **TEXT},
        FusionClassifier(**NET),
    ],
    "numbers": [{"pulse": (["pulse", "sweat"], StandardScaler())} | TEXT, FusionClassifier(**NET)],
}


@pytest.fixture(name="table", scope="module")
def _table(rows):
    X, y = rows
    rng = np.random.default_rng(1)
    return X.assign(pulse=rng.normal(size=len(X)), sweat=rng.normal(size=len(X))), y


def build(name, y=None):
    modalities, *steps = PIPELINES[name]
    steps = [s if isinstance(s, str) else clone(s) for s in steps]
    pipe = make_pipeline(make_extractor(**modalities), *[s for s in steps if s != "passthrough"])
    if "passthrough" in steps:
        pipe.steps.insert(2, ("nothing", "passthrough"))
    return pipe


def as_row(X, i):
    return {
        name: None if isinstance(cell, float) and np.isnan(cell) else cell
        for name, cell in X.iloc[i].items()
    }


@pytest.mark.parametrize("name", PIPELINES)
def test_predictions_equal_those_of_the_pipeline(table, name):
    X, y = table
    columns = list(dict.fromkeys(_columns(name)))
    X = X[columns]
    pipe = build(name).fit(X, y)
    one = RowPredictor(pipe)
    assert one.columns_ == columns
    method = "predict_proba" if hasattr(pipe, "predict_proba") else "decision_function"
    expected = getattr(pipe, method)(X)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for i in range(8):
            row = as_row(X, i)
            np.testing.assert_allclose(one.apply(row, method), expected[i], atol=1e-5)
            assert one.predict_one(row) == pipe.predict(X.iloc[[i]])[0]
    # a column that is not there is missing
    partial = {columns[-1]: X.iloc[0][columns[-1]]}
    assert one.predict_one(partial) == pipe.predict(partial)[0]


def _columns(name):
    for modality in PIPELINES[name][0].values():
        yield from modality[0] if isinstance(modality, tuple) else []
    for modality in PIPELINES[name][0]:
        if modality != "pulse":
            yield modality


def test_columns_have_the_order_of_the_table(table):
    X, y = table
    pipe = build("network").fit(X[["audio", "text"]], y)
    one = RowPredictor(pipe)
    assert one.columns_ == ["audio", "text"]
    assert one.predict_one(as_row(X[["text", "audio"]], 0)) == pipe.predict(X.iloc[[0]])[0]


def test_intensities_are_predicted(table):
    X, y = table
    target = (y == "pos").astype(float)
    for last in (FusionRegressor(**NET), Ridge()):
        pipe = make_pipeline(make_extractor(**TEXT, **SOUND), FillBlocks(), last).fit(X, target)
        expected = pipe.predict(X.iloc[[7]])[0]
        assert RowPredictor(pipe).predict_one(as_row(X[["text", "audio"]], 7)) == pytest.approx(
            expected, abs=1e-5
        )


def test_most_pipelines_build_no_table(table, monkeypatch):
    X, y = table
    plain = {"network", "filled", "filled network", "reduced", "selected", "parts", "cleaned"}
    for name in plain:
        pipe = build(name).fit(X[["text", "audio"]], y)
        one = RowPredictor(pipe)
        row = as_row(X[["text", "audio"]], 0)
        expected = one.predict_one(row)
        with monkeypatch.context() as patch:
            patch.setattr(pd.DataFrame, "__init__", None)
            patch.setattr(pd, "concat", None)
            assert one.predict_one(row) == expected


def test_cached_extractors_leave_nothing_on_disk(table, tmp_path):
    X, y = table
    pipe = make_pipeline(
        make_extractor(image=Cached(ColorTexture(size=(32, 32)), tmp_path)),
        FusionClassifier(**NET),
    ).fit(X[["image"]], y)
    n_kept = len(pipe[0].named_transformers_["image"])
    picture = np.random.default_rng(5).random((32, 32, 3))
    found = RowPredictor(pipe).predict_proba_one({"image": picture})
    assert len(pipe[0].named_transformers_["image"]) == n_kept
    np.testing.assert_allclose(found, pipe.predict_proba({"image": picture})[0], atol=1e-5)


def test_bad_rows_raise(table):
    X, y = table
    one = RowPredictor(build("network").fit(X[["text", "audio"]], y))
    with pytest.raises(CellError, match="unknown column 'sound'"):
        one.predict_one({"sound": None})
    with pytest.raises(CellError, match="an empty dict"):
        one.predict_one({})
    with pytest.raises(CellError, match=r"LogMel: row 0, column 'audio'.*1 of 2 samples are NaN"):
        one.predict_one({"audio": np.array([np.nan, 0.0])})
    assert one.predict_one({"text": "good"}) in ("pos", "neg")


def test_on_error_missing_warns_and_counts_as_missing(table):
    X, y = table
    pipe = make_pipeline(
        make_extractor(text=TEXT["text"], audio=LogMel(8000, n_mels=6, on_error="missing")),
        FusionClassifier(**NET),
    ).fit(X[["text", "audio"]], y)
    one = RowPredictor(pipe)
    with pytest.warns(UserWarning, match="1 of 1 cells could not be used"):
        found = one.predict_proba_one({"text": "good", "audio": np.array([np.nan])})
    np.testing.assert_allclose(found, one.predict_proba_one({"text": "good"}))


@pytest.mark.parametrize(
    "pipeline",
    [
        LogisticRegression(),
        make_pipeline(StandardScaler(), LogisticRegression()),
        make_extractor(text=TfidfEmbedder()),
    ],
)
def test_an_estimator_without_modalities_raises(pipeline):
    with pytest.raises(TypeError, match=r"Put make_extractor\(...\) before it"):
        RowPredictor(pipeline)


def test_a_pipeline_that_is_not_fitted_raises(table):
    with pytest.raises(ValueError, match="not fitted"):
        RowPredictor(build("network"))


def test_the_pipeline_is_not_modified(table):
    X, y = table
    pipe = build("filled").fit(X[["text", "audio"]], y)
    before = pipe.predict_proba(X[["text", "audio"]])
    RowPredictor(pipe).predict_one(as_row(X[["text", "audio"]], 0))
    assert list(pipe[-1].feature_names_in_)
    np.testing.assert_array_equal(pipe.predict_proba(X[["text", "audio"]]), before)
