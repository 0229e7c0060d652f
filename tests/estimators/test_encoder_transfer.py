"""Encoders that start with the weights of another estimator's."""

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.ensemble import BaggingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

from sklearn_mmsent import FusionClassifier, FusionRegressor, make_pipeline
from sklearn_mmsent.blocks import BlockLayout
from sklearn_mmsent.nn import ENCODERS, Encoder
from sklearn_mmsent.training import plan as plan_module

SETTINGS = {"max_epochs": 2, "random_state": 0, "hidden_size": 8, "early_stopping": False}
SHAPES = {"text": 4, "audio": (5, 3), "image": (2, 9, 8)}


class Bag(Encoder):
    """A made-up encoder of flat blocks."""

    def __init__(self, shape, width, dropout, *, n_units=3, activation=torch.tanh):
        super().__init__()
        self.inside = torch.nn.Linear(shape[-1], n_units)
        self.project = torch.nn.Linear(n_units, width)
        self.activation = activation

    def forward(self, values, steps):
        return self.project(self.activation(self.inside(values)))


def _table(shapes, *, seed=0, missing=0.0, n=60):
    """A table in which every number depends on the class, and its labels."""
    rng = np.random.default_rng(seed)
    layout = BlockLayout.from_shapes(shapes)
    names = [name for block in layout.blocks for name in block.column_names()]
    y = np.arange(n) % 3
    values = rng.normal(size=(n, len(names))) + y[:, None] - 1
    for block in layout.blocks:
        values[rng.random(n) < missing, block.columns] = np.nan
    return pd.DataFrame(values.astype(np.float32), columns=names), y


@pytest.fixture(name="X", scope="module")
def _X():
    return _table(SHAPES)


def fit(table, cls=FusionClassifier, **params):
    return cls(**{**SETTINGS, **params}).fit(*table)


@pytest.fixture(name="source", scope="module")
def _source(X):
    return fit(X)


@pytest.fixture(name="path")
def _path(source, tmp_path):
    source.save_encoders(tmp_path / "encoders.safetensors")
    return tmp_path / "encoders.safetensors"


@pytest.fixture(name="other", scope="module")
def _other():
    """Another table of the same blocks, on another scale."""
    X, y = _table(SHAPES, seed=1, missing=0.2)
    return 5 * X + 3, y


@pytest.fixture(name="built")
def _built(monkeypatch):
    """The networks as they were before the first step."""
    states = []
    build = plan_module.NetworkPlan.build

    def spy(plan):
        network = build(plan)
        states.append({k: v.clone() for k, v in network.state_dict().items()})
        return network

    monkeypatch.setattr(plan_module.NetworkPlan, "build", spy)
    return states


def of_block(state, i):
    """The weights of a block, by name without its number, in one dtype."""
    parts = (f"encoders.{i}.", f"standardizers.{i}.")
    return {
        n.replace(f"s.{i}.", ".", 1): v.double() for n, v in state.items() if n.startswith(parts)
    }


def weights(estimator, i):
    return of_block(estimator.net_.module_.state_dict(), i)


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


# -- transferred weights -------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["file", "str", "frozen", "fitted", "pipeline", "search"])
def test_transferred_weights_equal_the_source_and_others_are_new(
    X, source, other, path, built, way, global_states
):
    sources = {
        "file": lambda: path,
        "str": lambda: str(path),
        "frozen": lambda: FrozenEstimator(source),
        "fitted": lambda: source,
        "pipeline": lambda: FrozenEstimator(make_pipeline(FrozenEstimator(source))),
        "search": lambda: _searched(source),
    }
    taken = sources[way]()
    states = global_states()
    fit(other, random_state=3, encoders_from=taken)
    assert global_states() == states
    fit(other, random_state=3)
    begun, fresh = built
    trained = source.net_.module_.state_dict()
    for name, value in begun.items():
        moved = name.startswith(("encoders.", "standardizers."))
        assert value.dtype == fresh[name].dtype
        assert torch.equal(value.double(), (trained if moved else fresh)[name].double()), name
    assert not same(begun, fresh)


def _searched(source):
    search = GridSearchCV(source, {"lr": [1e-3]})
    search.best_estimator_ = source  # as a search that was fitted has it
    return search


def test_a_mapping_takes_single_blocks(X, source, other, path, built):
    sources = {"image": path, "text": FrozenEstimator(source), "audio": None}
    clf = clone(FusionClassifier(encoders_from=sources, **SETTINGS)).fit(*other)
    fit(other)
    begun, fresh = built
    trained = source.net_.module_.state_dict()
    for i, block in enumerate(clf.layout_.blocks):
        origin = fresh if block.name == "audio" else trained
        assert len(of_block(begun, i)) > 4
        assert same(of_block(begun, i), of_block(origin, i))


def test_a_mapping_by_modality_covers_its_parts_and_a_part_takes_precedence(built):
    table = _table({"audio__mfcc": (4, 2), "audio__pitch": 2, "text": 3})
    first, second = fit(table), fit(table, random_state=1)
    fit(table, encoders_from={"audio__pitch": second, "audio": first})
    begun = built[-1]
    assert same(of_block(begun, 0), weights(first, 0))
    assert same(of_block(begun, 1), weights(second, 1))
    assert not same(of_block(begun, 2), weights(first, 2))


def test_only_common_blocks_are_taken_without_a_mapping(source, built):
    clf = fit(_table({"image": (2, 9, 8), "touch": 3}), encoders_from=source)
    assert same(of_block(built[-1], 0), weights(source, 2))
    assert clf.layout_.modalities == ("image", "touch")


def test_from_a_classifier_to_a_regressor(source, other, path):
    reg = fit(other, FusionRegressor, encoders_from=path, freeze_encoders=True)
    assert all(same(weights(reg, i), weights(source, i)) for i in range(3))
    assert np.isfinite(reg.predict(other[0])).all()


def test_the_scale_is_transferred(X, other, path):
    clf = fit(other, encoders_from=path)
    mean = clf.net_.module_.standardizers[0].mean
    np.testing.assert_allclose(mean, X[0].filter(like="text__").mean(), atol=1e-5)
    inverse_scale = clf.net_.module_.standardizers[0].inverse_scale
    np.testing.assert_allclose(1 / inverse_scale, X[0].filter(like="text__").std(ddof=0), rtol=1e-5)


# -- freezing ------------------------------------------------------------------------------------


@pytest.mark.parametrize("fusion", ["concat", "mult", "decision"])
def test_frozen_encoders_do_not_change_and_the_rest_is_trained(X, other, built, fusion, tmp_path):
    source = fit(X, fusion=fusion)
    taken = {"fusion": fusion, "encoders_from": source, "dropout": 0.5, "weight_decay": 0.5}
    frozen = fit(other, freeze_encoders=True, **taken)
    trained = fit(other, **taken)
    for i in range(3):
        assert same(weights(frozen, i), weights(source, i))
        assert not same(weights(trained, i), weights(source, i))
    known = {id(p) for group in frozen.net_.optimizer_.param_groups for p in group["params"]}
    assert not known & {id(p) for p in frozen.net_.module_.encoders.parameters()}
    start, end = built[1], frozen.net_.module_.state_dict()
    learned = [n for n in start if n.startswith(("fusion.", "head."))]
    assert any(not torch.equal(start[n].double(), end[n]) for n in learned)


def test_frozen_encoders_have_no_dropout(X, source, other):
    clf = fit(other, encoders_from={"text": source}, freeze_encoders=True, dropout=0.5)
    network = pickle.loads(pickle.dumps(clf)).net_.module_.train()
    assert not any(m.training for m in network.encoders[0].modules())
    assert all(m.training for m in network.encoders[1].modules())
    assert network.head.training
    network.eval()
    assert not any(m.training for m in network.modules())


def test_frozen_and_early_stopping(other, source, path):
    clf = fit(other, encoders_from=path, freeze_encoders=True, early_stopping=True, max_epochs=4)
    assert all(same(weights(clf, i), weights(source, i)) for i in range(3))


def test_transferred_encoders_can_have_another_learning_rate(source, other):
    slow = {"optimizer__param_groups": [("encoders.*", {"lr": 0.0})]}
    clf = fit(other, encoders_from=source, net_params=slow, weight_decay=0.0)
    assert all(same(weights(clf, i), weights(source, i)) for i in range(3))


# -- which weights fit ---------------------------------------------------------------------------

OVER_TIME = [n for n, cls in ENCODERS.items() if 2 in cls.takes and not cls.raw]


@pytest.mark.parametrize("name", OVER_TIME)
def test_other_lengths_take_the_same_weights(name):
    params = {"encoders": name, "freeze_encoders": True}
    source = fit(_table({"audio": (5, 3)}), **params)
    longer = fit(_table({"audio": (9, 3)}), encoders_from=source, **params)
    assert same(weights(longer, 0), weights(source, 0))


def test_other_sizes_of_images_take_the_same_weights():
    source = fit(_table({"image": (1, 8, 8)}))
    larger = fit(_table({"image": (1, 13, 9)}), encoders_from=source, freeze_encoders=True)
    assert same(weights(larger, 0), weights(source, 0))


def test_custom_encoders(other, tmp_path):
    shapes = {"text": 4, "image": (2, 9, 8)}
    own = {"encoders": {"text": (Bag, {"n_units": np.int64(4)}), "image": "mlp"}}
    source = fit(_table(shapes), **own)
    source.save_encoders(tmp_path / "own")
    taken = {"encoders_from": tmp_path / "own", "freeze_encoders": True}
    assert same(weights(fit(_table(shapes, seed=1), **own, **taken), 0), weights(source, 0))
    # options that JSON cannot represent are no reason to reject the file
    own = {"encoders": {"text": (Bag, {"n_units": 4, "activation": torch.relu}), "image": "mlp"}}
    assert same(weights(fit(_table(shapes, seed=1), **own, **taken), 0), weights(source, 0))


def test_a_block_without_training_rows_is_not_transferred(X, other):
    table, y = X
    empty = table.copy()
    empty.loc[:, empty.columns.str.startswith("audio")] = np.nan
    with pytest.warns(UserWarning, match="no training row has the block 'audio'"):
        source = fit((empty, y))
    with pytest.raises(ValueError, match=r"takes 'audio' from .* 'image', 'text' only"):
        fit(other, encoders_from={"audio": source})
    clf = fit(other, encoders_from=source, freeze_encoders=True)
    assert not any(p.requires_grad for p in clf.net_.module_.encoders[2].parameters())
    assert all(p.requires_grad for p in clf.net_.module_.encoders[1].parameters())


@pytest.mark.parametrize(
    ("shapes", "params", "message"),
    [
        ({"text": 5}, {}, r"'text' .* shape \(4,\) instead of \(5,\)"),
        ({"text": (3, 4)}, {}, r"'text' .* shape \(4,\) instead of \(3, 4\)"),
        ({"image": (1, 9, 8)}, {}, r"'image' .* \(2, 9, 8\) instead of \(1, 9, 8\)"),
        ({"audio": (5, 3)}, {"encoders": "gru"}, r"encoder mlp\(.*\) instead of gru\(.*\)"),
        (
            {"image": (2, 9, 8)},
            {"encoders": ("conv2d", {"channels": (64, 32)})},
            r"conv2d\(channels=\[64, 128\]\) instead of conv2d\(channels=\[64, 32\]\)",
        ),
        ({"text": 4}, {"encoders": Bag}, r"encoder mlp\(.*\) instead of Bag\(.*\)"),
        ({"text": 4}, {"hidden_size": 16}, r"hidden_size=8, not 16"),
        ({"speech": 4}, {}, r"encoders of 'audio', 'image', 'text', and the table has 'speech'"),
    ],
)
@pytest.mark.parametrize("mapped", [False, True])
def test_blocks_that_differ_are_rejected(source, shapes, params, message, mapped):
    (name,) = shapes
    if mapped and name == "speech":
        message = r"takes 'speech' from a fitted FusionClassifier, which has encoders of"
    with pytest.raises(ValueError, match="FusionClassifier: .*" + message):
        fit(_table(shapes), encoders_from={name: source} if mapped else source, **params)


def test_weights_of_another_shape_are_rejected():
    source = fit(_table({"image": (1, 8, 8)}), encoders="mlp")
    with pytest.raises(
        ValueError,
        match=r"'image' of encoders_from \(a fitted FusionClassifier\), of shape \(1, 8, 8\) "
        r"instead of \(1, 9, 8\), does not fit: .* \(8, 64\) in the source and has shape \(8, 72\)",
    ):
        fit(_table({"image": (1, 9, 8)}), encoders="mlp", encoders_from=source)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (FusionClassifier(), "is not fitted, or lost its fit .*FrozenEstimator"),
        (FrozenEstimator(FusionRegressor()), "the FusionRegressor in encoders_from is not fitted"),
        (LogisticRegression(), "Got LogisticRegression instead"),
        (FrozenEstimator(BaggingClassifier()), "Got BaggingClassifier instead"),
        ({"text": 3}, "Got int instead"),
        ({"voice": FusionClassifier()}, "encoders_from names 'voice', which is not a modality"),
        (3, "The 'encoders_from' parameter of FusionClassifier must be"),
    ],
)
def test_invalid_sources_are_rejected(X, wrong, message):
    with pytest.raises(ValueError, match=message):
        fit(X, encoders_from=wrong)


def test_an_unfitted_estimator_has_nothing_to_save(tmp_path):
    with pytest.raises(ValueError, match="not fitted"):
        FusionClassifier().save_encoders(tmp_path / "encoders")


# -- with the tools of scikit-learn --------------------------------------------------------------


def test_clone_and_search(X, other, source, path):
    search = GridSearchCV(
        FusionClassifier(freeze_encoders=True, **SETTINGS),
        {"encoders_from": [None, path, FrozenEstimator(source), {"text": str(path)}]},
        cv=2,
    ).fit(*other)
    scores = search.cv_results_["mean_test_score"]
    assert scores[1] == scores[2]


def test_a_trained_network_does_not_keep_its_initial_weights(other, source, path):
    clf = fit(other, encoders_from=path)
    assert len(pickle.dumps(clf)) < 1.1 * len(pickle.dumps(fit(other)))
    same_seed = fit(other, encoders_from=path)
    assert (clf.predict_proba(other[0]) == same_seed.predict_proba(other[0])).all()
    again = pickle.loads(pickle.dumps(clf))
    assert (again.predict_proba(other[0]) == clf.predict_proba(other[0])).all()


def test_transferred_encoders_can_be_transferred_again(other, source, path, tmp_path):
    clf = fit(other, encoders_from=path, freeze_encoders=True)
    clf.save_encoders(tmp_path / "second")
    assert (tmp_path / "second").read_bytes() == path.read_bytes()


def test_chained_after_a_change_of_parameters(source, other, path, tmp_path):
    clf = fit(other).set_params(encoders="mlp", hidden_size=4)  # of the next fit
    clf.save_encoders(tmp_path / "saved")
    assert same(
        weights(fit(other, encoders_from=tmp_path / "saved", freeze_encoders=True), 2),
        weights(clf, 2),
    )
