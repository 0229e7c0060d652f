"""FusionMultitask: several targets, missing labels, unimodal predictions."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from sklearn_mmsent import BatchedGridSearchCV, FusionClassifier, FusionMultitask, FusionRegressor
from sklearn_mmsent.nn import FUSIONS

QUICK = {"max_epochs": 3, "random_state": 0, "hidden_size": 16}


@pytest.fixture
def rows():
    """Two modalities; their sum is the intensity, each has a label, too."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        rng.normal(size=(300, 4)), columns=["text__a", "text__b", "audio__a", "audio__b"]
    )
    total = X["text__a"] + X["audio__a"]
    y = pd.DataFrame(
        {
            "text_label": np.where(X["text__a"] > 0, "good", "bad"),
            "intensity": total,
            "label": np.where(total > 0, "positive", "negative"),
            "level": np.digitize(total, [-1, 0, 1]),
        }
    )
    return X, y


def test_kinds_predictions_and_their_containers(rows):
    X, y = rows
    tasks = {"level": "ordinal"}
    model = FusionMultitask(
        tasks=tasks, unimodal_targets={"text_label": "text"}, max_epochs=60, random_state=0
    ).fit(X, y)
    assert [(t.name, t.kind) for t in model.targets_] == [
        ("intensity", "regression"),
        ("label", "classification"),
        ("level", "ordinal"),
        ("text_label", "classification"),  # unimodal targets come last
    ]
    predicted = model.predict(X.iloc[::-1])
    assert predicted.columns.tolist() == y.columns.tolist()
    assert predicted.index.equals(X.index[::-1])
    assert (
        predicted.dtypes.map(lambda d: d.kind).tolist() == y.dtypes.map(lambda d: d.kind).tolist()
    )
    assert (predicted["label"][::-1] == y["label"]).mean() > 0.9
    assert (predicted["level"][::-1] == y["level"]).mean() > 0.75
    assert (predicted["text_label"][::-1] == y["text_label"]).mean() > 0.9
    assert np.corrcoef(predicted["intensity"][::-1], y["intensity"])[0, 1] > 0.95
    assert model.score(X, y) > 0.85
    probabilities = model.predict_proba(X)
    assert list(probabilities) == ["label", "level", "text_label"]
    for name, values in probabilities.items():
        assert values.shape == (300, len(model.classes_[name]))
        np.testing.assert_allclose(values.sum(1), 1)
        best = model.classes_[name][values.argmax(1)]
        assert (best == model.predict(X)[name]).all()


def test_an_array_in_gives_an_array_out(rows):
    X, y = rows
    numbers = y[["intensity", "level"]].to_numpy()
    model = FusionMultitask(**QUICK).fit(X, numbers)
    assert model.predict(X).shape == (300, 2)
    assert model.predict(X).dtype == np.float64
    assert not hasattr(model, "predict_proba")
    assert not hasattr(model, "predict_unimodal")
    assert np.isfinite(model.score(X, numbers))


def test_rows_without_a_label_do_not_affect_its_target(rows):
    X, y = rows
    y = y.loc[:, ["intensity", "label"]].copy()
    y.loc[y.index % 3 > 0, "label"] = np.nan
    y.loc[y.index % 4 == 0, "intensity"] = np.nan
    model = FusionMultitask(max_epochs=60, random_state=0).fit(X, y)
    predicted = model.predict(X)
    total = X["text__a"] + X["audio__a"]
    assert (predicted["label"] == np.where(total > 0, "positive", "negative")).mean() > 0.9
    assert np.corrcoef(predicted["intensity"], total)[0, 1] > 0.95
    # other numbers in features of rows without any label change nothing
    blank = y.copy()
    blank.loc[200:] = np.nan
    settings = {"early_stopping": False, **QUICK}
    sizes = FusionMultitask(**settings).fit(X, blank)
    labelled = FusionMultitask(**settings).fit(X[:200], blank[:200])
    (first,), (second,) = (
        [target for target in model.targets_ if target.kind == "regression"]
        for model in (sizes, labelled)
    )
    assert (first.mean, first.scale) == (second.mean, second.scale)


def test_a_single_target_matches_classifier_and_regressor(rows):
    X, y = rows
    settings = {"early_stopping": False, **QUICK}
    several = FusionMultitask(**settings).fit(X, y[["intensity"]])
    one = FusionRegressor(**settings).fit(X, y["intensity"])
    np.testing.assert_allclose(several.predict(X)["intensity"], one.predict(X), rtol=1e-5)
    several = FusionMultitask(**settings).fit(X, y[["label"]])
    one = FusionClassifier(**settings).fit(X, y["label"])
    np.testing.assert_allclose(
        several.predict_proba(X)["label"], one.predict_proba(X), rtol=1e-5, atol=1e-7
    )


def test_a_unimodal_target_ignores_other_modalities(rows):
    X, y = rows
    y = y[["text_label", "intensity"]]
    model = FusionMultitask(unimodal_targets={"text_label": "text"}, **QUICK).fit(X, y)
    other = X.copy()
    other[["audio__a", "audio__b"]] = other[["audio__a", "audio__b"]].to_numpy()[::-1]
    before, after = (model.predict_proba(Z)["text_label"] for Z in (X, other))
    np.testing.assert_array_equal(before, after)
    assert (model.predict(X)["intensity"] != model.predict(other)["intensity"]).any()


@pytest.mark.parametrize("fusion", FUSIONS)
def test_every_fusion(rows, fusion):
    X, y = rows
    X = X.copy()
    X.loc[::5, ["audio__a", "audio__b"]] = np.nan
    options = {"unimodal_targets": {"text_label": "text"}, "tasks": {"level": "ordinal"}}
    if not FUSIONS[fusion].decides:
        options["self_supervised"] = "intensity"
    model = FusionMultitask(fusion, **options, **QUICK).fit(X, y)
    predicted = model.predict(X)
    assert predicted["intensity"].nunique() > 100
    pd.testing.assert_frame_equal(
        FusionMultitask(fusion, **options, **QUICK).fit(X, y).predict(X), predicted
    )
    pd.testing.assert_frame_equal(pickle.loads(pickle.dumps(model)).predict(X), predicted)
    order = np.random.default_rng(0).permutation(len(X))
    pd.testing.assert_frame_equal(model.predict(X.iloc[order]), predicted.iloc[order])


@pytest.mark.parametrize("weights", ["learned", {"label": 0.0}])
def test_task_weights(rows, weights):
    X, y = rows
    y = y[["intensity", "label"]]
    settings = {"max_epochs": 40, "random_state": 0, "early_stopping": False}
    model = FusionMultitask(task_weights=weights, **settings).fit(X, y)
    right = (model.predict(X)["label"] == y["label"]).mean()
    assert right > 0.9 if weights == "learned" else right < 0.9
    assert np.corrcoef(model.predict(X)["intensity"], y["intensity"])[0, 1] > 0.95
    learned = getattr(model.net_.criterion_.loss, "log_variance", None)
    assert (learned is not None) == (weights == "learned")
    if learned is not None:
        assert (learned != 0).all()


def test_modalities_predict_by_themselves_without_unimodal_labels(rows):
    X, y = rows
    X = X.copy()
    X.loc[:9, ["audio__a", "audio__b"]] = np.nan
    model = FusionMultitask(self_supervised="intensity", max_epochs=60, random_state=0)
    model.fit(X, y[["intensity"]])
    alone = model.predict_unimodal(X)
    assert alone.columns.tolist() == ["text", "audio"]
    assert alone.isna().sum().tolist() == [0, 10]
    # each follows what it knows of, and not the other
    rest = slice(10, None)
    assert np.corrcoef(alone["text"][rest], X["text__a"][rest])[0, 1] > 0.8
    assert abs(np.corrcoef(alone["text"][rest], X["audio__a"][rest])[0, 1]) < 0.3
    assert model.score(X[10:], y[["intensity"]][10:]) > 0.9


@pytest.mark.parametrize("search", [GridSearchCV, BatchedGridSearchCV])
def test_a_search_tunes_it(rows, search):
    X, y = rows
    search = search(
        FusionMultitask(**QUICK), {"task_weights": [None, "learned", {"label": 3.0}]}, cv=2
    ).fit(X, y[["intensity", "label"]])
    assert search.best_estimator_.predict(X).shape == (300, 2)
    assert not hasattr(clone(search.best_estimator_), "net_")


def test_given_validation_rows(rows):
    X, y = rows
    y = y[["label", "intensity"]]
    model = FusionMultitask(**QUICK)
    model.fit(X[:200], y[:200], X_val=X[200:], y_val=y[200:][["intensity", "label"]])
    assert "valid_loss" in model.net_.history[0]
    with pytest.raises(ValueError, match="y lacks the target 'label'; it has 'intensity'"):
        model.fit(X[:200], y[:200], X_val=X[200:], y_val=y[200:][["intensity"]])


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"tasks": {"mood": "regression"}}, "tasks names 'mood', which is not a target"),
        ({"tasks": {"label": "ranking"}}, "one of 'classification', 'regression', 'ordinal'"),
        ({"tasks": {"label": "ordinal"}}, "order of the classes of 'label' is unknown"),
        ({"tasks": {"label": "regression"}}, "'label' is predicted as a number"),
        ({"tasks": {"label": ["positive", "none"]}}, "label 'negative' at row"),
        ({"tasks": {"label": ["a", "a"]}}, "a class twice"),
        ({"unimodal_targets": {"text_label": "smell"}}, "names the modality 'smell'"),
        (
            {
                "unimodal_targets": dict.fromkeys(
                    ["text_label", "intensity", "label", "level"], "text"
                )
            },
            "all targets are in unimodal_targets",
        ),
        ({"losses": {"mood": "huber"}}, "losses names 'mood'"),
        ({"losses": {"label": "huber"}}, "one of 'cross_entropy'"),
        ({"task_weights": {"mood": 1.0}}, "task_weights names 'mood'"),
        ({"self_supervised": "label"}, "'label' is classification"),
        ({"self_supervised": "intensity", "fusion": "decision"}, "the fusion DecisionFusion does"),
        (
            {"self_supervised": "intensity", "unimodal_targets": {"intensity": "text"}},
            "'intensity' is in unimodal_targets",
        ),
    ],
)
def test_invalid_parameters_are_rejected(rows, params, message):
    with pytest.raises(ValueError, match=message):
        FusionMultitask(**{**QUICK, **params}).fit(*rows)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda y: y["label"], r"needs y with one column for each.*y\[\['name'\]\]"),
        (lambda y: y.assign(label=np.nan), "NaN only for the target 'label'"),
        (lambda y: y.assign(label="same"), "the target 'label' has one class only: 'same'"),
        (lambda y: y.assign(intensity=np.inf), "contains infinity.*'intensity' at row 0"),
        (lambda y: pd.concat([y, y], axis=1), "the column 'text_label' of y is duplicated"),
        (lambda y: y[[]], "y has no column"),
        (lambda y: None, "requires y to be passed"),
        (lambda y: y[:50], "inconsistent numbers of samples"),
    ],
)
def test_invalid_targets_are_rejected(rows, spoil, message):
    X, y = rows
    with pytest.raises(ValueError, match=message):
        FusionMultitask(**QUICK).fit(X, spoil(y))
