"""AudioAugmenter."""

import numpy as np
import pandas as pd
import pytest

from sklearn_mmsent import MFCC, LogMel
from sklearn_mmsent.sampling import AudioAugmenter
from sklearn_mmsent.sampling.augmentation._audio import _power

RATE = 8000
TIME = np.arange(RATE) / RATE
CLIP = (0.3 * np.sin(2 * np.pi * 440 * TIME) * np.exp(-2 * TIME)).astype(np.float32)
OFF = {"stretch": 0, "pitch": 0, "reverb": 0, "shift": 0, "noise": None, "gain": 0}


def changed(samples=CLIP, n=8, **options):
    options = {"sample_rate": RATE, "p": 1.0, "random_state": 0, **options}
    cells = np.empty(1, dtype=object)
    cells[0] = samples
    X = pd.DataFrame({"audio": cells})
    X_new, _ = AudioAugmenter(factor=n, **options).fit_resample(X, [0.5])
    made = X_new["audio"].tolist()[1:]
    assert all(rate == options["sample_rate"] and new.dtype == np.float32 for new, rate in made)
    return [new for new, _ in made]


def peak(samples):
    """Dominant frequency in Hz."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return spectrum.argmax() * RATE / len(samples)


def test_disabled_transformations_are_identity():
    assert all(np.array_equal(new, CLIP) for new in changed(**OFF))


@pytest.mark.parametrize("ratio", [-5.0, 0.0, 20.0])
def test_signal_to_noise_ratio_is_exact(ratio):
    for new in changed(**{**OFF, "noise": (ratio, ratio)}):
        noise = new.astype(float) - CLIP
        assert 10 * np.log10(_power(CLIP) / _power(noise)) == pytest.approx(ratio, abs=1e-3)
        assert abs(np.corrcoef(noise[1:], noise[:-1])[0, 1]) < 0.05  # white


def test_signal_to_noise_ratio_range():
    ratios = [
        10 * np.log10(_power(CLIP) / _power(new.astype(float) - CLIP))
        for new in changed(n=40, **{**OFF, "noise": (10.0, 30.0)})
    ]
    assert 10 <= min(ratios) < 14
    assert 26 < max(ratios) <= 30.01


def test_gain_differs_by_copy_and_stays_within_range():
    gains = [
        20 * np.log10(np.abs(new).max() / np.abs(CLIP).max()) for new in changed(**_on(gain=6))
    ]
    assert max(np.abs(gains)) <= 6.001
    assert len(np.unique(np.round(gains, 6))) == 8


def test_shift_is_circular():
    for new in changed(**_on(shift=0.25)):
        moved = int(new.argmax() - CLIP.argmax())
        assert np.array_equal(np.roll(CLIP, moved), new)
        assert abs(moved) <= RATE / 4 or abs(abs(moved) - RATE) <= RATE / 4


def test_stretch_keeps_pitch():
    lengths = set()
    for new in changed(**_on(stretch=0.2)):
        assert RATE / 1.2 - 1 <= len(new) <= RATE / 0.8 + 1
        assert peak(new) == pytest.approx(440, rel=0.02)
        lengths.add(len(new))
    assert len(lengths) == 8


def test_pitch_shift_keeps_length():
    peaks = [peak(new) for new in changed(**_on(pitch=2)) if len(new) == RATE]
    assert len(peaks) == 8
    assert max(np.abs(12 * np.log2(np.array(peaks) / 440))) < 2.2
    assert np.std(peaks) > 5


def test_reverberation_decays_and_keeps_level():
    click = np.zeros(RATE, dtype=np.float32)
    click[100] = 1
    for new in changed(click, **_on(reverb=0.4)):
        assert _power(new) == pytest.approx(_power(click), rel=1e-4)
        assert np.abs(new[:99]).max() < 1e-6
        assert _power(new[300:1500]) > 0
        assert _power(new[101 + int(0.4 * RATE) :]) < 1e-9
        assert new.argmax() == 100


def test_every_new_clip_differs():
    assert not any(len(n) == RATE and np.array_equal(n, CLIP) for n in changed(n=20, p=0.0))


@pytest.mark.parametrize("length", [1, 10, 63, 64, 300, 2047])
def test_short_clips(length):
    for new in changed(CLIP[100 : 100 + length]):
        assert len(new)
        assert np.isfinite(new).all()


def test_silence_stays_silent():
    assert not any(np.abs(new).max() for new in changed(np.zeros(RATE, dtype=np.float32)))


def test_extractors_accept_the_result():
    X_new, _ = AudioAugmenter(factor=2, random_state=0).fit_resample(
        pd.DataFrame({"audio": [(CLIP, RATE)] * 2}), [0, 1]
    )
    for extractor in (MFCC(), LogMel()):
        assert np.isfinite(extractor.fit_transform(X_new["audio"])).all()


@pytest.mark.parametrize("noise", [(30.0, 10.0), (1.0,), ("a", "b")])
def test_invalid_noise(noise):
    with pytest.raises(ValueError, match="lowest and the highest ratio"):
        changed(noise=noise)


def _on(**options):
    return {**OFF, **options}
