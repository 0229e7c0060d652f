"""Raw tables with missing cells all the way to labels, under the tools of three libraries."""

import pickle

import numpy as np
import pytest
from imblearn.over_sampling import SMOTE, RandomOverSampler
from optuna.distributions import CategoricalDistribution, FloatDistribution
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    StratifiedGroupKFold,
    cross_val_predict,
    cross_val_score,
)
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from sklearn_mmsent import (
    MFCC,
    Cached,
    ColorTexture,
    FillBlocks,
    FusionClassifier,
    FusionRegressor,
    TfidfEmbedder,
    make_clips,
    make_extractor,
    make_pipeline,
)
from sklearn_mmsent.blocks import BlockLayout
from sklearn_mmsent.exceptions import CellError
from sklearn_mmsent.metrics import get_scorer

FOLDS = 2


@pytest.fixture(name="clips", scope="module")
def _clips(tmp_path_factory):
    return make_clips(
        tmp_path_factory.mktemp("clips"),
        60,
        noise=0.1,
        missing_rate=0.15,
        n_groups=6,
        random_state=0,
    )


@pytest.fixture(name="extract", scope="module")
def _extract(tmp_path_factory):
    cache = tmp_path_factory.mktemp("cache") / "features.sqlite"
    return make_extractor(
        text=TfidfEmbedder(n_components=8),
        image=Cached(ColorTexture(hog=False, lbp=False), cache),
        audio=Cached(MFCC(n_mfcc=4, deltas=0, pooling=None, max_steps=6), cache),
    )


@pytest.fixture(name="network")
def _network():
    return FusionClassifier(early_stopping=False, max_epochs=3, random_state=0)


@pytest.fixture(name="pipe", params=["RandomOverSampler", "SMOTE"])
def _pipe(request, extract, network):
    samplers = {
        "RandomOverSampler": RandomOverSampler(random_state=0),
        "SMOTE": SMOTE(k_neighbors=2, random_state=0),
    }
    return make_pipeline(extract, FillBlocks(), samplers[request.param], StandardScaler(), network)


@pytest.fixture(name="oversampled")
def _oversampled(extract, network):
    sampler = RandomOverSampler(random_state=0)
    return make_pipeline(extract, FillBlocks(), sampler, StandardScaler(), network)


def test_cross_val_score(pipe, clips):
    cv = StratifiedGroupKFold(FOLDS)
    scores = cross_val_score(
        pipe, clips.X, clips.y, groups=clips.groups, cv=cv, scoring=get_scorer("f1_macro")
    )
    assert ((scores > 0) & (scores <= 1)).all()


def test_grid_search_over_fusion_sampler_scaler_and_network(oversampled, clips):
    grid = [
        {"fusionclassifier__fusion": ["concat", "gated"]},
        {"randomoversampler": [SMOTE(k_neighbors=2, random_state=0), "passthrough"]},
        {"standardscaler": [MinMaxScaler()], "fusionclassifier__hidden_size": [16]},
    ]
    search = GridSearchCV(oversampled, grid, cv=FOLDS, n_jobs=2, error_score="raise")
    search.fit(clips.X, clips.y)
    assert len(search.cv_results_["params"]) == 5
    assert set(search.predict(clips.X)) <= set(clips.y)
    # names and masks also reach the network through replaced steps
    layout = search.best_estimator_[-1].layout_
    assert layout.modalities == ("text", "image", "audio")
    assert all(block.present_column is not None for block in layout.blocks)


@pytest.mark.filterwarnings(
    # from optuna-integration 5.0; remove these when it no longer warns
    "ignore::optuna.exceptions.ExperimentalWarning",
    "ignore:`optuna.terminator` module has been deprecated:FutureWarning",
)
def test_optuna_search(oversampled, clips):
    from optuna_integration.sklearn import OptunaSearchCV

    search = OptunaSearchCV(
        oversampled,
        {
            "fusionclassifier__fusion": CategoricalDistribution(["weighted", "gated"]),
            "fusionclassifier__lr": FloatDistribution(1e-4, 1e-2, log=True),
        },
        cv=FOLDS,
        n_trials=2,
        random_state=0,
        error_score="raise",
    )
    search.fit(clips.X, clips.y)
    assert set(search.best_params_) == {"fusionclassifier__fusion", "fusionclassifier__lr"}
    assert len(search.predict(clips.X)) == len(clips.y)


def test_stacking(oversampled, extract, clips):
    plain = make_pipeline(extract, FillBlocks(), StandardScaler(), LogisticRegression())
    stack = StackingClassifier([("fusion", oversampled), ("plain", plain)], cv=FOLDS)
    stack.fit(clips.X, clips.y)
    assert stack.predict_proba(clips.X).shape == (60, 3)


def test_voting(oversampled, extract, clips):
    plain = make_pipeline(extract, FillBlocks(), StandardScaler(), LogisticRegression())
    vote = VotingClassifier([("fusion", oversampled), ("plain", plain)], voting="soft")
    assert set(vote.fit(clips.X, clips.y).predict(clips.X)) <= set(clips.y)


def test_calibration(oversampled, clips):
    calibrated = CalibratedClassifierCV(oversampled, cv=FOLDS).fit(clips.X, clips.y)
    probabilities = calibrated.predict_proba(clips.X)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)


def test_raw_and_numeric_arrays_are_accepted(extract, network, clips):
    # the raw table as an object array, columns by position
    by_position = make_extractor(
        text=(0, TfidfEmbedder(n_components=8)), image=(1, extract.transformers[1][1])
    )
    raw = clips.X.to_numpy(dtype=object)
    labels = make_pipeline(by_position, network).fit(raw, clips.y).predict(raw)
    assert set(labels) <= set(clips.y)
    # the numeric table as an array, shapes given
    table = extract.fit_transform(clips.X)
    shapes = {block.name: block.shape for block in BlockLayout.of(table).blocks}
    network.set_params(modalities=shapes)
    array = table.to_numpy()
    scores = cross_val_score(network, array, clips.y, cv=FOLDS, error_score="raise")
    assert len(scores) == FOLDS


def test_regression_on_intensity(extract, clips):
    pipe = make_pipeline(extract, FusionRegressor(max_epochs=5, random_state=0))
    predicted = cross_val_predict(pipe, clips.X, clips.intensity, cv=FOLDS)
    assert np.isfinite(predicted).all()


def test_one_object_from_raw_rows_to_labels(pipe, clips):
    pipe.fit(clips.X, clips.y)
    expected = pipe.predict_proba(clips.X)
    loaded = pickle.loads(pickle.dumps(pipe))
    np.testing.assert_array_equal(loaded.predict_proba(clips.X), expected)
    row = clips.X.iloc[4].to_dict()
    np.testing.assert_allclose(loaded.predict_proba(row), expected[[4]], rtol=1e-6)
    only_text = {"text": clips.X["text"].dropna().iloc[0]}
    assert loaded.predict(only_text)[0] in set(clips.y)
    with pytest.raises(CellError, match="unknown column 'txet'; it was fitted on 'text', 'image'"):
        loaded.predict({"txet": "good"})
    with pytest.raises(CellError, match="an empty dict"):
        loaded.predict({})


def test_same_seed_same_bits_through_the_whole_pipeline(pipe, clips, global_states):
    before = global_states()
    first = pipe.fit(clips.X, clips.y).predict_proba(clips.X)
    second = pipe.fit(clips.X, clips.y).predict_proba(clips.X)
    np.testing.assert_array_equal(first, second)
    assert global_states() == before


def test_an_extractor_names_its_blocks(extract, clips):
    table = extract.fit_transform(clips.X)
    layout = BlockLayout.of(table)
    assert [(b.name, b.kind) for b in layout.blocks] == [
        ("text", "flat"),
        ("image", "flat"),
        ("audio", "sequence"),
    ]
    assert (table.dtypes == np.float32).all()
    for column, block in zip(("text", "image", "audio"), layout.read(table), strict=True):
        np.testing.assert_array_equal(block.present, clips.X[column].notna())


def test_a_broken_file_is_named_through_the_pipeline(extract, network, clips, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n not a picture")
    X = clips.X.set_axis([f"clip {i}" for i in range(60)])
    X.loc["clip 9", "image"] = str(broken)
    with pytest.raises(CellError, match=r"row 9 \(index 'clip 9'\), column 'image'.*broken.png"):
        make_pipeline(extract, network).fit(X, clips.y)


# -- the generator's interactions, extracted once -------------------------------------------------

CLASSES = {
    "conflicting": ("negative", "positive"),
    "complementary": ("negative", "neutral", "positive"),
}


@pytest.fixture(name="interactions", scope="module")
def _interactions(tmp_path_factory):
    """Feature table, labels, folds, and the macro-F1 of each single modality."""
    extract = make_extractor(
        text=TfidfEmbedder(n_components=24), image=ColorTexture(size=(64, 64)), audio=MFCC()
    )
    settings = {}
    for interaction, classes in CLASSES.items():
        folder = tmp_path_factory.mktemp(interaction)
        clips = make_clips(
            folder, 900, classes=classes, interaction=interaction, noise=0.1, random_state=0
        )
        table = extract.fit_transform(clips.X)
        folds = list(StratifiedGroupKFold(5).split(clips.X, clips.y, clips.groups))[:1]
        single = [
            macro_f1(FusionClassifier(random_state=0), select(table, name), clips.y, folds)
            for name in clips.X
        ]
        settings[interaction] = table, clips.y, folds, single
    return settings


def select(table, modality):
    return table.loc[:, table.columns.str.startswith(f"{modality}__")]


def macro_f1(estimator, X, y, folds):
    return cross_val_score(estimator, X, y, cv=folds, scoring="f1_macro").mean()


@pytest.mark.parametrize("fusion", ["concat", "weighted", "gated"])
def test_conflicting_is_chance_for_one_modality_and_not_for_fusion(interactions, fusion):
    table, y, folds, single = interactions["conflicting"]
    assert max(single) < 0.6
    # an interaction is learned late, after a plateau
    clf = FusionClassifier(fusion, n_iter_no_change=40, random_state=0)
    assert macro_f1(clf, table, y, folds) > 0.75


@pytest.mark.parametrize("fusion", ["concat", "weighted", "gated"])
def test_complementary_is_where_fusion_beats_the_best_modality(interactions, fusion):
    table, y, folds, single = interactions["complementary"]
    score = macro_f1(FusionClassifier(fusion, random_state=0), table, y, folds)
    assert score > max(single) + 0.10
