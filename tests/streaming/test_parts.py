"""What a stream is made of: resampling, sound, things, and spectra that slide."""

import numpy as np
import pytest
from scipy.signal import resample_poly

from sklearn_mmsent import MFCC, LogMel
from sklearn_mmsent.exceptions import CellError
from sklearn_mmsent.feature_extraction.audio import STFT
from sklearn_mmsent.feature_extraction.audio.sliding_spectra import SlidingSpectra
from sklearn_mmsent.streaming import _event_stream
from sklearn_mmsent.streaming._audio_stream import AudioStream
from sklearn_mmsent.streaming._resampling import Resampler

RATE = 8000


def cut_at_random(samples, largest, seed=0):
    rng, start = np.random.default_rng(seed), 0
    while start < len(samples):
        stop = start + int(rng.integers(1, largest))
        yield samples[start:stop]
        start = stop


# -- resampling ----------------------------------------------------------------------------------


@pytest.mark.parametrize("rates", [(44100, 8000), (8000, 16000), (11025, 8000), (8000, 8000)])
@pytest.mark.parametrize("largest", [2, 50, 5000])
def test_chunks_are_resampled_like_the_whole(noise, rates, largest):
    rate, target = rates
    samples = noise(0.05 if largest == 2 else 0.7, rate=rate)
    resampler = Resampler(rate, target)
    made = [resampler.push(chunk) for chunk in cut_at_random(samples, largest)]
    made = np.concatenate([*made, resampler.finish()])
    np.testing.assert_allclose(made, resample_poly(samples, target, rate), atol=1e-6)


def test_resampling_holds_little_back(noise):
    resampler = Resampler(44100, 16000)
    n_out = sum(len(resampler.push(chunk)) for chunk in cut_at_random(noise(2, rate=44100), 999))
    assert 2 * 16000 - n_out < 16  # a millisecond
    assert len(resampler._kept) < 1000


# -- sound ---------------------------------------------------------------------------------------


def pushed(stream, data, time=None):
    stream.push(stream.read(data), time)


@pytest.mark.parametrize("chunk", [1, 333, 20_000])
def test_sound_is_found_by_its_place(noise, chunk):
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


def test_rate_and_channels_may_change_in_the_middle(noise):
    slow, fast = noise(0.5), noise(0.5, 1, rate=2 * RATE)
    stream = AudioStream(RATE)
    pushed(stream, slow)
    for chunk in cut_at_random(fast, 700):
        pushed(stream, (np.stack([chunk, chunk], axis=1), 2 * RATE))
    pushed(stream, slow)
    assert abs(stream.n_samples - 1.5 * RATE) <= 1
    expected = np.concatenate([slow, resample_poly(fast, 1, 2), slow])
    np.testing.assert_allclose(stream.cut(0, len(expected)), expected, atol=1e-6)


def test_gaps_are_silence_and_jitter_is_none():
    stream = AudioStream(RATE)
    pushed(stream, np.ones(800, np.float32), 0.0)
    pushed(stream, np.ones(800, np.float32), 0.13)  # 30 ms of jitter
    assert stream.n_samples == 1600
    pushed(stream, np.ones(800, np.float32), 0.5)
    assert stream.n_samples == 4800
    found = stream.cut(0, 9999)
    np.testing.assert_array_equal(found, np.repeat([1, 0, 1], [1600, 2400, 800]))
    assert stream.cut(2000, 3000) is None
    # a day without sound takes no memory
    pushed(stream, np.ones(800, np.float32), 86_400.0)
    assert len(stream) == 3200
    assert stream.first_after(0.7) == 86_400.0


def test_what_overlaps_is_lost():
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
def test_unusable_chunks_change_nothing(data, message):
    stream = AudioStream(RATE)
    pushed(stream, np.ones(10, np.float32))
    with pytest.raises(CellError, match=message):
        stream.read(data)
    assert stream.n_samples == 10


# -- things --------------------------------------------------------------------------------------


def test_words_out_of_order_and_at_the_edges():
    stream = _event_stream.EventStream(_event_stream.words, 1.0, spoken=True)
    stream.push(["second", "first", None, " ", "third"], [1.0, 0.5, 0.7, 0.8, 1.5])
    assert stream.cut(0.0, 1.0) == "first second"  # a word that ends with the window is its own
    assert stream.cut(1.0, 2.0) == "third"
    assert stream.cut(2.0, 3.0) is None
    stream.forget_before(1.0)
    stream.push(["late", "in time"], [0.9, 1.2])
    assert (stream.lost, stream.cut(0.0, 2.0)) == (1, "in time third")


def test_a_word_at_the_very_start_belongs_to_the_first_window():
    stream = _event_stream.EventStream(_event_stream.words, 1.0, spoken=True)
    stream.push(["now", "before"], [0.0, -1.0])
    assert (stream.cut(0.0, 1.0), stream.lost) == ("now", 1)


def test_things_without_end_are_bounded(monkeypatch):
    monkeypatch.setattr(_event_stream, "_MOST", 10)
    stream = _event_stream.EventStream(_event_stream.last, 1.0)
    stream.push(list(range(1, 31)), [0.01 * i for i in range(30)])
    assert (len(stream), stream.lost, stream.cut(0, 1)) == (10, 20, 30)


def test_frames_become_a_clip_with_its_rate():
    stream = _event_stream.EventStream(_event_stream.frames, 2.0)
    stream.push([np.zeros((2, 2, 3)), np.ones((2, 2, 3))], [0.1, 1.1])
    clip, rate = stream.cut(0, 2)
    assert (clip.shape, rate) == ((2, 2, 2, 3), 1.0)


# -- spectra -------------------------------------------------------------------------------------

EXTRACTORS = {
    "mel": LogMel(RATE, n_mels=20, top_db=30),
    "mel, loudest is 0 dB": LogMel(RATE, n_mels=20, ref="max", statistics=["p25", "max"]),
    "mfcc": MFCC(10, sample_rate=RATE, n_mels=20, deltas=2),
    "mfcc steps": MFCC(10, sample_rate=RATE, n_mels=20, pooling=None, max_steps=7, deltas=1),
    "squeezed": LogMel(
        RATE, n_mels=4, pooling=None, max_steps=3, frames_per_step=2, long_clips="squeeze"
    ),
    "stft": STFT(RATE, n_fft=200, hop_length=50, fmin=500),
    "odd": STFT(RATE, n_fft=255, hop_length=70, scale="db"),
    "hop beyond the window": LogMel(RATE, n_mels=5, n_fft=128, hop_length=300),
}


@pytest.mark.parametrize("name", EXTRACTORS)
@pytest.mark.parametrize("hop", [2000, 1999, 160, 9000])
def test_sliding_features_equal_those_of_the_window(noise, name, hop):
    extractor, samples = EXTRACTORS[name], noise(4)
    samples[9000:15000] = 0  # a silence
    extractor.fit([samples])
    sliding = SlidingSpectra(extractor)
    places = range(0, min(len(samples) - RATE, 12 * hop), hop)
    found = np.stack([sliding.features(samples[p : p + RATE], p) for p in places])
    expected = extractor.transform([samples[p : p + RATE] for p in places])
    scale = np.maximum(1, np.abs(np.nan_to_num(expected)))
    np.testing.assert_allclose(found / scale, expected / scale, atol=1e-5)


def test_no_frame_is_computed_twice(noise):
    samples, extractor = noise(10), LogMel(RATE, n_fft=512, hop_length=160).fit([noise(1)])
    sliding = SlidingSpectra(extractor)
    for place in range(0, len(samples) - RATE, 4000):
        sliding.features(samples[place : place + RATE], place)
    n_windows = len(range(0, len(samples) - RATE, 4000))
    inner = (place + RATE - 512) // 160 + 1  # frames of the stream that lie inside a window
    assert sliding.n_computed <= inner + 4 * n_windows  # two at each end see zeros
    assert sum(len(powers) for _, powers in sliding._kept.values()) < 60


@pytest.mark.parametrize("n", [1, 3, 100, 255, 256, 257, 511, 512, 513, 700])
def test_short_windows(noise, n):
    extractor = MFCC(5, sample_rate=RATE, n_mels=10, deltas=1).fit([noise(1)])
    sliding = SlidingSpectra(extractor)
    for place in (0, 160, 320, 100):
        samples = noise(1)[place : place + n]
        np.testing.assert_allclose(
            sliding.features(samples, place),
            extractor.transform([samples])[0],
            atol=1e-3,
            rtol=1e-5,
        )
