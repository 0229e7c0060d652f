"""Which metadata goes to ``fit``, and under which name."""

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


class ByHand:
    """A splitter that tells nothing of itself."""

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
        (GridSearchCV(LINEAR, {}, cv=ByHand()), ["groups", "sample_weight"]),
        (FusionSearchCV(LINEAR, {}, cv=3), ["groups", "sample_weight"]),
        (FusionSearchCV(LINEAR, {}, cv=KFold(3)), ["sample_weight"]),
        (TunedOffsetsClassifierCV(LINEAR), ["groups"]),
    ],
)
def test_names(estimator, names):
    given = fit_metadata(estimator, groups=GROUPS, sample_weight=WEIGHTS)
    assert sorted(given) == names
    for name, values in given.items():
        assert values is (GROUPS if name.endswith("groups") else WEIGHTS)
    assert fit_metadata(estimator, groups=None) == {}


def test_a_name_that_begins_with_a_step_is_for_that_step():
    nested = plain_pipeline(StandardScaler(), GridSearchCV(PIPE, {}))
    own = fit_metadata(PIPE, fillblocks__groups=GROUPS)
    deep = fit_metadata(nested, gridsearchcv__fusionclassifier__groups=GROUPS)
    assert list(own) == ["fillblocks__groups"]
    assert list(deep) == ["gridsearchcv__fusionclassifier__groups"]
    assert fit_metadata(nested, other__groups=GROUPS) == {}


def test_with_routing_what_is_requested():
    with config_context(enable_metadata_routing=True):
        assert list(fit_metadata(PIPE, groups=GROUPS, sample_weight=WEIGHTS)) == ["groups"]
        asks = LogisticRegression().set_fit_request(sample_weight=True)
        assert list(fit_metadata(asks, groups=GROUPS, sample_weight=WEIGHTS)) == ["sample_weight"]


def test_offsets_hand_groups_to_the_end_of_a_pipeline():
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    X = rng.normal(size=(60, 3)) + y[:, None]
    model = make_pipeline(
        StandardScaler(), FusionClassifier(modalities=None, max_epochs=2, random_state=0)
    )
    clf = TunedOffsetsClassifierCV(model, cv=GroupKFold(2))
    assert clf.fit(X, y, groups=np.arange(60) // 6).offsets_.shape == (2,)
