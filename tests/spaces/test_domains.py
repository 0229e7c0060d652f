"""Domains: choices, ranges, and distributions of other packages."""

import numpy as np
import optuna
import pytest
from scipy.stats import loguniform, randint, uniform

from sklearn_mmsent.spaces import DependsOn, SearchSpace
from sklearn_mmsent.spaces.domains import Range


@pytest.mark.parametrize(
    ("given", "domain"),
    [
        (uniform(1, 2), Range(1.0, 3.0)),
        (loguniform(0.1, 10), Range(0.1, 10.0, log=True)),
        (randint(2, 5), Range(2, 4)),
        (optuna.distributions.FloatDistribution(0.1, 1.0, log=True), Range(0.1, 1.0, log=True)),
        (optuna.distributions.IntDistribution(1, 8, log=True), Range(1, 8, log=True)),
    ],
)
def test_distributions_of_other_packages_are_accepted(given, domain):
    assert SearchSpace({"a": given})["a"] == domain


def test_distributions_with_steps_become_choices():
    floats = optuna.distributions.FloatDistribution(0.0, 1.0, step=0.25)
    ints = optuna.distributions.IntDistribution(1, 9, step=4)
    kinds = optuna.distributions.CategoricalDistribution(["x", None])
    space = SearchSpace({"f": floats, "i": ints, "c": kinds, "s": ints.__class__(3, 3)})
    assert [space[n].grid(9) for n in "fics"] == [
        [0.0, 0.25, 0.5, 0.75, 1.0],
        [1, 5, 9],
        ["x", None],
        [3],
    ]


@pytest.mark.parametrize("domain", [Range(1, 64, log=True), Range(0.5, 8.0), Range(1, 6)])
def test_ranges_include_their_ends(domain):
    grid = domain.grid(4)
    assert (grid[0], grid[-1]) == (domain.low, domain.high)
    assert all(isinstance(value, int) for value in grid) == domain.integer
    rng = np.random.RandomState(0)
    drawn = [domain.random().rvs(random_state=rng) for _ in range(800)]
    assert min(drawn) >= domain.low
    assert max(drawn) <= domain.high
    if domain.integer:
        assert {domain.low, domain.high} <= set(drawn)
    if domain.log:
        assert np.median(drawn) == pytest.approx(5.7, abs=1.5)  # both ends extend by half a step


@pytest.mark.parametrize(("low", "high", "log"), [(1, 1, False), (0, 1, True), (0, np.inf, False)])
def test_invalid_ranges_raise_an_error(low, high, log):
    with pytest.raises(ValueError, match="range"):
        Range(low, high, log)


def test_nested_cases_raise_an_error():
    with pytest.raises(ValueError, match="a case cannot depend on another parameter"):
        DependsOn("a", {1: DependsOn("b", {})})
