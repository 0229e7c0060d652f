import numpy as np
import pytest
from scipy.signal import resample_poly

from sklearn_mmsent.streaming._resampler import Resampler


@pytest.mark.parametrize("rates", [(44100, 8000), (8000, 16000), (11025, 8000), (8000, 8000)])
@pytest.mark.parametrize("largest", [2, 50, 5000])
def test_chunks_are_resampled_like_the_whole(noise, cut_at_random, rates, largest):
    rate, target = rates
    samples = noise(0.05 if largest == 2 else 0.7, rate=rate)
    resampler = Resampler(rate, target)
    made = [resampler.push(chunk) for chunk in cut_at_random(samples, largest)]
    made = np.concatenate([*made, resampler.finish()])
    np.testing.assert_allclose(made, resample_poly(samples, target, rate), atol=1e-6)


def test_resampling_holds_little_back(noise, cut_at_random):
    resampler = Resampler(44100, 16000)
    n_out = sum(len(resampler.push(chunk)) for chunk in cut_at_random(noise(2, rate=44100), 999))
    assert 2 * 16000 - n_out < 16  # a millisecond
    assert len(resampler._kept) < 1000
