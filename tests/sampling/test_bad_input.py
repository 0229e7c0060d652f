"""Samplers on small, degenerate and invalid input."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from sklearn_mmsent.exceptions import BlockError
from sklearn_mmsent.sampling import ModalityBalancer, ModalityMixup, ModalitySMOTE

SAMPLERS = [
    ModalityBalancer(random_state=0),
    ModalityMixup(random_state=0),
    ModalityMixup(labels="soft", random_state=0),
    ModalitySMOTE(k_neighbors=3, random_state=0),
]
each = pytest.mark.parametrize("sampler", SAMPLERS, ids=repr)


@pytest.fixture(name="table")
def _table(named_table):
    X, y, layout = named_table(120, missing=0.2)
    rows = np.flatnonzero((y == "pos") | (np.arange(120) % 2 == 0))
    return X.iloc[rows].reset_index(drop=True), y[rows], layout


@each
def test_type_names_and_rows_are_kept(sampler, table):
    X, y, _ = table
    X_new, y_new = sampler.fit_resample(X, pd.Series(y, name="polarity"))
    assert X_new.dtypes.equals(X.dtypes)
    assert len(X_new) == len(y_new) == len(sampler.sample_indices_) > len(X)
    pd.testing.assert_frame_equal(X_new.iloc[: len(X)], X)
    assert list(X_new.index) == list(range(len(X_new)))


@each
def test_single_class_error(sampler, table):
    X, _, _ = table
    with pytest.raises(ValueError, match="more than 1 class"):
        sampler.fit_resample(X, ["neg"] * len(X))


@each
def test_class_without_a_modality(sampler, table):
    X, y, layout = table
    audio, image = layout.blocks[1].columns, layout.blocks[2].columns
    X = X.copy()
    X.iloc[y == "neg", audio] = np.nan
    X.iloc[:, image] = np.nan
    X_new, y_new = sampler.fit_resample(X, y)
    if isinstance(y_new, pd.DataFrame):
        y_new = y_new.idxmax(axis=1)
    assert X_new.loc[np.asarray(y_new == "neg")].iloc[:, audio].isna().all(axis=None)
    assert X_new.iloc[:, image].isna().all(axis=None)
    assert X_new.iloc[:, layout.blocks[0].columns].notna().any(axis=None)


@each
def test_class_without_any_modality(sampler, table):
    X, y, _ = table
    X = X.copy()
    X[y == "neg"] = np.nan
    X_new, y_new = sampler.fit_resample(X, y)
    if isinstance(y_new, pd.DataFrame):
        y_new = y_new.idxmax(axis=1)
    assert X_new.loc[np.asarray(y_new == "neg")].isna().all(axis=None)


@each
def test_constant_columns_stay_constant(sampler, table):
    X, y, layout = table
    text = X.columns[layout.blocks[0].columns]
    X = X.assign(**dict.fromkeys(text, np.float32(0.1)))
    X_new, _ = sampler.fit_resample(X, y)
    assert X_new[text].eq(np.float32(0.1)).all(axis=None)


@each
def test_infinity_error(sampler, table):
    X, y, _ = table
    X = X.copy()
    X.iloc[3, 0] = np.inf
    with pytest.raises(BlockError, match="contains infinity: row 3"):
        sampler.fit_resample(X, y)


@each
@pytest.mark.parametrize(
    "labels",
    [
        ["b", "a", "c"],
        np.array([7, -1, 3], dtype=np.int8),
        [2.0, 1.0, 0.0],
        pd.Categorical(["x", "y", "z"]),
        np.array(["x", "y", "z"], dtype=object),
        pd.array(["x", "y", "z"], dtype="string"),
    ],
    ids=["str", "int8", "float", "categorical", "object", "string"],
)
def test_label_types(sampler, table, labels):
    X, y, _ = table
    codes = np.unique(y, return_inverse=True)[1]
    given = pd.Series(pd.Series(labels).take(codes).to_numpy(), dtype=pd.Series(labels).dtype)
    for form in (given, np.asarray(given), given.tolist()):
        X_new, y_new = sampler.fit_resample(X, form)
        assert len(X_new) == len(y_new)
        if isinstance(y_new, pd.DataFrame):
            assert sorted(y_new.columns) == sorted(set(labels))
        else:
            assert type(y_new) is type(form)
            assert set(y_new) == set(labels)


@each
def test_boolean_labels(sampler, table):
    X, y, _ = table
    _, y_new = sampler.fit_resample(X, y == "neg")
    if not isinstance(y_new, pd.DataFrame):
        assert y_new.dtype == bool
        assert y_new.mean() == 0.5


@each
@pytest.mark.parametrize("y", [np.linspace(0, 1, 20), [None, *["a"] * 19]], ids=["float", "none"])
def test_continuous_targets_error(sampler, y):
    X = pd.DataFrame({"text__a": np.arange(20.0)})
    with pytest.raises((ValueError, TypeError)):
        sampler.fit_resample(X, y)


@each
def test_sparse_input_error(sampler, table):
    _, y, _ = table
    X = sparse.random(len(y), 5, 0.5, format="csr", random_state=0)
    with pytest.raises(TypeError, match=r"dense data is required.*toarray"):
        sampler.set_params(modalities=None).fit_resample(X, y)
    sampler.set_params(modalities="auto")
    X = pd.DataFrame.sparse.from_spmatrix(X, columns=[f"text__{i}" for i in range(5)])
    X_new, _ = sampler.fit_resample(X, y)
    assert X_new.dtypes.equals(X.dtypes)


@each
def test_non_numeric_column_error(sampler, table):
    X, y, _ = table
    with pytest.raises(BlockError, match="column 'words__raw' has dtype"):
        sampler.fit_resample(X.assign(words__raw="fine"), y)


@each
def test_arrays_are_one_block_with_a_warning(sampler, table):
    X, y, _ = table
    with pytest.warns(UserWarning, match="name no modality"):
        X_new, _ = sampler.fit_resample(X.to_numpy(), y)
    assert X_new.dtype == np.float32


@each
def test_modalities_define_the_blocks_of_an_array(sampler, table):
    X, y, _ = table
    named, _ = sampler.fit_resample(X, y)
    shapes = {"text": 6, "audio": (5, 3), "image": (2, 3, 3)}
    nameless, _ = sampler.set_params(modalities=shapes).fit_resample(X.to_numpy(), y)
    sampler.set_params(modalities="auto")
    np.testing.assert_array_equal(named, nameless)


def test_strategy_that_removes_a_class(table):
    X, y, _ = table
    with pytest.raises(ValueError, match="no row of the class 'neg' is left"):
        ModalityBalancer({"neg": 0}, how="under").fit_resample(X, y)
    for sampler in SAMPLERS:
        with pytest.raises(ValueError, match="greater or equal to the original"):
            type(sampler)({"neg": 0}).fit_resample(X, y)


@each
def test_balanced_classes(sampler, table):
    X, _, _ = table
    X = X.iloc[: len(X) // 2 * 2].fillna(0)
    X_new, y_new = sampler.fit_resample(X, np.arange(len(X)) % 2)
    pd.testing.assert_frame_equal(X_new, X)
    assert len(y_new) == len(X)
