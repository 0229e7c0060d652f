import numpy as np
import pandas as pd
import pytest
from imblearn.over_sampling import SMOTE
from sklearn.base import clone
from sklearn.utils.estimator_checks import check_set_output_transform

from sklearn_mmsent import FillBlocks
from sklearn_mmsent.blocks import BlockLayout
from sklearn_mmsent.exceptions import BlockError


def test_no_value_is_nan_and_masks_are_recovered(named_table):
    X, _, layout = named_table(missing=0.3)
    filled = FillBlocks().fit_transform(X)
    assert not filled.isna().any(axis=None)
    assert filled.columns[: X.shape[1]].tolist() == X.columns.tolist()
    for before, after in zip(
        layout.read(X), BlockLayout.from_names(filled.columns).read(filled), strict=True
    ):
        np.testing.assert_array_equal(before.present, after.present)
        if before.steps is not None:
            np.testing.assert_array_equal(before.steps, after.steps)
        # what was filled in is no observation
        np.testing.assert_allclose(before.statistics(), after.statistics(), rtol=1e-6)


def test_present_values_are_unchanged(named_table):
    X, _, _ = named_table(missing=0.3)
    filled = FillBlocks().fit_transform(X)[X.columns]
    known = X.notna().to_numpy()
    np.testing.assert_array_equal(filled.to_numpy()[known], X.to_numpy()[known])


def test_fills_with_the_training_mean_pooled_over_valid_steps():
    X = pd.DataFrame([[1.0, 3.0, 4.0], [5.0, np.nan, np.nan]], columns=["s__x@0", "s__x@1", "f__x"])
    filled = FillBlocks().fit_transform(X)
    assert filled.iloc[1].tolist() == [5.0, 3.0, 4.0, 1.0, 1.0, 0.0]
    assert filled.columns[3:].tolist() == ["s__present", "s__length", "f__present"]
    zeros = FillBlocks("zero").fit_transform(X)
    assert zeros.iloc[1, 1] == 0


def test_dtypes_and_index_are_kept():
    X = pd.DataFrame(
        {
            "image__pixel@0@0@0": np.array([1, 2], np.uint8),
            "image__pixel@0@0@1": np.array([3, 4], np.uint8),
            "a__x": np.array([1, np.nan], np.float16),
            "b__x": np.array([np.nan, 2.0]),
        },
        index=["p", "q"],
    )
    filled = FillBlocks().fit_transform(X)
    assert filled.dtypes.astype(str).tolist()[:4] == ["uint8", "uint8", "float16", "float64"]
    assert filled.index.tolist() == ["p", "q"]


def test_filling_is_idempotent(named_table):
    X, _, _ = named_table(missing=0.3)
    once = FillBlocks().fit_transform(X)
    pd.testing.assert_frame_equal(FillBlocks().fit_transform(once), once)


def test_a_block_missing_in_all_rows_becomes_zeros():
    X = pd.DataFrame({"a__x": [1.0, 2.0], "b__x": [np.nan, np.nan]})
    filled = FillBlocks().fit_transform(X)
    assert filled["b__x"].tolist() == [0, 0]
    assert filled["b__present"].tolist() == [0, 0]


def test_arrays_with_shapes_get_names_in_pandas_mode():
    X = np.array([[1.0, 2.0, np.nan], [3.0, 4.0, 5.0]])
    fill = FillBlocks(modalities={"text": 2, "face": 1}).set_output(transform="pandas")
    assert fill.fit_transform(X).columns.tolist() == [
        "text__x000",
        "text__x001",
        "face__x000",
        "text__present",
        "face__present",
    ]
    assert isinstance(clone(fill).set_output(transform="default").fit_transform(X), np.ndarray)


def test_smote_of_lengths_gives_valid_masks(named_table):
    X, y, _ = named_table(60, missing=0.2)
    y = np.where(y == "neg", "neg", "other")
    filled, _ = SMOTE(random_state=0, k_neighbors=3).fit_resample(FillBlocks().fit_transform(X), y)
    for block in BlockLayout.from_names(filled.columns).read(filled):
        if block.steps is not None:
            np.testing.assert_array_equal(block.present, block.steps.any(axis=1))


def test_columns_must_be_those_of_fit(named_table):
    X, _, _ = named_table()
    fill = FillBlocks().fit(X)
    with pytest.raises(ValueError, match="feature names"):
        fill.transform(X[X.columns[::-1]])
    with pytest.raises(BlockError, match="0 samples"):
        FillBlocks().fit(X[:0])
    assert len(fill.transform(X[:0])) == 0


def test_output_container_can_be_set():
    check_set_output_transform("FillBlocks", FillBlocks(modalities=None))
