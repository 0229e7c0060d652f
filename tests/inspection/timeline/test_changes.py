"""Change points in the mean of curves."""

import numpy as np
import pytest

from sklearn_mmsent.inspection.timeline._changes import _pelt, change_points


def test_changes_are_found():
    rng = np.random.default_rng(0)
    steps = np.repeat([0.0, 3.0, -1.0], [40, 30, 50])
    assert change_points((steps + rng.normal(size=120))[:, None]) == pytest.approx([40, 70], abs=2)
    both = np.column_stack([rng.normal(size=120), steps + rng.normal(size=120)])
    assert change_points(both) == pytest.approx([40, 70], abs=2)


@pytest.mark.parametrize("overlap", [1, 4])
def test_noise_has_no_changes(overlap):
    rng = np.random.default_rng(0)
    kernel = np.ones(overlap) / overlap
    n_found = [
        len(change_points(np.convolve(rng.normal(size=200), kernel, "valid")[:, None], overlap))
        for _ in range(40)
    ]
    assert np.mean(n_found) < 0.2


def test_pruned_search_finds_the_optimum():
    rng = np.random.default_rng(1)
    for trial in range(20):
        values = np.repeat(rng.normal(size=4), 5)[:, None] * 2 + 0.5 * rng.normal(size=(20, 1))
        overlap = 1 + trial % 3

        def cost(segment):
            return ((segment - segment.mean(axis=0)) ** 2).sum()

        best = {0: (-3.0, [])}
        for stop in range(overlap, 21):
            options = [
                (best[start][0] + cost(values[first:stop]) + 3.0, [*best[start][1], start])
                for start in best
                for first in [start + overlap if start else 0]
                if stop - first >= overlap
            ]
            best[stop] = min(options)
        assert _pelt(values, 3.0, overlap) == best[20][1][1:]


def test_flat_and_short_curves_have_no_changes():
    assert change_points(np.ones((50, 2))) == []
    assert change_points(np.zeros((0, 1))) == []
    assert change_points(np.array([[0.0], [1.0], [0.0], [1.0]]), overlap=2) == []
    assert change_points(np.repeat([0.0, 1.0], 20)[:, None]) in ([19], [20])
