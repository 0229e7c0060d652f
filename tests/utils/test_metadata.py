"""Metadata that ``fit`` takes, and their names."""

import numpy as np
import pytest
from sklearn import config_context
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline as plain_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_mmsent import FillBlocks, FusionClassifier, FusionSearchCV, make_pipeline
from sklearn_mmsent.model_selection import TunedOffsetsClassifierCV
from sklearn_mmsent.utils._metadata import fit_metadata

GROUPS, WEIGHTS = np.arange(4), np.ones(4)
LINEAR = LogisticRegression()
PIPE = make_pipeline(FillBlocks(), FusionClassifier())


class CustomSplitter:
    """A splitter without metadata routing."""

    def split(self, X, y=None, groups=None):
        return GroupKFold(2).split(X, y, groups)

    def get_n_splits(self, X=None, y=None, groups=None):
        return 2


@pytest.mark.parametrize(
    ("estimator", "names"),
    [
        (LINEAR, ["sample_weight"]),
        (KNeighborsClassifier(), []),
        (FusionClassifier(), ["groups", "sample_weight"]),
        (PIPE, ["fusionclassifier__groups", "fusionclassifier__sample_weight"]),
        (
            plain_pipeline(StandardScaler(), PIPE),
            ["pipeline__fusionclassifier__groups", "pipeline__fusionclassifier__sample_weight"],
        ),
        (GridSearchCV(LINEAR, {}, cv=3), ["sample_weight"]),
        (GridSearchCV(LINEAR, {}, cv=GroupKFold(3)), ["groups", "sample_weight"]),
        (
            GridSearchCV(PIPE, {}, cv=GroupKFold(3)),
            ["fusionclassifier__groups", "fusionclassifier__sample_weight", "groups"],
        ),
        (
            GridSearchCV(PIPE, {}, cv=KFold(3)),
            ["fusionclassifier__groups", "fusionclassifier__sample_weight"],
        ),
        (GridSearchCV(LINEAR, {}, cv=CustomSplitter()), ["groups", "sample_weight"]),
        (FusionSearchCV(LINEAR, {}, cv=3), ["groups", "sample_weight"]),
        (FusionSearchCV(LINEAR, {}, cv=KFold(3)), ["sample_weight"]),
        (TunedOffsetsClassifierCV(LINEAR), ["groups"]),
    ],
)
def test_names_of_metadata(estimator, names):
    given = fit_metadata(estimator, groups=GROUPS, sample_weight=WEIGHTS)
    assert sorted(given) == names
    for name, values in given.items():
        assert values is (GROUPS if name.endswith("groups") else WEIGHTS)
    assert fit_metadata(estimator, groups=None) == {}


def test_a_name_that_begins_with_a_step_goes_to_that_step():
    nested = plain_pipeline(StandardScaler(), GridSearchCV(PIPE, {}))
    own = fit_metadata(PIPE, fillblocks__groups=GROUPS)
    deep = fit_metadata(nested, gridsearchcv__fusionclassifier__groups=GROUPS)
    assert list(own) == ["fillblocks__groups"]
    assert list(deep) == ["gridsearchcv__fusionclassifier__groups"]
    assert fit_metadata(nested, other__groups=GROUPS) == {}


def test_routed_metadata_is_the_requested_one():
    with config_context(enable_metadata_routing=True):
        assert list(fit_metadata(PIPE, groups=GROUPS, sample_weight=WEIGHTS)) == ["groups"]
        asks = LogisticRegression().set_fit_request(sample_weight=True)
        assert list(fit_metadata(asks, groups=GROUPS, sample_weight=WEIGHTS)) == ["sample_weight"]
