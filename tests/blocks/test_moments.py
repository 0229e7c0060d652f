import numpy as np

from sklearn_mmsent.blocks import BlockLayout


def test_statistics_pool_time_and_pixels_and_skip_missing_values():
    layout = BlockLayout.from_shapes({"s": (2, 1), "i": (2, 1, 2), "f": 2})
    nan = np.nan
    X = np.array([[1, 3, 0, 2, 10, 10, 7, 1.0], [5, nan, 4, 6, 10, 10, nan, 3], [nan] * 8])
    seq, image, flat = layout.read(X)
    mean, scale = seq.statistics()
    np.testing.assert_allclose(mean, [3.0])
    np.testing.assert_allclose(scale, [np.std([1, 3, 5])])
    mean, scale = image.statistics()
    assert mean.shape == (2, 1, 1)
    np.testing.assert_allclose(mean.ravel(), [3, 10])
    np.testing.assert_allclose(scale.ravel(), [np.std([0, 2, 4, 6]), 1])  # constant: one
    mean, scale = flat.statistics()
    np.testing.assert_allclose(mean, [7, 2])
    np.testing.assert_allclose(scale, [1, 1])


def test_statistics_are_stable_far_from_zero():
    values = 1e8 + np.random.default_rng(0).normal(size=(5000, 1))
    [block] = BlockLayout.from_shapes({"a": 1}).read(values)
    mean, scale = block.statistics()
    np.testing.assert_allclose(mean, values.mean(0))
    np.testing.assert_allclose(scale, values.std(0))
