"""OutlierRemover."""

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from sklearn.cluster import KMeans
from sklearn.covariance import EllipticEnvelope
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import LocalOutlierFactor

from sklearn_mmsent import FillBlocks
from sklearn_mmsent.sampling import OutlierRemover

DETECTORS = [
    None,
    IsolationForest(n_estimators=30),
    LocalOutlierFactor(n_neighbors=8),
    EllipticEnvelope(support_fraction=0.9),
]


def clean(seed=0):
    """A small class far from the large one, and a modality with missing rows."""
    rng = np.random.default_rng(seed)
    y = np.repeat(["often", "rare"], [100, 20])
    values = rng.normal(size=(120, 4)) + np.where(y == "rare", 8.0, 0.0)[:, None]
    values[3::10, 2:] = np.nan
    return pd.DataFrame(values, columns=["text__a", "text__b", "face__a", "face__b"]), y


def removed(X, y, **options):
    remover = OutlierRemover(**{"random_state": 0, **options})
    X_new, y_new = remover.fit_resample(X, y)
    assert len(X_new) == len(y_new) == len(remover.sample_indices_)
    rows = set(range(len(y))) - set(remover.sample_indices_.tolist())
    assert rows == set(remover.report_["row"])
    return remover.report_.set_index("row").sort_index()


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda d: type(d).__name__)
@pytest.mark.parametrize("per", ["modality", "joint"])
def test_outliers_of_a_class_are_found(detector, per):
    X, y = clean()
    X.loc[[5, 110], "face__a"] = [60.0, -60.0]
    report = removed(X, y, detector=detector, per=per, contamination={"often": 0.01, "rare": 0.05})
    assert report.index.tolist() == [5, 110]
    assert report["label"].tolist() == ["often", "rare"]
    assert set(report["modality"]) == {"face" if per == "modality" else "all"}
    assert (report["score"] > 2).all()


def test_score_is_that_of_the_worst_modality():
    X, y = clean()
    X.loc[[5, 6], ["text__a", "face__a"]] = [[60.0, 0.0], [0.0, 60.0]]
    report = removed(X, y, contamination={"often": 0.02})
    assert report["modality"].to_dict() == {5: "text", 6: "face"}


def test_each_class_loses_the_same_fraction():
    X, y = clean()
    assert removed(X, y, contamination=0.1)["label"].value_counts().to_dict() == {
        "often": 10,
        "rare": 2,
    }
    assert removed(X, y, contamination=0.04)["label"].value_counts().to_dict() == {"often": 4}
    assert removed(X, y, contamination=0.0).empty


def test_joint_detection_of_mismatched_modalities():
    rng = np.random.default_rng(0)
    tone = rng.normal(size=200)
    X = pd.DataFrame({"text__a": tone, "face__a": tone + 0.05 * rng.normal(size=200)})
    X.loc[9] = [1.5, -1.5]
    y = np.repeat(["a", "b"], [100, 100])
    options = {"detector": LocalOutlierFactor(), "contamination": {"a": 0.01}}
    assert removed(X, y, per="joint", **options).index.tolist() == [9]
    assert removed(X, y, per="modality", **options).index.tolist() != [9]


def test_missing_values_are_not_outliers(named_table):
    X, y, layout = named_table(120, missing=0.3)
    present = np.column_stack([block.present for block in layout.read(X)])
    report = removed(X, y, contamination=0.1)
    names = [block.modality for block in layout.blocks]
    for row, modality in report["modality"].items():
        assert any(p for p, name in zip(present[row], names, strict=True) if name == modality)


def test_same_rows_before_and_after_filling(named_table):
    X, y, _ = named_table(120, missing=0.2, dtype="float64")
    options = {"detector": LocalOutlierFactor(n_neighbors=5), "contamination": 0.1}
    before = removed(X, y, **options)
    after = removed(FillBlocks().fit_transform(X), y, **options)
    assert before.index.tolist() == after.index.tolist()


def test_independent_of_row_order():
    X, y = clean()
    order = np.random.default_rng(1).permutation(120)
    options = {"detector": LocalOutlierFactor(n_neighbors=8), "contamination": 0.1}
    plain = removed(X, y, **options)
    shuffled = removed(X.iloc[order].reset_index(drop=True), y[order], **options)
    assert set(order[shuffled.index]) == set(plain.index)


@pytest.mark.parametrize("dtype", ["uint8", "float16", "float32", "float64"])
def test_dtypes_are_kept(dtype):
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.integers(0, 9, (40, 2)).astype(dtype), columns=["a__x", "b__x"])
    X.loc[3, "a__x"] = 250
    X = X.astype(dtype)
    remover = OutlierRemover(contamination=0.05, random_state=0)
    X_new, _ = remover.fit_resample(X, [0, 1] * 20)
    assert (X_new.dtypes == dtype).all()
    assert 3 in remover.report_["row"].to_numpy()


def test_constant_and_missing_blocks():
    X, y = clean()
    X["voice__a"] = np.where(y == "rare", np.nan, 3.0)
    assert len(removed(X, y, contamination=0.1)) == 12


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"contamination": {"sometimes": 0.1}}, "names the class 'sometimes'.*'often', 'rare'"),
        ({"contamination": {"rare": 0.7}}, "of the class 'rare' must be a fraction from 0 to 0.5"),
        ({"contamination": 0.6}, "contamination"),
        ({"detector": KMeans(2), "contamination": 0.1}, "KMeans has neither score_samples"),
        ({"per": "row"}, "per"),
    ],
)
def test_invalid_parameters(options, message):
    with pytest.raises(ValueError, match=message):
        OutlierRemover(**options).fit_resample(*clean())


def test_invalid_tables():
    X, y = clean()
    with pytest.raises((TypeError, ValueError), match=r"(?i)sparse"):
        OutlierRemover().fit_resample(csr_array(X.fillna(0).to_numpy()), y)
    with pytest.raises(ValueError, match="class"):
        OutlierRemover().fit_resample(X, np.full(120, "often"))
