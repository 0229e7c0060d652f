"""One table of parameters, from which all else follows."""

import inspect
from dataclasses import fields

import pytest
from numpydoc.docscrape import ClassDoc

from sklearn_mmsent.estimators import (
    BaseFusion,
    FusionClassifier,
    FusionMultitask,
    FusionRegressor,
)
from sklearn_mmsent.estimators._parameters import ROLES, names_of
from sklearn_mmsent.training import Member

ESTIMATORS = [FusionClassifier, FusionRegressor, FusionMultitask]
# reach the target, the plan or the net in another form
CONVERTED = {"loss_params", "losses", "task_weights", "class_weight", "balanced_batches"}
CONVERTED |= {"n_iter_no_change"}


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_each_parameter_is_in_the_table_with_a_role(cls):
    table = cls._parameters
    assert set(table) == set(inspect.signature(cls).parameters) == set(cls._parameter_constraints)
    assert {parameter.role for parameter in table.values()} == set(ROLES)
    by_role = [cls().params_of(role) for role in ROLES]
    assert {k: v for part in by_role for k, v in part.items()} == cls().get_params(deep=False)


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_parameters_of_training_are_settings_of_a_member(cls):
    settings = {field.name for field in fields(Member)}
    assert set(names_of(cls._parameters, "training")) - CONVERTED <= settings


@pytest.mark.parametrize("level", ["small", "full"])
@pytest.mark.parametrize("cls", ESTIMATORS)
def test_the_search_space_follows_from_the_table(cls, level):
    space = cls.search_space(level)
    assert set(space) == {
        name for name, p in cls._parameters.items() if getattr(p, level) is not None
    }
    assert "frequency_masking" not in space
    tables_and_rows = names_of(cls._parameters, "table", "split")
    assert not set(space) & set(tables_and_rows)  # or scores could not be compared


def test_an_unknown_level_is_rejected():
    with pytest.raises(ValueError, match="level must be 'small' or 'full'"):
        FusionClassifier.search_space("large")


def test_shapes_depend_on_what_is_built_and_fed():
    shapes = BaseFusion.shape_parameters
    assert {"fusion", "encoders", "hidden_size", "batch_size", "loss", "precision"} <= shapes
    assert not {"lr", "dropout", "weight_decay", "random_state"} & shapes


@pytest.mark.parametrize("cls", [FusionRegressor, FusionMultitask])
def test_shared_parameters_are_documented_as_in_the_classifier(cls):
    documented, reference = (
        {p.name: p for p in ClassDoc(c)["Parameters"]} for c in (cls, FusionClassifier)
    )
    shared = documented.keys() & reference.keys()
    shared -= {"loss", "loss_params", "class_weight", "sampler"}
    assert {"fusion", "lr", "verbose"} <= shared
    assert all(documented[name] == reference[name] for name in shared)
    assert any("concatenation" in line for line in documented["fusion"].desc)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"lr_schedule": "cosin"}, r"Got 'cosin' instead\. Did you mean 'cosine'\?"),
        ({"loss": "focl"}, r"Got 'focl' instead\. Did you mean 'focal'\?"),
        ({"precision": "double"}, r"Got 'double' instead\.$"),
    ],
)
def test_a_misspelt_option_gets_a_suggestion(params, message):
    with pytest.raises(ValueError, match=message):
        FusionClassifier(**params).fit([[0.0], [1.0]], [0, 1])


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_an_unknown_keyword_raises_an_error_that_names_the_estimator(cls):
    with pytest.raises(TypeError, match=rf"^{cls.__name__}\.__init__\(\) got an unexpected"):
        cls(spec_augment=0.2)
