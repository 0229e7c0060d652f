import numpy as np
import pytest
import torch
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline

from sklearn_mmsent.utils._random import (
    clone_with_seeds,
    draw_seed,
    seed_generator,
    set_seeds,
    torch_seed,
    uses_seeds,
)


def test_seeds_are_drawn_without_the_global_generator():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    assert draw_seed(7) == 7
    assert draw_seed(None) != draw_seed(None)
    assert draw_seed(np.random.RandomState(0)) == draw_seed(np.random.RandomState(0))
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_generators_of_torch_are_restored():
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    with torch_seed(0):
        inside = torch.rand(2)
    assert torch.equal(torch.rand(2), expected)
    with torch_seed(0):
        assert torch.equal(torch.rand(2), inside)


def test_a_clone_has_seeds_where_none_was_set():
    model = make_pipeline(LogisticRegression(), Ridge(random_state=5))
    first, second = (clone_with_seeds(model, np.random.default_rng(0)) for _ in range(2))
    assert isinstance(first.steps[0][1].random_state, int)
    assert first.steps[0][1].random_state == second.steps[0][1].random_state
    assert first.steps[1][1].random_state == 5
    assert clone_with_seeds(model, None).steps[0][1].random_state is None
    assert model.steps[0][1].random_state is None


def test_all_seeds_of_a_model_can_be_set():
    model = set_seeds(make_pipeline(LogisticRegression(), Ridge()), 3)
    assert [step.random_state for _, step in model.steps] == [3, 3]


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (LogisticRegression(), True),
        (KNeighborsClassifier(), False),
        (DummyClassifier(), False),
        (DummyClassifier(strategy="uniform"), True),
    ],
)
def test_models_whose_result_depends_on_a_seed(model, expected):
    assert uses_seeds(model) is expected


def test_a_generator_of_seeds_exists_only_for_a_random_state():
    assert seed_generator(None) is None
    assert seed_generator(0).integers(100) == seed_generator(0).integers(100)
    assert seed_generator(np.random.RandomState(0)) is not None
