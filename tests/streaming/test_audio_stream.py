import numpy as np
import pytest
from scipy.signal import resample_poly

from sklearn_mmsent.exceptions import CellError
from sklearn_mmsent.streaming._audio_stream import AudioStream

RATE = 8000


def pushed(stream, data, time=None):
    stream.push(stream.read(data), time)


@pytest.mark.parametrize("chunk", [1, 333, 20_000])
def test_audio_is_found_by_its_position(noise, chunk):
    samples, stream = noise(2), AudioStream(RATE)
    for start in range(0, len(samples), chunk):
        pushed(stream, samples[start : start + chunk])
    assert stream.n_samples == len(samples)
    assert (stream.cut(1234, 9876) == samples[1234:9876]).all()
    assert (stream.cut(15_000, 99_000) == samples[15_000:]).all()
    assert stream.cut(16_000, 17_000) is None
    assert len(stream._pieces) < 60
    stream.forget_before(1.5)
    assert len(stream) <= 5000
    assert (stream.cut(12_000, 13_000) == samples[12_000:13_000]).all()


def test_the_caller_may_reuse_its_memory():
    stream, memory = AudioStream(RATE), np.ones(100, dtype=np.float32)
    pushed(stream, memory)
    memory[:] = 7
    assert (stream.cut(0, 100) == 1).all()


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (np.full(4, 16384, np.int16), 0.5),
        (np.full((4, 2), [0.5, 0.1], np.float64), 0.3),
        (np.full(4, 192, np.uint8), 0.5),
        ((np.full(4, -(2**30), np.int32), RATE), -0.5),
    ],
)
def test_sample_formats_and_channels(data, expected):
    stream = AudioStream(RATE)
    pushed(stream, data)
    np.testing.assert_allclose(stream.cut(0, 4), expected, atol=1e-6)


def test_rate_and_channels_may_change_in_the_middle(noise, cut_at_random):
    slow, fast = noise(0.5), noise(0.5, 1, rate=2 * RATE)
    stream = AudioStream(RATE)
    pushed(stream, slow)
    for chunk in cut_at_random(fast, 700):
        pushed(stream, (np.stack([chunk, chunk], axis=1), 2 * RATE))
    pushed(stream, slow)
    assert abs(stream.n_samples - 1.5 * RATE) <= 1
    expected = np.concatenate([slow, resample_poly(fast, 1, 2), slow])
    np.testing.assert_allclose(stream.cut(0, len(expected)), expected, atol=1e-6)


def test_gaps_become_silence_and_jitter_does_not():
    stream = AudioStream(RATE)
    pushed(stream, np.ones(800, np.float32), 0.0)
    pushed(stream, np.ones(800, np.float32), 0.13)  # 30 ms of jitter
    assert stream.n_samples == 1600
    pushed(stream, np.ones(800, np.float32), 0.5)
    assert stream.n_samples == 4800
    found = stream.cut(0, 9999)
    np.testing.assert_array_equal(found, np.repeat([1, 0, 1], [1600, 2400, 800]))
    assert stream.cut(2000, 3000) is None
    # a day without audio takes no memory
    pushed(stream, np.ones(800, np.float32), 86_400.0)
    assert len(stream) == 3200
    assert stream.first_after(0.7) == 86_400.0


def test_overlapping_samples_are_lost():
    stream = AudioStream(RATE)
    pushed(stream, np.ones(8000, np.float32), 0.0)
    pushed(stream, np.full(1600, 2, np.float32), 0.9)
    assert (stream.cut(0, 9999)[7990:8010] == [1] * 10 + [2] * 10).all()
    assert stream.lost == pytest.approx(0.1)
    pushed(stream, np.full(1600, 2, np.float32), 0.2)
    assert stream.lost == pytest.approx(0.3)
    assert stream.n_samples == 8800


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (np.array([0.1, np.nan]), "1 of 2 samples are NaN"),
        (np.array([0.1, np.inf]), "NaN or infinite"),
        (np.zeros((2, 3, 4)), "array of shape"),
        (np.array([]), "no samples"),
        ([0.1, 0.2], "expected a path"),
        ((np.zeros(3), 0.5), "second part"),
        ((np.zeros(3), 7), "sample rate of 7 Hz"),
        (np.array(["a"]), "dtype"),
    ],
)
def test_unusable_chunks_leave_the_stream_unchanged(data, message):
    stream = AudioStream(RATE)
    pushed(stream, np.ones(10, np.float32))
    with pytest.raises(CellError, match=message):
        stream.read(data)
    assert stream.n_samples == 10
