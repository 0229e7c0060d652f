"""Common checks of imbalanced-learn for every sampler."""

import pytest
from imblearn.utils.estimator_checks import (
    check_dataframe_column_names_consistency,
    check_param_validation,
    estimator_checks_generator,
)
from sklearn.utils.estimator_checks import (
    check_no_attributes_set_in_init,
    check_parameters_default_constructible,
)

from sklearn_mmsent.sampling import (
    AudioAugmenter,
    ImageAugmenter,
    LabelNoiseFilter,
    ModalityBalancer,
    ModalityMixup,
    ModalitySMOTE,
    OutlierRemover,
    TextAugmenter,
)

# as the checks feed them: tables without names (one block), or no raw column to change
SAMPLERS = [
    AudioAugmenter([], random_state=0),
    ImageAugmenter([], random_state=0),
    TextAugmenter([], random_state=0),
    LabelNoiseFilter(modalities=None, cv=2, random_state=0),
    ModalityBalancer(modalities=None, random_state=0),
    ModalityBalancer(how="under", modalities=None, random_state=0),
    ModalityMixup(modalities=None, random_state=0),
    ModalitySMOTE(modalities=None, random_state=0),
    OutlierRemover(modalities=None, random_state=0),
]

CHECKS = [pair for sampler in SAMPLERS for pair in estimator_checks_generator(sampler)]
MORE = [
    check_dataframe_column_names_consistency,
    check_param_validation,
    check_no_attributes_set_in_init,
    check_parameters_default_constructible,
]


def _name(value):
    return repr(value) if hasattr(value, "fit_resample") else getattr(value, "func", value).__name__


@pytest.mark.parametrize(("sampler", "check"), CHECKS, ids=_name)
def test_imblearn_checks(sampler, check):
    check(sampler)


@pytest.mark.parametrize("check", MORE, ids=_name)
@pytest.mark.parametrize("sampler", SAMPLERS, ids=_name)
def test_sklearn_parameter_checks(sampler, check):
    check(type(sampler).__name__, sampler)
