"""Any transformer, block by block, with names and masks kept."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.feature_selection import SelectKBest, f_classif
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline as make_plain_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    MinMaxScaler,
    RobustScaler,
    StandardScaler,
)

from sklearn_mmsent import FillBlocks, FusionClassifier, PerModality, make_pipeline
from sklearn_mmsent.blocks import BlockLayout
from sklearn_mmsent.exceptions import BlockError

FLAT = {"text": 6, "face": 4}


def out(transformer, X, y=None, **parameters):
    return PerModality(transformer, **parameters).set_output(transform="pandas").fit_transform(X, y)


# -- flat blocks ---------------------------------------------------------------------------------


def test_each_block_has_a_separate_clone(named_table):
    X, _, _ = named_table(shapes=FLAT)
    made = out(PCA(2), X)
    assert made.columns.tolist() == ["text__pca0", "text__pca1", "face__pca0", "face__pca1"]
    for modality, columns in (("text", slice(0, 6)), ("face", slice(6, 10))):
        alone = PCA(2).fit_transform(X.iloc[:, columns])
        np.testing.assert_allclose(made.filter(like=modality), alone, atol=1e-4)
    assert (made.dtypes == "float32").all()


@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_other_blocks_pass_through(named_table, missing):
    X, _, _ = named_table(missing=missing)
    X = X.astype(dict.fromkeys(X.columns[6:21], "float64"))
    made = out(PCA(2), X, modalities=["text"])
    pd.testing.assert_frame_equal(made.iloc[:, 2:], X.iloc[:, 6:])
    assert [block.name for block in BlockLayout.from_names(made.columns).blocks] == [
        "text",
        "audio",
        "image",
    ]


def test_names_of_modalities_and_blocks_are_accepted():
    X = pd.DataFrame({"a__p__x": [1.0, 2], "a__q__x": [1.0, 2], "b__x": [1.0, 2]})
    assert out(MinMaxScaler(), X, modalities=["a"]).iloc[1].tolist() == [1, 1, 2]
    assert out(MinMaxScaler(), X, modalities=["a__q"]).iloc[1].tolist() == [2, 1, 2]


def test_missing_rows_stay_missing_and_do_not_affect_the_fit(named_table):
    X, _, layout = named_table(shapes=FLAT, missing=0.4)
    made = out(make_plain_pipeline(SimpleImputer(), PCA(2)), X)
    for before, after in zip(
        layout.read(X), BlockLayout.from_names(made.columns).read(made), strict=True
    ):
        np.testing.assert_array_equal(before.present, after.present)
        alone = PCA(2).fit_transform(before.values[before.present])
        np.testing.assert_allclose(after.values[after.present], alone, atol=1e-4)


def test_selection_keeps_names(named_table):
    X, y, _ = named_table(shapes=FLAT, missing=0.2)
    made = out(SelectKBest(f_classif, k=2), X, y)
    assert set(made.columns) <= set(X.columns)
    pd.testing.assert_frame_equal(made, X[made.columns])
    assert [name.split("__")[0] for name in made.columns] == ["text", "text", "face", "face"]


def test_transformers_without_names_and_with_sparse_output(named_table):
    X, _, _ = named_table(shapes={"text": 2})
    same = FunctionTransformer(np.abs)
    assert out(same, X).columns.tolist() == X.columns.tolist()
    first = FunctionTransformer(lambda X: np.asarray(X)[:, :1])
    assert out(first, X).columns.tolist() == ["text__functiontransformer0"]
    bins = out(KBinsDiscretizer(2, quantile_method="averaged_inverted_cdf"), X)
    assert bins.columns.tolist() == [
        "text__x000_0.0",
        "text__x000_1.0",
        "text__x001_0.0",
        "text__x001_1.0",
    ]


def test_separators_in_output_names_are_replaced(named_table):
    class Naming(PCA):
        def get_feature_names_out(self, input_features=None):
            return ["a__b", "c@1"]

    X, _, _ = named_table(shapes={"text": 3})
    assert out(Naming(2), X).columns.tolist() == ["text__a_b", "text__c_1"]


# -- sequences and images ------------------------------------------------------------------------


def test_a_sequence_is_scaled_over_its_valid_steps(named_table):
    X, _, layout = named_table(shapes={"audio": (5, 3)}, missing=0.2, dtype="float64")
    made = out(StandardScaler(), X)
    assert made.columns.tolist() == X.columns.tolist()
    before, after = layout.read(X)[0], layout.read(made)[0]
    np.testing.assert_array_equal(before.steps, after.steps)
    mean, scale = before.statistics()
    np.testing.assert_allclose(after.values, (before.values - mean) / scale, atol=1e-10)


def test_a_sequence_is_reduced_step_by_step():
    names = [f"audio__mfcc__c{i}@{t:03}" for t in range(12) for i in range(4)]
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(9, 48)), columns=names)
    X.iloc[0, 20:] = np.nan
    made = out(PCA(2), X)
    assert made.columns[:3].tolist() == [
        "audio__mfcc__pca0@000",
        "audio__mfcc__pca1@000",
        "audio__mfcc__pca0@001",
    ]
    (block,) = BlockLayout.from_names(made.columns).blocks
    assert block.shape == (12, 2)
    steps = X.to_numpy().reshape(9, 12, 4)
    real = ~np.isnan(steps).any(axis=2)
    expected = np.full((9, 12, 2), np.nan)
    expected[real] = PCA(2).fit_transform(steps[real])
    np.testing.assert_allclose(made.to_numpy().reshape(9, 12, 2), expected, atol=1e-10)


def test_each_step_has_the_target_of_its_row(named_table):
    X, y, layout = named_table(shapes={"audio": (5, 3)})
    data = layout.read(X)[0]
    selector = PerModality(SelectKBest(f_classif, k=1)).fit(X, y).transformers_["audio"]
    expected = f_classif(data.values[data.steps], np.repeat(y, 5)[data.steps.ravel()])[0]
    np.testing.assert_allclose(selector.scores_, expected, rtol=1e-5)


def test_images_are_scaled_per_channel_and_keep_their_channels(named_table):
    X, _, layout = named_table(shapes={"image": (2, 3, 4)}, missing=0.2, dtype="float64")
    made = out(RobustScaler(), X)
    before, after = layout.read(X)[0], layout.read(made)[0]
    for channel in (0, 1):
        pixels = before.values[before.present][:, channel].reshape(-1, 1)
        np.testing.assert_allclose(
            after.values[before.present][:, channel].reshape(-1, 1),
            RobustScaler().fit_transform(pixels),
            atol=1e-10,
        )
    assert np.isnan(after.values[~before.present]).all()
    with pytest.raises(BlockError, match=r"PCA makes 1 of the 2 channels of the image .*'image'"):
        PerModality(PCA(1)).fit(X)


# -- in company ----------------------------------------------------------------------------------


def test_after_fill_blocks_it_is_fitted_on_valid_values(named_table):
    X, _, layout = named_table(missing=0.3, dtype="float64")
    filled = FillBlocks("zero").set_output(transform="pandas").fit_transform(X)
    made = out(StandardScaler(), filled)
    assert made.columns.tolist() == filled.columns.tolist()
    assert not made.isna().any(axis=None)
    marks = filled.columns[X.shape[1] :]
    pd.testing.assert_frame_equal(made[marks], filled[marks])
    plain = out(StandardScaler(), X)
    known = X.notna().to_numpy()
    np.testing.assert_allclose(made[X.columns].to_numpy()[known], plain.to_numpy()[known])
    assert layout.read(plain)[0].present.sum() < len(X)


@pytest.mark.parametrize("first", [True, False])
def test_before_and_after_fill_blocks_in_a_pipeline(named_table, first):
    X, y, _ = named_table(shapes={"text": 6, "audio": (5, 3)}, missing=0.3)
    steps = [FillBlocks(), PerModality(PCA(2))]
    pipe = make_pipeline(*(steps[::-1] if first else steps), LogisticRegression())
    table = pipe.fit(X, y)[:-1].transform(X)
    assert table.columns[:2].tolist() == ["text__pca0", "text__pca1"]
    assert table.columns[-3:].tolist() == ["text__present", "audio__present", "audio__length"]
    assert table.columns.tolist() == pipe[:-1].get_feature_names_out().tolist()
    assert not table.isna().any(axis=None)
    text, audio = BlockLayout.from_names(table.columns).blocks
    assert (text.shape, audio.shape) == ((2,), (5, 2))
    np.testing.assert_array_equal(table["text__present"] == 1, X["text__x000"].notna())


def test_a_fusion_network_reads_the_output(named_table):
    X, y, _ = named_table(missing=0.2)
    pipe = make_pipeline(
        PerModality(StandardScaler(), ["image"]),
        PerModality(PCA(2), ["text", "audio"]),
        FusionClassifier(max_epochs=2, random_state=0),
    )
    assert pipe.fit(X, y).predict(X).shape == y.shape


def test_it_can_be_searched_cloned_and_pickled(named_table):
    X, y, _ = named_table(shapes=FLAT, missing=0.2)
    pipe = make_pipeline(PerModality(PCA(2)), FillBlocks(), LogisticRegression())
    grid = {"permodality__transformer__n_components": [1, 3], "permodality__modalities": [["text"]]}
    search = GridSearchCV(pipe, grid, cv=2, error_score="raise").fit(X, y)
    names = search.best_estimator_[0].get_feature_names_out()
    best = search.best_params_["permodality__transformer__n_components"]
    assert sum(name.startswith("text__pca") for name in names) == best
    fitted = search.best_estimator_
    copy = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(copy.predict_proba(X), fitted.predict_proba(X))
    assert clone(fitted).get_params()["permodality__transformer__n_components"] == best


def test_input_and_transformer_are_not_modified(named_table):
    X, _, _ = named_table(missing=0.2)
    before, inner = X.copy(), StandardScaler(copy=False)
    PerModality(inner).fit(X).transform(X)
    pd.testing.assert_frame_equal(X, before)
    assert not hasattr(inner, "mean_")


def test_global_output_settings_of_the_inner_transformer_do_not_matter(named_table):
    X, _, _ = named_table(shapes=FLAT, missing=0.2)
    plain = out(PCA(2), X)
    pd.testing.assert_frame_equal(out(PCA(2).set_output(transform="pandas"), X), plain)


def test_zero_rows_and_rows_that_miss_all_blocks(named_table):
    X, _, _ = named_table(missing=0.2)
    fitted = PerModality(StandardScaler()).fit(X)
    assert fitted.transform(X.iloc[:0]).shape == (0, X.shape[1])
    assert fitted.transform(X.iloc[:2] * np.nan).isna().all(axis=None)
    filled = FillBlocks().set_output(transform="pandas").fit_transform(X)
    assert PerModality(StandardScaler()).fit(filled).transform(filled.iloc[:0]).shape[0] == 0


# -- errors --------------------------------------------------------------------------------------


def test_an_unknown_name_raises(named_table):
    X, _, _ = named_table(shapes=FLAT)
    with pytest.raises(
        BlockError, match=r"PerModality: no column belongs to 'smell'; .*face, text"
    ):
        PerModality(PCA(1), ["text", "smell"]).fit(X)


def test_an_error_of_the_transformer_names_the_block(named_table):
    X, _, _ = named_table(shapes=FLAT)
    with pytest.raises(BlockError, match=r"PCA failed on the block 'face' .*n_components=5") as e:
        PerModality(PCA(5)).fit(X)
    assert isinstance(e.value.__cause__, ValueError)
    X.iloc[3, 1] = np.nan
    with pytest.raises(
        BlockError, match=r"(?s)PCA failed on the block 'text' .*SimpleImputer\(\), PCA"
    ):
        PerModality(PCA(2)).fit(X)


def test_an_error_of_another_type_carries_a_note(named_table):
    def break_(X):
        raise RuntimeError("broken")

    X, _, _ = named_table(shapes=FLAT)
    with pytest.raises(RuntimeError, match="broken") as caught:
        PerModality(FunctionTransformer(break_), ["face"]).fit(X).transform(X)
    assert "failed on the block 'face'" in caught.value.__notes__[0]


def test_a_block_missing_in_all_training_rows_raises(named_table):
    X, _, _ = named_table(shapes=FLAT)
    X.loc[:, "face__x000":] = np.nan
    with pytest.raises(BlockError, match="no training row has the block 'face'"):
        PerModality(StandardScaler()).fit(X)
