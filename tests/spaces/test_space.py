"""Search spaces: one description, the same values in every format."""

import json

import numpy as np
import optuna
import pytest
from scipy.stats import loguniform, norm, randint, uniform
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.model_selection import ParameterGrid, ParameterSampler

from sklearn_mmsent import FusionClassifier, FusionMultitask, FusionRegressor
from sklearn_mmsent.spaces import DependsOn, SearchSpace
from sklearn_mmsent.spaces.domains import Choices
from sklearn_mmsent.spaces.space import space_of

ESTIMATORS = [FusionClassifier, FusionRegressor, FusionMultitask]
CONDITIONS = SearchSpace(
    {
        "rank": DependsOn("fusion", {"low_rank": randint(1, 9)}),
        "fusion": ["concat", "low_rank", "tensor", "gated"],
        "lr": DependsOn("fusion", {"tensor": [1e-4]}, otherwise=loguniform(1e-3, 1e-1)),
        "reducer": {"none": None, "pca": PCA()},
        "reducer__n_components": DependsOn("reducer", {"pca": [2, 4]}),
        "whiten": DependsOn("reducer__n_components", {4: [True, False]}),
    }
)


def consistent(params):
    """Whether parameters satisfy the conditions above."""
    is_pca = params["reducer"] is not None
    return (
        ("rank" in params) == (params["fusion"] == "low_rank")
        and (params["lr"] == 1e-4) == (params["fusion"] == "tensor")
        and ("reducer__n_components" in params) == is_pca
        and ("whiten" in params) == (params.get("reducer__n_components") == 4)
    )


def trials(space, n=60, seed=0):
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    for _ in range(n):
        trial = study.ask()
        params = space.suggest(trial)
        study.tell(trial, 0.0)
        yield params, study.trials[-1].params


def test_all_formats_satisfy_the_conditions():
    suggested = [params for params, _ in trials(CONDITIONS)]
    drawn = list(ParameterSampler(CONDITIONS.for_random(), 60, random_state=0))
    grid = list(ParameterGrid(CONDITIONS.for_grid(3)))
    for params in (*suggested, *drawn, *grid):
        assert consistent(params), params
    for params in (suggested, drawn, grid):
        assert {p["fusion"] for p in params} == {"concat", "low_rank", "tensor", "gated"}
    # concat and gated share 3 rates, tensor has one, low_rank 3 rates and 3 ranks;
    # reducers: none, pca of 2, pca of 4 with and without whitening
    assert len(grid) == (2 * 3 + 1 + 3 * 3) * 4
    assert all(1 <= p["rank"] <= 8 for p in (*suggested, *drawn) if "rank" in p)


def test_choices_stay_equally_likely_where_branches_differ():
    drawn = list(ParameterSampler(CONDITIONS.for_random(), 4000, random_state=0))
    shares = [np.mean([p["fusion"] == f for p in drawn]) for f in CONDITIONS["fusion"].values]
    np.testing.assert_allclose(shares, 0.25, atol=0.04)
    assert np.mean([p["reducer"] is None for p in drawn]) == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("level", ["small", "full"])
@pytest.mark.parametrize("cls", ESTIMATORS)
def test_spaces_of_estimators_have_valid_parameters(cls, level):
    space = cls.search_space(level)
    drawn = list(ParameterSampler(space.for_random(), 30, random_state=0))
    for params in [*drawn, *(params for params, _ in trials(space, 30))]:
        clone(cls()).set_params(**params)._validate_params()
    fixed = {"clip_norm": None} if level == "full" else {}
    assert set(space.for_optuna()) >= {"fusion", "dropout", "hidden_size", *fixed}
    assert space_of(cls()).describe() == cls.search_space().describe()
    assert all(isinstance(values, list) for grid in space.for_grid() for values in grid.values())


def test_every_fusion_of_the_full_space_trains(named_table):
    X, y, _ = named_table(40, {"text": 3, "audio": (3, 2)})
    space = FusionClassifier.search_space("full")
    for label, case in space["fusion_params"].cases.items():
        for options in case.values.values():
            clf = FusionClassifier(label, fusion_params=options, max_epochs=1, hidden_size=8)
            clf.fit(X, y)


def test_unknown_level_raises_an_error():
    with pytest.raises(ValueError, match="search_space: level must be 'small' or 'full'"):
        FusionClassifier.search_space("huge")


@pytest.mark.parametrize("space", [CONDITIONS, FusionClassifier.search_space("full")])
def test_stored_parameters_are_decoded(space):
    for params, stored in trials(space):
        assert space.decode(json.loads(json.dumps(stored))) == params
        assert space.encode(stored) == stored
        assert space.encode(params) == stored
    with pytest.raises(KeyError):
        space.decode({})


def test_values_outside_the_space_are_not_encoded():
    encoded = CONDITIONS.encode({"fusion": "low_rank", "rank": 99, "lr": "fast", "x": 1})
    assert encoded == {"fusion": "low_rank"}
    assert CONDITIONS.encode({"reducer": PCA()}) == {"reducer": "pca"}
    assert CONDITIONS.encode({"reducer": "pca"}) == {"reducer": "pca"}


def test_a_prefix_is_applied_to_conditions():
    space = CONDITIONS.prefixed("net__")
    assert set(space) == {f"net__{name}" for name in CONDITIONS}
    (params, stored), *_ = trials(space)
    assert {name.partition("__")[0] for name in (*params, *stored)} == {"net"}
    assert space.decode(stored) == params


def test_merging_drops_conditions_on_removed_choices():
    small = CONDITIONS | {"fusion": ["concat", "gated"], "extra": [1]}
    assert list(small["fusion"].values) == ["concat", "gated"]
    assert len(list(ParameterGrid(small.for_grid(2)))) == 2 * 2 * 4
    assert all("rank" not in params for params, _ in trials(small))
    again = small | CONDITIONS
    assert again["fusion"].values == CONDITIONS["fusion"].values
    depends = SearchSpace({"a": [1, 2]}) | {"b": DependsOn("a", {1: [5]})}
    assert [len(grid) for grid in depends.for_grid()] == [2, 1]


def test_values_that_a_study_cannot_store_have_labels():
    assert list(Choices([PCA(2), None, 1e-3, np.float32(0.5), len, PCA]).values) == [
        *("PCA(n_components=2)", None, 1e-3, 0.5, "len", "PCA")
    ]
    space = SearchSpace({"reducer": [PCA(), None], "n": [1]})
    with pytest.raises(ValueError, match=r"cannot store PCA\(\), a choice of 'reducer'"):
        space.for_optuna()
    assert SearchSpace({"n": [1], "m": DependsOn("n", {1: [PCA()]})}).for_optuna().keys() == {"n"}


@pytest.mark.parametrize(
    ("parameters", "error", "words"),
    [
        ({"a": 3}, TypeError, r"'a': expected a list of values, .*Write a single value as \[3\]"),
        ({"a": "gated"}, TypeError, r"Write a single value as \['gated'\]"),
        ({"a": []}, ValueError, "'a': the list of choices is empty"),
        ({"a": [PCA(), PCA()]}, ValueError, "have the same repr; give them labels"),
        (
            {"a": norm(0, 1)},
            TypeError,
            "randint of scipy are supported; got norm",
        ),
        ({"a": Choices([1]), "b": DependsOn("c", {})}, ValueError, "'c', which is not in the"),
        ({"a": uniform(), "b": DependsOn("a", {})}, ValueError, "'a', which is a range; list"),
        (
            {"a": [1], "b": DependsOn("a", {2: [1]})},
            ValueError,
            "case for a=2, which is not a choice",
        ),
        (
            {"a": DependsOn("b", {}, otherwise=[1]), "b": DependsOn("a", {}, otherwise=[1])},
            ValueError,
            "a depends on b depends on a",
        ),
    ],
)
def test_invalid_spaces_raise_an_error(parameters, error, words):
    with pytest.raises(error, match=f"SearchSpace: .*{words}"):
        SearchSpace(parameters)
