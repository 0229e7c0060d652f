"""ModalitySMOTE: interpolation and neighbour search."""

import numpy as np
import pandas as pd
import pytest
from imblearn.over_sampling import SMOTE

from sklearn_mmsent import FillBlocks, FusionClassifier
from sklearn_mmsent.blocks import BlockLayout
from sklearn_mmsent.sampling import ModalitySMOTE
from sklearn_mmsent.sampling._neighbors import BlockSpace
from sklearn_mmsent.sampling._rows import BlockRows


def imbalanced(named_table, **options):
    X, y, layout = named_table(160, **options)
    rows = np.flatnonzero((y == "pos") | (np.arange(160) % 3 == 0))
    return X.iloc[rows].reset_index(drop=True), y[rows], layout


def resampled(X, y, **options):
    sampler = ModalitySMOTE(**{"random_state": 0, **options})
    X_new, y_new = sampler.fit_resample(X, y)
    seeds = sampler.sample_indices_[len(X) :]
    return X_new.iloc[len(X) :], y_new[len(X) :], seeds, sampler


def test_same_neighbour_and_weight_in_every_block(named_table):
    X, y, _ = imbalanced(named_table, dtype="float64")
    made, y_made, seeds, sampler = resampled(X, y)
    start, end = X.to_numpy()[seeds], X.to_numpy()[sampler.partner_indices_]
    weights = sampler.weights_[:, None]
    expected = start + weights * (end - start)
    both = np.isfinite(expected)
    np.testing.assert_allclose(made.to_numpy()[both], expected[both], rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(y_made, y[seeds])
    np.testing.assert_array_equal(y_made, y[sampler.partner_indices_])
    assert (seeds != sampler.partner_indices_).all()
    assert np.ptp(sampler.weights_) > 0.5


def test_blocks_and_lengths_are_those_of_the_seed(named_table):
    X, y, layout = imbalanced(named_table, missing=0.3)
    made, _, seeds, sampler = resampled(X, y)
    for before, after in zip(layout.read(X), layout.read(made), strict=True):
        np.testing.assert_array_equal(after.present, before.present[seeds])
        if after.steps is not None:
            np.testing.assert_array_equal(after.steps, before.steps[seeds])
        missing = ~before.present[sampler.partner_indices_]
        assert missing.any()
        np.testing.assert_array_equal(after.values[missing], before.values[seeds][missing])


def test_same_rows_before_and_after_filling(named_table):
    X, y, _ = imbalanced(named_table, missing=0.3)
    made, _, seeds, _ = resampled(X, y)
    filled, _, seeds_behind, _ = resampled(FillBlocks().fit_transform(X), y)
    np.testing.assert_array_equal(seeds, seeds_behind)
    known = made.notna().to_numpy()
    np.testing.assert_allclose(
        filled[X.columns].to_numpy()[known], made.to_numpy()[known], rtol=1e-5, atol=1e-6
    )
    blocks = BlockLayout.from_names(filled.columns).read(filled)
    for block, before in zip(blocks, BlockLayout.from_names(X.columns).read(X), strict=True):
        np.testing.assert_array_equal(block.present, before.present[seeds])
        if block.steps is not None:
            np.testing.assert_array_equal(block.steps, before.steps[seeds])


def test_nan_is_kept_from_the_seed(named_table):
    X, y, _ = imbalanced(named_table, shapes={"text": 6})
    X = X.mask(np.random.default_rng(0).random(X.shape) < 0.2)
    made, _, seeds, _ = resampled(X, y)
    np.testing.assert_array_equal(made.isna().to_numpy(), X.isna().to_numpy()[seeds])


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "uint8", "int64", "bool"])
def test_blocks_keep_their_dtype_and_range(named_table, dtype):
    X, y, layout = imbalanced(named_table)
    rng = np.random.default_rng(0)
    image = layout.blocks[-1]
    values = rng.integers(0, 2 if dtype == "bool" else 256, (len(X), image.width)).astype(dtype)
    image_names = X.columns[image.columns]
    X = pd.concat([X.drop(columns=image_names), pd.DataFrame(values, columns=image_names)], axis=1)
    made, _, seeds, sampler = resampled(X, y)
    assert made.dtypes.equals(X.dtypes)
    start, end = values[seeds].astype(float), values[sampler.partner_indices_].astype(float)
    got = made[image_names].to_numpy().astype(float)
    assert (got >= np.minimum(start, end)).all()
    assert (got <= np.maximum(start, end)).all()
    exact = start + sampler.weights_[:, None] * (end - start)
    assert np.abs(got - exact).max() <= (0.13 if dtype == "float16" else 0.5 + 1e-9)
    assert (got != start).any()


def test_pandas_extension_dtypes(named_table):
    X, y, _ = imbalanced(named_table, shapes={"text": 4})
    X = X.round().astype("Int64")
    made, *_ = resampled(X, y)
    assert made.dtypes.equals(X.dtypes)


def test_token_ids_are_copied(named_table):
    rng = np.random.default_rng(0)
    X, y, _ = imbalanced(named_table, shapes={"face": 3})
    ids = rng.integers(100, 30000, (len(X), 7)).astype("float32")
    ids[np.arange(7) >= rng.integers(2, 8, len(X))[:, None]] = np.nan
    ids = pd.DataFrame(ids, columns=[f"text__id@{i}" for i in range(7)])
    for table in (pd.concat([ids, X], axis=1), ids):
        made, _, seeds, sampler = resampled(table, y)
        np.testing.assert_array_equal(made[ids.columns], ids.iloc[seeds])
        if table is not ids:  # token ids do not affect distances
            _, _, _, expected = resampled(X, y)
            np.testing.assert_array_equal(sampler.partner_indices_, expected.partner_indices_)


# -- neighbours ----------------------------------------------------------------------------------


def distances(X):
    """Distances of all pairs, computed one by one in float64."""
    layout = BlockLayout.from_names(X.columns)
    blocks = layout.read(X)
    n = len(X)
    parts = {}
    for block, data in zip(layout.blocks, blocks, strict=True):
        mean, scale = data.statistics()
        z = np.nan_to_num((data.values - mean) / scale)
        if data.steps is not None:
            z[~data.steps] = 0
        z = z.reshape(n, -1)
        z = z / np.sqrt((z[data.present] ** 2).sum(axis=1).mean())
        square = ((z[:, None] - z[None]) ** 2).sum(axis=2)
        both = data.present[:, None] & data.present[None]
        parts.setdefault(block.modality, []).append(np.where(both, square, np.nan))
    total, count = np.zeros((2, n, n))
    for squares in parts.values():
        known = np.isfinite(squares)
        mean = np.where(known, squares, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
        total += mean
        count += known.any(axis=0)
    square = np.where(count > 0, total / np.maximum(count, 1), np.inf)
    np.fill_diagonal(square, np.inf)
    return square


@pytest.mark.parametrize("missing", [0.0, 0.4])
def test_distances_use_common_modalities(named_table, missing):
    shapes = {"text__a": 6, "text__b": 2, "audio": (5, 3), "image": (2, 3, 3)}
    X, _, _ = named_table(70, shapes=shapes, missing=missing)
    square = distances(X)
    table = BlockRows(X, "auto", "test")
    queries = np.arange(0, 70, 2)
    found = BlockSpace(table).nearest(np.arange(70), queries, 4)
    nothing = ~table.present.any(axis=1)
    for query, near in zip(queries, found, strict=True):
        if nothing[query]:
            assert (near == query).all()
        else:
            best = np.sort(square[query])[:4]
            np.testing.assert_allclose(square[query, near], best, rtol=1e-4)


def test_modalities_have_equal_weight_whatever_their_width():
    rng = np.random.default_rng(0)
    wide = rng.normal(size=(40, 1)) + 0.01 * rng.normal(size=(40, 300))
    narrow = rng.normal(size=(40, 1))
    X = pd.DataFrame(np.hstack([1000 * wide, 0.001 * narrow]))
    X.columns = [*(f"text__{i:03d}" for i in range(300)), "face__x"]
    near = BlockSpace(BlockRows(X, "auto", "test")).nearest(np.arange(40), np.arange(40), 1)[:, 0]
    plane = np.hstack([wide[:, :1] / wide[:, 0].std(), narrow / narrow.std()])
    square = ((plane[:, None] - plane[None]) ** 2).sum(axis=2)
    np.fill_diagonal(square, np.inf)
    assert (near == square.argmin(axis=1)).mean() > 0.9


def test_fill_values_do_not_change_neighbours(named_table):
    X, y, _ = imbalanced(named_table, missing=0.3)
    mean, zero = (FillBlocks(strategy).fit_transform(X) for strategy in ("mean", "zero"))
    partners = [resampled(table, y)[3].partner_indices_ for table in (X, mean, zero)]
    np.testing.assert_array_equal(partners[0], partners[1])
    np.testing.assert_array_equal(partners[0], partners[2])


def test_identical_rows_are_neighbours_but_not_of_themselves(named_table):
    X, _, _ = named_table(12, shapes={"text": 3})
    X = pd.concat([X, X, X], ignore_index=True)
    rows = np.arange(36)
    found = BlockSpace(BlockRows(X, "auto", "test")).nearest(rows, rows, 2)
    assert (found % 12 == rows[:, None] % 12).all()
    assert (found != rows[:, None]).all()


def test_equals_imblearn_smote_on_one_complete_block():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3))
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    y = np.repeat([0, 1], [40, 20])
    ours = ModalitySMOTE(modalities=None, random_state=0)
    X_ours, _ = ours.fit_resample(X, y)
    assert X_ours.shape == SMOTE(random_state=0).fit_resample(X, y)[0].shape
    minority = X[40:]
    square = ((minority[:, None] - minority[None]) ** 2).sum(axis=2)
    rank = square.argsort(axis=1).argsort(axis=1)
    ranks = rank[ours.sample_indices_[60:] - 40, ours.partner_indices_ - 40]
    assert set(ranks) <= {1, 2, 3, 4, 5}


# -- sampler -------------------------------------------------------------------------------------


def test_class_with_too_few_rows_error(named_table):
    X, y, _ = named_table(60, shapes={"text": 3})
    few = np.r_[np.flatnonzero(y == "neg")[:4], np.flatnonzero(y != "neg")]
    with pytest.raises(ValueError, match="class 'neg' has 4 rows, but k_neighbors=5 needs at leas"):
        ModalitySMOTE().fit_resample(X.iloc[few], y[few])
    ModalitySMOTE(k_neighbors=3).fit_resample(X.iloc[few], y[few])
    with pytest.raises(ValueError, match="Add rows to it"):
        ModalitySMOTE(k_neighbors=1).fit_resample(X.iloc[few[3:]], y[few[3:]])
    kept = {"neu": 30}  # small classes may be left out
    ModalitySMOTE(kept).fit_resample(X.iloc[few], y[few])


def test_reproducible_without_global_state(named_table, global_states):
    X, y, _ = imbalanced(named_table, missing=0.3)
    before = X.copy(), global_states()
    first, second, other = (
        ModalitySMOTE(random_state=seed).fit_resample(X, y)[0] for seed in (0, 0, 1)
    )
    pd.testing.assert_frame_equal(first, second)
    assert not first.equals(other)
    pd.testing.assert_frame_equal(X, before[0])
    assert global_states() == before[1]


def test_independent_of_n_jobs(named_table):
    X, y, _ = imbalanced(named_table, missing=0.3)
    pd.testing.assert_frame_equal(resampled(X, y)[0], resampled(X, y, n_jobs=2)[0])


def test_sampler_of_an_estimator_with_sample_weight(named_table):
    X, y, _ = imbalanced(named_table, missing=0.2)
    clf = FusionClassifier(sampler=ModalitySMOTE(), max_epochs=2, random_state=0)
    clf.fit(X, y, sample_weight=np.ones(len(y)))
    assert clf.predict_proba(X).shape == (len(X), 3)
