import numpy as np
import pytest

from sklearn_mmsent.blocks.block_values import BlockValues
from sklearn_mmsent.training import holdout_rows


def block(values):
    values = np.asarray(values, dtype=np.float32)
    return BlockValues(values, np.ones(len(values), bool))


@pytest.fixture(name="rng")
def _rng():
    return np.random.default_rng(0)


def test_share_and_strata(rng):
    labels = rng.choice(3, 400, p=[0.6, 0.3, 0.1])
    held = holdout_rows([block(rng.normal(size=(400, 3)))], 0.2, seed=0, labels=labels)
    for k in range(3):
        assert abs(held[labels == k].mean() - 0.2) < 0.02


def test_groups_stay_on_one_side(rng):
    groups = rng.integers(0, 20, 400)
    labels = rng.integers(0, 3, 400)
    held = holdout_rows(
        [block(rng.normal(size=(400, 3)))], 0.2, seed=0, groups=groups, labels=labels
    )
    assert 0.1 < held.mean() < 0.3
    assert not set(groups[held]) & set(groups[~held])


def test_identical_rows_stay_on_one_side_also_through_a_third(rng):
    X = rng.normal(size=(60, 2)).repeat(4, axis=0)[rng.permutation(240)]
    held = holdout_rows([block(X)], 0.2, seed=0)
    assert held.any()
    assert not {tuple(x) for x in X[held]} & {tuple(x) for x in X[~held]}
    # row 0 ~ row 1 by content, row 1 ~ row 2 by group
    X = np.arange(40.0)[:, None].repeat(2, axis=1)
    X[1] = X[0]
    groups = np.arange(40)
    groups[2] = groups[1]
    for seed in range(30):
        held = holdout_rows([block(X)], 0.2, seed=seed, groups=groups)
        assert held[0] == held[1] == held[2]


def test_rows_equal_in_one_block_only_are_not_identical(rng):
    same, other = np.zeros((40, 2)), rng.normal(size=(40, 2))
    assert holdout_rows([block(same), block(other)], 0.25, seed=0).sum() == 10
    assert holdout_rows([block(same)], 0.25, seed=0).sum() == 0


def test_every_class_keeps_rows_to_train_on(rng):
    labels = np.array([0] * 30 + [1] * 2 + [2])
    for seed in range(20):
        held = holdout_rows([block(rng.normal(size=(33, 2)))], 0.5, seed=seed, labels=labels)
        assert set(labels[~held]) == {0, 1, 2}


@pytest.mark.parametrize("n", [1, 2, 3])
def test_small_sets_hold_out_at_least_one_row(rng, n):
    held = holdout_rows([block(rng.normal(size=(n, 2)))], 0.1, seed=0, labels=np.zeros(n, int))
    assert held.sum() == (1 if n > 1 else 0)


def test_one_group_is_not_split(rng):
    held = holdout_rows([block(rng.normal(size=(50, 2)))], 0.2, seed=0, groups=["a"] * 50)
    assert not held.any()


def test_rows_shared_by_all_groups_do_not_prevent_validation(rng):
    X = rng.integers(0, 2, (200, 1))  # two sentences, each spoken by everybody
    groups = np.repeat(np.arange(20), 10)
    held = holdout_rows([block(X)], 0.2, seed=0, groups=groups)
    assert held.sum() == 40
    assert not set(groups[held]) & set(groups[~held])


def test_seed_decides(rng):
    X = [block(rng.normal(size=(100, 2)))]
    first = holdout_rows(X, 0.2, seed=0)
    assert (first == holdout_rows(X, 0.2, seed=0)).all()
    assert (first != holdout_rows(X, 0.2, seed=1)).any()
