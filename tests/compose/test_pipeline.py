import warnings

import numpy as np
import pandas as pd
import pytest
from imblearn.over_sampling import SMOTE, RandomOverSampler
from sklearn.base import clone
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import StackingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import FunctionTransformer
from sklearn.preprocessing import MinMaxScaler, QuantileTransformer, RobustScaler, StandardScaler

from sklearn_mmsent import FillBlocks, FusionClassifier, make_pipeline
from sklearn_mmsent.blocks import BlockLayout
from sklearn_mmsent.compose import Pipeline

SCALERS = [
    StandardScaler(),
    MinMaxScaler(),
    RobustScaler(),
    QuantileTransformer(n_quantiles=10),
    FunctionTransformer(np.tanh, feature_names_out="one-to-one"),
]


@pytest.mark.parametrize("scaler", SCALERS, ids=lambda s: type(s).__name__)
def test_every_scaler_keeps_names_and_masks(named_table, scaler):
    X, y, layout = named_table(missing=0.3)
    out = make_pipeline(FillBlocks(), scaler).fit(X, y).transform(X)
    after = BlockLayout.from_names(out.columns)
    assert [b.name for b in after.blocks] == [b.name for b in layout.blocks]
    for before, now in zip(layout.read(X), after.read(out), strict=True):
        np.testing.assert_array_equal(before.present, now.present)
        if before.steps is not None:
            np.testing.assert_array_equal(before.steps, now.steps)
    plain = clone(scaler).fit_transform(FillBlocks().fit_transform(X))
    np.testing.assert_allclose(
        out[X.columns].to_numpy(), np.asarray(plain)[:, : X.shape[1]], rtol=1e-6
    )


def test_a_step_set_by_a_search_keeps_names(named_table):
    X, y, _ = named_table(90, missing=0.2)

    class Named(DummyClassifier):
        def fit(self, X, y):
            assert isinstance(X, pd.DataFrame)
            assert "audio__length" in X
            assert X["audio__length"].max() == 5
            return super().fit(X, y)

    pipe = make_pipeline(FillBlocks(), StandardScaler(), Named())
    search = GridSearchCV(
        pipe, {"standardscaler": [MinMaxScaler(), RobustScaler(), "passthrough"]}, cv=2
    )
    search.fit(X, y)
    pipe.steps[1] = ("standardscaler", MinMaxScaler())
    pipe.fit(X, y)


def test_selection_keeps_the_indicators_of_kept_blocks():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 60)
    X = pd.DataFrame({"a__x": y + rng.normal(size=60) / 9, "b__x": rng.normal(size=60)})
    X[rng.random(X.shape) < 0.1] = np.nan
    out = make_pipeline(FillBlocks(), SelectKBest(k=1)).fit(X, y).transform(X)
    assert out.columns.tolist() == ["a__x", "a__present"]


def test_a_step_without_names_raises():
    pipe = make_pipeline(TfidfVectorizer(), LogisticRegression())
    with pytest.raises(TypeError, match=r"step 'tfidfvectorizer' .* cannot output column names"):
        pipe.fit(["a b", "b c"], [0, 1])


def test_samplers_act_in_fit_only(named_table):
    X, y, _ = named_table(60)
    rows = []

    class Counting(DummyClassifier):
        def fit(self, X, y):
            rows.append(len(X))
            return super().fit(X, y)

    y = np.where(y == "neg", "neg", "other")
    pipe = make_pipeline(FillBlocks(), RandomOverSampler(random_state=0), Counting()).fit(X, y)
    assert rows == [2 * (y == "other").sum()]
    assert len(pipe.predict(X)) == 60


def test_early_stopping_after_a_sampler_warns(named_table):
    X, y, _ = named_table(60)
    sampler = SMOTE(k_neighbors=2, random_state=0)
    pipe = make_pipeline(FillBlocks(), sampler, FusionClassifier(max_epochs=1, random_state=0))
    with pytest.warns(UserWarning, match=r"Pass the sampler as FusionClassifier\(sampler="):
        pipe.fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pipe.set_params(fusionclassifier__early_stopping=False).fit(X, y)
        make_pipeline(FillBlocks(), FusionClassifier(max_epochs=1)).fit(X, y)
        filled = FillBlocks().fit_transform(X)
        pipe.set_params(fusionclassifier__early_stopping=True).fit(
            X, y, fusionclassifier__X_val=filled, fusionclassifier__y_val=y
        )


def test_estimators_without_a_sampler_parameter_do_not_warn():
    X, y = np.random.default_rng(0).normal(size=(60, 2)), np.repeat(["rare", "often"], [20, 40])
    final = MLPClassifier((2,), early_stopping=True, max_iter=200, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make_pipeline(RandomOverSampler(random_state=0), final).fit(X, y)


def test_metadata_after_a_sampler_raises(named_table):
    X, y, _ = named_table(60)
    pipe = make_pipeline(
        FillBlocks(),
        SMOTE(k_neighbors=2, random_state=0),
        FusionClassifier(max_epochs=1, early_stopping=False),
    )
    y = np.where(y == "neg", "neg", "other")
    with pytest.raises(ValueError, match=r"groups has 60 entries, but X has .*\(sampler=\.\.\.\)"):
        pipe.fit(X, y, fusionclassifier__groups=np.arange(60))
    with pytest.raises(ValueError, match=r"sample_weight has 60 entries"):
        pipe.fit(X, y, fusionclassifier__sample_weight=np.ones(60))


def test_make_pipeline_numbers_steps_of_one_class():
    pipe = make_pipeline(MinMaxScaler(), MinMaxScaler())
    assert list(pipe.named_steps) == ["minmaxscaler-1", "minmaxscaler-2"]
    assert isinstance(pipe, Pipeline)


def test_a_block_without_a_prefix_keeps_its_indicator():
    X = pd.DataFrame({"a": [1.0, 3.0, np.nan], "b": [0.5, 2.0, np.nan]})
    steps = FillBlocks(modalities={"voice": 2}), StandardScaler()
    table = make_pipeline(*steps).fit_transform(X)
    assert list(table) == ["a", "b", "voice__present"]
    assert table["voice__present"].tolist() == [1, 1, 0]


def test_indicators_are_appended_once_if_fit_transform_calls_transform():
    # SelectKBest has no fit_transform of its own, and drops one of the two indicators
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(20, 4)), columns=["a__x", "a__y", "b__x", "b__y"])
    X.loc[:3, ["a__x", "a__y"]] = np.nan
    y = np.arange(20) % 2
    pipe = make_pipeline(FillBlocks(), SelectKBest(lambda X, y: np.arange(6)[::-1], k=4))
    kept = ["a__x", "a__y", "b__x", "b__y", "a__present", "b__present"]
    assert pipe.fit_transform(X, y).columns.tolist() == kept
    assert pipe.transform(X).columns.tolist() == kept


def test_stacking_as_the_last_step_transforms_its_own_input(named_table):
    X, y, _ = named_table(60, missing=0.2)
    pipe = make_pipeline(FillBlocks(), StackingClassifier([("a", DummyClassifier())], cv=2))
    assert pipe.fit(X, y).predict(X).shape == (60,)  # warnings are errors
