"""Encoders, losses and ways of training as parameters of the estimators."""

import functools
import pickle

import numpy as np
import pandas as pd
import pytest
import torch

from sklearn_mmsent import FusionClassifier, FusionRegressor
from sklearn_mmsent.blocks import BlockLayout
from sklearn_mmsent.nn import ENCODERS, Fusion
from sklearn_mmsent.nn.losses import cross_entropy, focal, huber, squared_error
from sklearn_mmsent.training import train_network

SETTINGS = {"max_epochs": 2, "random_state": 0, "hidden_size": 8}


class MeanOfTokens(Fusion):
    """The mean of all real tokens."""

    sequential = True

    def forward(self, tokens, real, present):
        tokens, real = torch.cat(tokens, dim=1), torch.cat(real, dim=1).unsqueeze(-1)
        return (tokens * real).sum(1) / real.sum(1)

    def __init__(self, n_blocks, width, dropout):
        super().__init__()


@pytest.fixture(name="settings")
def _settings(monkeypatch):
    """What reaches the training loop: the last call's arguments by name."""
    last = {}

    def spy(member):
        last.update(vars(member))
        return train_network(member)

    monkeypatch.setattr("sklearn_mmsent.estimators._base.train_network", spy)
    return last


# -- encoders ------------------------------------------------------------------------------------

SHAPES = {1: 4, 2: (6, 3), 3: (2, 9, 8)}
READS = {name: SHAPES[cls.takes[-1]] for name, cls in ENCODERS.items() if not cls.raw}


@pytest.mark.parametrize("fusion", ["concat", MeanOfTokens])
@pytest.mark.parametrize("name", READS)
def test_each_encoder_in_an_estimator(named_table, name, fusion):
    shape = READS[name]
    X, y, _ = named_table(60, {"face": shape, "text": 4}, missing=0.3)
    clf = FusionClassifier(fusion, encoders={"face": name}, **SETTINGS).fit(X, y)
    assert isinstance(clf.net_.module_.encoders[0], ENCODERS[name])
    result = clf.predict_proba(X)
    assert np.isfinite(result).all()
    order = np.random.default_rng(0).permutation(60)
    np.testing.assert_allclose(clf.predict_proba(X.iloc[order]), result[order], rtol=1e-9)
    np.testing.assert_allclose(clf.predict_proba(X.iloc[[5]]), result[[5]], rtol=1e-9)
    assert (pickle.loads(pickle.dumps(clf)).predict_proba(X) == result).all()
    assert (clf.fit(X, y).predict_proba(X) == result).all()  # same seed, same bits


@pytest.mark.parametrize("name", [name for name in READS if 2 in ENCODERS[name].takes])
def test_padding_does_not_matter(named_table, name):
    X, y, _ = named_table(60, {"audio": (5, 3)}, missing=0.2)
    columns = BlockLayout.from_shapes({"audio": (9, 3)}).blocks[0].column_names()
    padded = X.reindex(columns=columns)
    params = {"encoders": name, "early_stopping": False, **SETTINGS}
    short = FusionClassifier(**params).fit(X, y).predict_proba(X)
    long = FusionClassifier(**params).fit(padded, y).predict_proba(padded)
    np.testing.assert_allclose(long, short, atol=1e-5)


@pytest.mark.parametrize(
    ("fusion", "expected"),
    [("concat", ["mlp", "mlp", "mlp", "conv2d"]), (MeanOfTokens, ["mlp", "gru", "mlp", "conv2d"])],
)
def test_automatic_encoders_go_by_shape_and_fusion(named_table, fusion, expected):
    shapes = {"text": 4, "audio": (5, 3), "thumb": (1, 7, 30), "image": (3, 8, 8)}
    X, y, _ = named_table(60, shapes)
    clf = FusionClassifier(fusion, **SETTINGS).fit(X, y)
    assert [type(e) for e in clf.net_.module_.encoders] == [ENCODERS[name] for name in expected]


def test_options_reach_the_encoder(named_table):
    X, y, _ = named_table(60, {"audio": (5, 3), "text": 4})
    encoders = {"audio": ("conv1d", {"channels": (4,), "kernel_size": 3})}
    clf = FusionClassifier(encoders=encoders, **SETTINGS).fit(X, y)
    [layer] = clf.net_.module_.encoders[0].layers
    assert layer.conv.weight.shape == (4, 3, 3)
    with pytest.raises(ValueError, match=r"'gru' reads sequences .* shape \(4,\) is read by 'mlp'"):
        FusionClassifier(encoders="gru", **SETTINGS).fit(X, y)


def test_order_in_time_is_learned():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 8)).astype(np.float32)
    X[:, 0] *= 3
    y = X[:, 0] > 0  # the first of eight steps decides
    columns = BlockLayout.from_shapes({"audio": (8, 1)}).blocks[0].column_names()
    X = pd.DataFrame(X, columns=columns)
    train, test = slice(None, 150), slice(150, None)
    scores = {
        name: FusionClassifier(encoders=name, lr=1e-2, max_epochs=30, random_state=0)
        .fit(X[train], y[train])
        .score(X[test], y[test])
        for name in ("gru", "mean")
    }
    assert scores["gru"] > 0.9
    assert scores["mean"] < 0.85


# -- losses --------------------------------------------------------------------------------------


def own_loss(outputs, targets, *, power=2):
    return (outputs - targets).abs().pow(power).mean(1)


@pytest.mark.parametrize(
    ("cls", "loss", "params", "function"),
    [
        (FusionClassifier, "cross_entropy", None, cross_entropy),
        (FusionClassifier, "cross_entropy", {"label_smoothing": 0.2}, cross_entropy),
        (FusionClassifier, "focal", {"gamma": 1.5}, focal),
        (FusionRegressor, "squared_error", None, squared_error),
        (FusionRegressor, "huber", {"delta": 0.5}, huber),
        (FusionRegressor, own_loss, None, own_loss),
        (FusionRegressor, own_loss, {"power": 1.5}, own_loss),
    ],
)
def test_a_loss_and_its_options(named_table, settings, cls, loss, params, function):
    X, y, _ = named_table(60)
    y = np.unique(y, return_inverse=True)[1]
    estimator = cls(loss=loss, loss_params=params, **SETTINGS).fit(X, y)
    expected = functools.partial(function, **(params or {}))
    outputs = torch.randn(len(settings["train"]), 3 if cls is FusionClassifier else 1)
    targets = settings["train"].targets
    torch.testing.assert_close(settings["loss"](outputs, targets), expected(outputs, targets))
    twin = pickle.loads(pickle.dumps(estimator))
    assert (twin.predict(X) == estimator.predict(X)).all()


def test_the_absolute_error_predicts_the_median():
    X = pd.DataFrame({"text__a": np.zeros(200)})
    y = np.where(np.arange(200) % 10 < 7, 0.0, 10.0)
    params = {"random_state": 0, "early_stopping": False, "max_epochs": 60, "dropout": 0.0}
    median = FusionRegressor(loss="absolute_error", **params).fit(X, y).predict(X)[0]
    mean = FusionRegressor(**params).fit(X, y).predict(X)[0]
    assert abs(median) < 0.7
    assert abs(mean - 3) < 0.7


def averaged(outputs, targets):
    return cross_entropy(outputs, targets).mean()


def test_invalid_losses_are_rejected(named_table):
    X, y, _ = named_table(60)
    with pytest.raises(ValueError, match=r"one number per row.*Got shape \(\) instead"):
        FusionClassifier(loss=averaged, **SETTINGS).fit(X, y)
    with pytest.raises(ValueError, match=r"loss_params do not fit.*options are: label_smoothing"):
        FusionClassifier(loss_params={"gamma": 2}, **SETTINGS).fit(X, y)
    with pytest.raises(ValueError, match=r"loss_params do not fit.*options are: none"):
        FusionRegressor(loss_params={"delta": 2}, **SETTINGS).fit(X, np.arange(60))
    with pytest.raises(ValueError, match="gamma must be 0 or more"):
        FusionClassifier(loss="focal", loss_params={"gamma": -1}, **SETTINGS).fit(X, y)
    with pytest.raises(ValueError, match="The 'loss' parameter of FusionClassifier"):
        FusionClassifier(loss="huber", **SETTINGS).fit(X, y)


def test_effective_class_weights(settings):
    X = pd.DataFrame({"text__a": np.zeros(2110)})
    counts = {"few": 10, "many": 2000, "some": 100}
    y = np.repeat(list(counts), list(counts.values()))
    params = {"class_weight": "effective", "early_stopping": False, "max_epochs": 1}
    FusionClassifier(**params).fit(X, y)
    weights = np.array([(1 - 0.999) / (1 - 0.999**n) for n in counts.values()])
    weights *= 3 / weights.sum()  # Cui et al.: they sum to the number of classes
    train = settings["train"]
    for number in range(3):
        of_class = train.weights[train.targets == number].numpy()
        np.testing.assert_allclose(of_class, weights[number], rtol=1e-6)


# -- ways of training ----------------------------------------------------------------------------


def test_schedule_and_clipping_reach_the_training(named_table, settings):
    X, y, _ = named_table(60)
    plain = FusionClassifier(**SETTINGS).fit(X, y).predict_proba(X)
    assert (settings["clip_norm"], settings["lr_schedule"], settings["warmup"]) == (None, None, 0)
    for params in [{"clip_norm": 0.01}, {"lr_schedule": "linear"}, {"warmup": 0.5}]:
        clf = FusionClassifier(**params, **SETTINGS).fit(X, y)
        assert settings.items() >= params.items()
        assert (clf.predict_proba(X) != plain).any()
        assert (pickle.loads(pickle.dumps(clf)).predict_proba(X) == clf.predict_proba(X)).all()


@pytest.mark.parametrize("params", [{"clip_norm": 0}, {"lr_schedule": "step"}, {"warmup": 1.0}])
def test_ways_of_training_are_checked(named_table, params):
    X, y, _ = named_table(60)
    with pytest.raises(ValueError, match=f"The '{next(iter(params))}' parameter of FusionClass"):
        FusionClassifier(**params).fit(X, y)
