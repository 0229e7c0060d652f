"""scikit-learn's checks over every public estimator, found in the subpackages.

The tests of each subpackage run `check_estimator` on its estimators of numeric tables. The checks
here are those that it leaves out: for input that is not numeric, and for scikit-learn's own
estimators.
"""

import importlib
import inspect

import pytest
from sklearn.base import BaseEstimator, clone
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_mmsent import (
    MFCC,
    BatchedGridSearchCV,
    Cached,
    DeepEnsembleClassifier,
    DeepEnsembleRegressor,
    FewShotClassifier,
    FillBlocks,
    FusionClassifier,
    FusionMultitask,
    FusionRegressor,
    FusionSearchCV,
    FusionStackingClassifier,
    FusionStackingRegressor,
    GreedyEnsembleClassifier,
    GreedyEnsembleRegressor,
    LateFusionClassifier,
    LateFusionRegressor,
    PerModality,
    SelectModalities,
    TfidfEmbedder,
    VideoFrames,
)
from sklearn_mmsent.compose import MultimodalExtractor, Pipeline, PresentCells
from sklearn_mmsent.model_selection import BatchedRandomizedSearchCV, TunedOffsetsClassifierCV

ONE_BLOCK = {"modalities": None, "cv": 2, "random_state": 0}
# how to build what has required parameters, or is slow by default
PARAMETERS = {
    BatchedGridSearchCV: {"estimator": LogisticRegression(), "param_grid": {"C": [1.0]}},
    BatchedRandomizedSearchCV: {
        "estimator": LogisticRegression(),
        "param_distributions": {"C": [1.0]},
        "n_iter": 1,
    },
    Cached: {"extractor": MFCC(), "location": "features.sqlite"},
    DeepEnsembleClassifier: {
        "estimator": FusionClassifier(modalities=None, max_epochs=5),
        "n_members": 2,
        "random_state": 0,
    },
    DeepEnsembleRegressor: {
        "estimator": FusionRegressor(modalities=None, max_epochs=5),
        "n_members": 2,
        "random_state": 0,
    },
    FewShotClassifier: {"modalities": None, "random_state": 0},
    FillBlocks: {"modalities": None},
    FusionClassifier: {"modalities": None, "max_epochs": 5, "random_state": 0},
    FusionMultitask: {"modalities": None, "max_epochs": 5, "random_state": 0},
    FusionRegressor: {"modalities": None, "max_epochs": 5, "random_state": 0},
    FusionSearchCV: {"estimator": LogisticRegression(), "space": {"C": [1.0]}, "n_trials": 1},
    FusionStackingClassifier: {"experts": LogisticRegression(), **ONE_BLOCK},
    FusionStackingRegressor: {"experts": Ridge(), **ONE_BLOCK},
    GreedyEnsembleClassifier: {"experts": LogisticRegression(), **ONE_BLOCK},
    GreedyEnsembleRegressor: {"experts": Ridge(), **ONE_BLOCK},
    LateFusionClassifier: {"experts": LogisticRegression(), **ONE_BLOCK},
    LateFusionRegressor: {"experts": Ridge(), **ONE_BLOCK},
    MultimodalExtractor: {"transformers": [("text", TfidfEmbedder(), "text")]},
    PerModality: {"transformer": StandardScaler()},
    Pipeline: {"steps": [("scale", StandardScaler()), ("predict", LogisticRegression())]},
    PresentCells: {"transformer": TfidfEmbedder()},
    SelectModalities: {"modalities": ["text"]},
    TunedOffsetsClassifierCV: {"estimator": LogisticRegression(), "cv": 2, "random_state": 0},
    VideoFrames: {"extractor": MFCC()},
}
PACKAGES = ["compose", "ensemble", "estimators", "inspection", "model_selection", "sampling"]
PACKAGES += ["feature_extraction", "feature_extraction.audio", "feature_extraction.image"]
PACKAGES += ["feature_extraction.text", "feature_extraction.video"]
PUBLIC = [
    thing
    for package in map(importlib.import_module, (f"sklearn_mmsent.{name}" for name in PACKAGES))
    for name in package.__all__
    if inspect.isclass(thing := getattr(package, name))
    and issubclass(thing, BaseEstimator)
    and not inspect.isabstract(thing)
]
NUMERIC = [
    BatchedGridSearchCV,
    BatchedRandomizedSearchCV,
    DeepEnsembleClassifier,
    DeepEnsembleRegressor,
    FewShotClassifier,
    FillBlocks,
    FusionClassifier,
    FusionMultitask,
    FusionRegressor,
    FusionSearchCV,
    FusionStackingClassifier,
    FusionStackingRegressor,
    GreedyEnsembleClassifier,
    GreedyEnsembleRegressor,
    LateFusionClassifier,
    LateFusionRegressor,
    PerModality,
    TunedOffsetsClassifierCV,
]

ANY_INPUT = [
    "check_no_attributes_set_in_init",
    "check_get_params_invariance",
    "check_set_params",
    "check_estimator_cloneable",
    "check_estimator_repr",
    "check_estimator_tags_renamed",
    "check_valid_tag_types",
    "check_mixin_order",
]
NUMERIC_INPUT = [
    "check_dataframe_column_names_consistency",
    "check_param_validation",
    "check_n_features_in_after_fitting",
]
TRANSFORMERS = [
    "check_transformer_get_feature_names_out",
    "check_transformer_get_feature_names_out_pandas",
    "check_set_output_transform",
    "check_set_output_transform_pandas",
    "check_global_output_transform_pandas",
]


# PerModality warns that it takes a table without names as one block
NAMELESS = pytest.mark.filterwarnings("ignore:PerModality. the table's columns name no:UserWarning")


def build(cls):
    return cls(**PARAMETERS.get(cls, {}))


@pytest.mark.parametrize("check", ANY_INPUT)
@pytest.mark.parametrize("cls", [cls for cls in PUBLIC if cls not in NUMERIC])
def test_checks_for_any_input(cls, check):
    getattr(estimator_checks, check)(cls.__name__, build(cls))


@NAMELESS
@pytest.mark.parametrize("check", NUMERIC_INPUT)
@pytest.mark.parametrize("cls", NUMERIC)
def test_checks_for_scikit_learns_own_estimators(cls, check):
    getattr(estimator_checks, check)(cls.__name__, build(cls))


# the checks fit with names and transform without, and the other way round; scikit-learn runs them
# with warnings off
@pytest.mark.filterwarnings("ignore:X (does not have valid|has) feature names:UserWarning")
@NAMELESS
@pytest.mark.parametrize("check", TRANSFORMERS)
@pytest.mark.parametrize("cls", [FillBlocks, PerModality])
def test_checks_of_output_names(cls, check):
    getattr(estimator_checks, check)(cls.__name__, build(cls))


@NAMELESS
@parametrize_with_checks(
    [
        FillBlocks(modalities=None),
        PerModality(StandardScaler()),
        PerModality(make_pipeline(SimpleImputer(), PCA(1))),
    ]
)
def test_scikit_learns_checks_of_transformers(estimator, check):
    check(estimator)


@pytest.mark.parametrize("cls", PUBLIC)
def test_parameters_have_constraints(cls):
    assert set(cls._parameter_constraints) >= set(build(cls).get_params(deep=False))


@pytest.mark.parametrize("cls", PUBLIC)
def test_clones_are_equal_and_unfitted(cls):
    estimator = build(cls)
    copy = clone(estimator)
    assert repr(copy) == repr(estimator)
    assert vars(copy).keys() == vars(estimator).keys()
