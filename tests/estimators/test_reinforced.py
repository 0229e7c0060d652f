"""The gates of the reinforced fusion select the relevant steps."""

import numpy as np
import pandas as pd
import pytest
import torch

from sklearn_mmsent import FusionClassifier
from sklearn_mmsent.blocks import BlockLayout
from sklearn_mmsent.nn import Encoder


class Steps(Encoder):
    """One dense layer at each step."""

    def __init__(self, shape, width, dropout):
        super().__init__()
        self.project = torch.nn.Linear(shape[-1], width)

    def forward(self, values, steps):
        return self.project(values).mean(1)

    def tokens(self, values, steps):
        return self.project(values), steps


def marked_steps(n_samples, seed, n_steps=20, n_marked=3):
    """Sequences whose marked steps sum up to the label, among unmarked ones with larger values."""
    rng = np.random.default_rng(seed)
    marked = rng.random((n_samples, n_steps)).argsort(1) < n_marked
    content = rng.normal(size=(n_samples, n_steps, 4))
    sign = rng.choice([-1, 1], (n_samples, n_steps))
    content[..., 0] = sign * rng.uniform(0.5, 1.5, (n_samples, n_steps))
    y = np.where((content[..., 0] * marked).sum(1) > 0, "pos", "neg")
    content[~marked] *= 5
    X = np.concatenate([np.where(marked, 1.0, -1.0)[..., None], content], axis=-1)
    layout = BlockLayout.from_shapes({"voice": X.shape[1:]})
    names = [name for block in layout.blocks for name in block.column_names()]
    return pd.DataFrame(X.reshape(n_samples, -1), columns=names, dtype="float32"), y, marked


def opened(clf, X):
    """Return the steps that the trained gates select, (n_samples, n_steps)."""
    inputs = []
    fusion = clf.net_.module_.fusion
    hook = fusion.register_forward_pre_hook(lambda module, args: inputs.append(args))
    clf.predict(X)
    hook.remove()
    with torch.no_grad():
        gates = [fusion.gates(*args)[0].numpy() for args in inputs]
    return np.concatenate(gates)


@pytest.mark.slow
def test_the_gates_select_relevant_steps_and_improve_accuracy():
    X_test, y_test, marked = marked_steps(1000, seed=100)
    with_gates, without, found, let_in = [], [], [], []
    for seed in range(3):
        X, y, _ = marked_steps(600, seed)
        settings = {"encoders": Steps, "random_state": seed, "device": "cpu"}
        clf = FusionClassifier("reinforced", **settings).fit(X, y)
        with_gates.append(clf.score(X_test, y_test))
        gates = opened(clf, X_test)
        found.append(gates[marked].mean())
        let_in.append(gates[~marked].mean())
        plain = FusionClassifier("reinforced", fusion_params={"gated": False}, **settings)
        without.append(plain.fit(X, y).score(X_test, y_test))
    assert min(found) >= 0.9
    assert np.mean(let_in) < 0.5
    assert np.mean(with_gates) > 0.95
    assert np.mean(with_gates) > np.mean(without) + 0.02
