"""Scorers by name, in the tools of scikit-learn."""

import pickle

import numpy as np
import pytest
from sklearn import config_context
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import Ridge
from sklearn.metrics import get_scorer_names as sklearn_names
from sklearn.model_selection import GridSearchCV, cross_val_score, cross_validate

from sklearn_mmsent import intensity_scores
from sklearn_mmsent.metrics import get_scorer, get_scorer_names
from sklearn_mmsent.metrics._scorers import _SCORERS


@pytest.fixture
def data():
    X = np.random.default_rng(0).normal(size=(90, 4))
    return X, np.clip(X @ [1.5, -1.0, 0.5, 0.0], -3, 3)


@pytest.mark.parametrize("name", sorted(_SCORERS))
def test_scorer_equals_its_score_with_the_right_sign(data, name):
    model = Ridge(alpha=50).fit(*data)
    scores = intensity_scores(data[1], model.predict(data[0]))
    scores |= intensity_scores(data[1], model.predict(data[0]), convention="sims")
    sign = -1 if name.startswith("neg_") else 1
    scorer = get_scorer(name)
    assert scorer(model, *data) == sign * scores[name.removeprefix("neg_")]
    assert pickle.loads(pickle.dumps(scorer))(model, *data) == scorer(model, *data)


def test_every_score_has_a_scorer():
    keys = {*intensity_scores([1], [1]), *intensity_scores([1], [1], convention="sims")}
    assert {name.removeprefix("neg_") for name in _SCORERS} == keys


def test_multimetric_and_search(data):
    scoring = {name: get_scorer(name) for name in ("acc7", "neg_mae", "r2")}
    assert set(cross_validate(Ridge(), *data, scoring=scoring)) >= {"test_acc7", "test_neg_mae"}
    search = GridSearchCV(Ridge(), {"alpha": [1e-3, 1e4]}, scoring=scoring, refit="neg_mae")
    assert search.fit(*data).best_params_ == {"alpha": 1e-3}


def test_sample_weight_is_routed(data):
    weight = np.r_[np.ones(45), np.zeros(45)]
    with config_context(enable_metadata_routing=True):
        scorer = get_scorer("neg_mae").set_score_request(sample_weight=True)
        model = Ridge().fit(*data)
        full = scorer(model, *data, sample_weight=weight)
        assert full == pytest.approx(scorer(model, data[0][:45], data[1][:45]))
        result = cross_val_score(
            Ridge().set_fit_request(sample_weight=False),
            *data,
            scoring=scorer,
            params={"sample_weight": np.ones(90)},
        )
    assert len(result) == 5


def test_constant_predictor_has_no_correlation(data):
    assert np.isnan(get_scorer("corr")(DummyRegressor().fit(*data), *data))


def test_names_of_scikit_learn_are_accepted():
    assert set(get_scorer_names()) >= set(sklearn_names())
    assert get_scorer_names() == sorted(get_scorer_names())
    assert not set(_SCORERS) & set(sklearn_names())
    assert "f1_score" in repr(get_scorer("f1_macro"))
    assert get_scorer(None) is None
    assert get_scorer(max) is max


def test_scorers_are_copies():
    assert get_scorer("acc7") is not get_scorer("acc7")


def test_bad_input():
    with pytest.raises(ValueError, match=r"no scorer is named 'acc_7'\. Did you mean 'acc7'"):
        get_scorer("acc_7")
    with pytest.raises(ValueError, match="The 'scoring' parameter of get_scorer must be"):
        get_scorer(7)
