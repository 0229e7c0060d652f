"""Functionals of descriptors over time."""

import numpy as np
import pytest

from sklearn_mmsent.feature_extraction.audio.egemaps import functionals


def test_zeros_are_interpolated():
    curve = np.array([0, 2.0, 0, 0, 5.0, 0])
    np.testing.assert_allclose(functionals.interpolate_zeros(curve), [2, 2, 3, 4, 5, 5])
    assert np.isnan(functionals.interpolate_zeros(np.zeros(3))).all()


def test_turning_points():
    values = np.array([0, 1, 2, 1.9, 3, 10, 9.5, 9.9, 2, 4, 0.0])
    assert functionals.turning_points(values).tolist() == [0, 5, 8, 9, 10]
    assert functionals.turning_points(np.ones(4)).tolist() == [0, 3]
    assert functionals.turning_points(np.ones(1)).tolist() == [0]
    assert functionals.turning_points(np.arange(5.0)).tolist() == [0, 4]


def test_turning_points_around_plateaus():
    values = np.array([0, 5, 5, 5, 1, 1, 6.0])
    turns = functionals.turning_points(values)
    assert np.sign(np.diff(values[turns])).tolist() == [1, -1, 1]


def test_single_frames_are_not_segments():
    voiced = np.array([0, 1, 1, 0, 1, 1, 0, 0, 1, 0, 0, 1, 1, 1, 0], dtype=bool)
    rate, mean, _, unvoiced, _ = functionals.segments(voiced, 0.01)
    assert rate == pytest.approx(2 / 0.15)
    assert mean == pytest.approx(0.04)  # of 5 and of 3 frames
    assert unvoiced == pytest.approx((1 + 5 + 1) / 3 / 100)


def test_smoothing_keeps_unvoiced_frames():
    values = np.array([0, 3, 5, 0, 0, 2, 0.0])
    assert functionals.smooth_nonzero(values).tolist() == [0, 4, 4, 0, 0, 2, 0]
    np.testing.assert_allclose(functionals.smooth(np.array([3.0, 0, 3])), [2, 2, 2])
