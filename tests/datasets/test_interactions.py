"""make_interactions."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score

from sklearn_mmsent.blocks import BlockLayout
from sklearn_mmsent.datasets import make_interactions


@pytest.mark.parametrize(("kind", "n_signs"), [("product", 2), ("parity", 3)])
def test_class_is_the_product_of_signs(kind, n_signs):
    data = make_interactions(kind, 200, noise=0, random_state=0)
    signs = data.X.filter(like="sign")
    assert signs.shape == (200, n_signs)
    assert (data.y == np.where(signs.prod(axis=1) > 0, "same", "other")).all()


def test_class_is_the_order_of_marks():
    data = make_interactions("order", 200, noise=0, random_state=0)
    layout = BlockLayout.from_names(data.X.columns)
    assert {b.name: b.shape for b in layout.blocks} == {"text": (8, 3), "audio": (2,)}
    text = layout.read(data.X)[0]
    assert text.steps.sum(1).min() == 3
    assert text.steps.sum(1).max() == 8
    marks = np.nan_to_num(text.values)
    np.testing.assert_array_equal(marks.sum((0, 1)), [200, 200, 0])
    first = marks[:, :, 0].argmax(1) < marks[:, :, 1].argmax(1)
    assert (data.y == np.where(first, "first", "second")).all()


@pytest.mark.parametrize("kind", ["product", "parity", "order"])
def test_linear_model_is_at_chance(kind):
    data = make_interactions(kind, 2000, random_state=0)
    X = data.X.fillna(0)
    if kind == "order":  # without time
        X = pd.DataFrame({f: X.filter(like=f"{f}@").sum(axis=1) for f in ("0", "1", "2")})
    assert cross_val_score(LogisticRegression(), X, data.y, cv=4).mean() < 0.55


def test_random_state_determines_the_rows():
    one, same, other = (make_interactions("order", 20, random_state=s) for s in (0, 0, 1))
    pd.testing.assert_frame_equal(one.X, same.X)
    assert not one.X.equals(other.X)
    assert set(one.X.dtypes.astype(str)) == {"float32"}


def test_invalid_parameters():
    with pytest.raises(ValueError, match="'kind' parameter of make_interactions"):
        make_interactions("sum")
    with pytest.raises(ValueError, match="'n_samples' parameter"):
        make_interactions(n_samples=1)
