"""AcousticFunctionals recovers the parameters of synthetic voices."""

import os
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import lfilter

from sklearn_mmsent.feature_extraction.audio.egemaps.acoustic import AcousticFunctionals

RATE = 16_000
# narrow resonances ring into the next period, which masks differences between periods
DULL = tuple((frequency, 400) for frequency in (700, 1220, 2600, 3500, 4500))
FORMANTS = ((700, 80), (1220, 90), (2600, 120), (3500, 150), (4500, 200))


def voice(
    f0=120.0, *, seconds=1.0, jitter=0.0, shimmer_db=0.0, noise_db=-50.0, formants=FORMANTS, seed=0
):
    """Pulses of known times and heights, filtered by known resonances, plus noise.

    `jitter` is the expected relative difference of consecutive periods, `shimmer_db` that of their
    heights; `f0` may be a function of time.
    """
    rng = np.random.default_rng(seed)
    n = int(seconds * RATE)
    pulses, time, sign = np.zeros(n + 2), 0.01, 1
    while time < seconds - 0.01:
        place = int(time * RATE)
        share = time * RATE - place
        height = 10 ** (sign * shimmer_db / 40)
        pulses[place] += height * (1 - share)
        pulses[place + 1] += height * share
        pitch = f0(time) if callable(f0) else f0
        time += (1 + sign * jitter / 2) / pitch
        sign = -sign
    sound = lfilter([1], [1, -0.95], pulses[:n])
    for frequency, bandwidth in formants:
        radius = np.exp(-np.pi * bandwidth / RATE)
        cosine = np.cos(2 * np.pi * frequency / RATE)
        sound = lfilter([1], [1, -2 * radius * cosine, radius**2], sound)
    sound *= 0.1 / sound.std()
    return sound + rng.normal(size=n) * 0.1 * 10 ** (noise_db / 20)


def features(*clips, **options):
    extractor = AcousticFunctionals(**options).set_output(transform="pandas")
    return extractor.fit_transform(list(clips))


def semitone(hz):
    return 12 * np.log2(hz / 27.5)


# -- features equal the synthesis parameters ------------------------------------------------------


@pytest.mark.parametrize("f0", [70.0, 120.0, 233.0, 410.0, 800.0])
def test_pitch(f0):
    found = features(voice(f0)).iloc[0]
    for kind in ("amean", "percentile20.0", "percentile50.0", "percentile80.0"):
        assert found[f"F0semitoneFrom27.5Hz_sma3nz_{kind}"] == pytest.approx(semitone(f0), abs=0.15)
    assert found["F0semitoneFrom27.5Hz_sma3nz_stddevNorm"] < 0.01


@pytest.mark.parametrize(("octaves", "rising", "falling"), [(1, 12, 0), (-1, 0, 12)])
def test_gliding_pitch(octaves, rising, falling):
    found = features(voice(lambda time: 200 * 2 ** (octaves * (time - 0.5)))).iloc[0]
    pre = "F0semitoneFrom27.5Hz_sma3nz_"
    assert found[pre + "amean"] == pytest.approx(semitone(200), abs=0.3)
    assert found[pre + "pctlrange0-2"] == pytest.approx(7.2, abs=0.5)
    assert found[pre + "meanRisingSlope"] == pytest.approx(rising, abs=1)
    assert found[pre + "meanFallingSlope"] == pytest.approx(falling, abs=1)


def test_segments_follow_gliding_pitch():
    glide = voice(lambda time: 200 * 2 ** (time - 0.5))
    found = features(glide, n_segments=4)
    plain = features(glide)
    assert list(found)[: plain.shape[1]] == list(plain)
    np.testing.assert_array_equal(found[plain.columns], plain)
    assert found.shape[1] == plain.shape[1] + 4 * 6 + 1
    pitch = found[[f"F0semitoneFrom27.5Hz_sma3nz_segment{k:03}_amean" for k in range(4)]].iloc[0]
    np.testing.assert_allclose(np.diff(pitch), 3, atol=0.5)  # an octave a second
    spread = found[[f"F0semitoneFrom27.5Hz_sma3nz_segment{k:03}_stddev" for k in range(4)]].iloc[0]
    np.testing.assert_allclose(spread, 3 / np.sqrt(12), atol=0.3)
    assert found["logDurationSec"].iloc[0] == pytest.approx(0, abs=1e-6)


def test_segments_differ_in_loudness_and_harmonicity():
    loud, quiet = voice(150.0), 0.1 * voice(150.0, noise_db=-5)
    found = features(np.concatenate([loud, quiet]), n_segments=2).iloc[0]
    for name in ("logLoudness_sma3", "HNRdBACF"):
        assert found[f"{name}_segment000_amean"] > found[f"{name}_segment001_amean"] + 0.5
    assert found["logDurationSec"] == pytest.approx(np.log(2), abs=1e-6)


def test_segments_of_silence_and_of_clips_with_fewer_frames():
    silence, short = np.zeros(RATE), voice(150.0)[: RATE // 10]
    found = features(silence, short, n_segments=30)
    pitch = found.filter(like="F0semitoneFrom27.5Hz_sma3nz_segment")
    assert pitch.iloc[0].isna().all()
    assert np.isfinite(found.filter(like="_segment").iloc[1]).all()
    assert np.isfinite(found.filter(like="logLoudness").iloc[0]).all()


@pytest.mark.parametrize("jitter", [0.01, 0.02, 0.04])
@pytest.mark.parametrize("f0", [110.0, 180.0])
def test_jitter(jitter, f0):
    found = features(voice(f0, jitter=jitter, formants=DULL)).iloc[0]
    assert found["jitterLocal_sma3nz_amean"] == pytest.approx(jitter, rel=0.05)


@pytest.mark.parametrize("shimmer_db", [0.3, 0.6, 1.2])
def test_shimmer(shimmer_db):
    found = features(voice(110.0, shimmer_db=shimmer_db, formants=DULL)).iloc[0]
    assert found["shimmerLocaldB_sma3nz_amean"] == pytest.approx(shimmer_db, rel=0.1)


def test_steady_voice_has_no_jitter_and_shimmer():
    found = features(voice(150.0)).iloc[0]
    assert found["jitterLocal_sma3nz_amean"] < 0.003
    assert found["shimmerLocaldB_sma3nz_amean"] < 0.15


def test_harmonics_to_noise():
    found = features(*(voice(150.0, noise_db=level) for level in (-15, -10, -5)))
    measured = found["HNRdBACF_sma3nz_amean"].to_numpy()
    assert (np.diff(measured) < -1.5).all()
    # the window reduces the correlation of even a perfectly periodic wave
    assert 6 < measured[1] < 10


@pytest.mark.parametrize(
    "formants",
    [
        FORMANTS,
        ((300, 60), (2300, 100), (3000, 150), (3700, 150), (4600, 200)),
        ((500, 70), (1500, 90), (2500, 120), (3500, 150), (4500, 200)),
    ],
)
def test_formants(formants):
    found = features(voice(100.0, formants=formants)).iloc[0]
    for i, (frequency, bandwidth) in enumerate(formants[:3], start=1):
        assert found[f"F{i}frequency_sma3nz_amean"] == pytest.approx(frequency, rel=0.08)
        assert 0.2 * bandwidth < found[f"F{i}bandwidth_sma3nz_amean"] < 4 * bandwidth


def test_harmonic_levels_and_spectral_tilt():
    flat, tilted = voice(150.0), lfilter([1], [1, -0.97], voice(150.0))
    found = features(flat, tilted)
    assert found["F1amplitudeLogRelF0_sma3nz_amean"][0] > 5
    for name, sign in (
        ("alphaRatioV_sma3nz_amean", -1),
        ("hammarbergIndexV_sma3nz_amean", 1),
        ("slopeV500-1500_sma3nz_amean", -1),
        ("logRelF0-H1-H2_sma3nz_amean", 1),
        ("logRelF0-H1-A3_sma3nz_amean", 1),
        ("mfcc1_sma3_amean", 1),
    ):
        assert sign * (found[name][1] - found[name][0]) > 0, name


def test_slopes_of_noise_are_zero():
    found = features(np.random.default_rng(0).normal(size=2 * RATE) * 0.1).iloc[0]
    assert abs(found["slopeUV500-1500_sma3nz_amean"]) < 0.001
    assert abs(found["alphaRatioUV_sma3nz_amean"] - 10 * np.log10(4)) < 0.5
    assert found["equivalentSoundLevel_dBp"] == pytest.approx(-20, abs=0.2)
    assert found["VoicedSegmentsPerSec"] < 1


def test_rhythm_of_syllables():
    syllable, gap = voice(150.0, seconds=0.3), np.zeros(int(0.2 * RATE))
    noise = np.random.default_rng(0).normal(size=5 * int(0.5 * RATE)) * 1e-4
    found = features(np.concatenate([syllable, gap] * 5) + noise).iloc[0]
    assert found["VoicedSegmentsPerSec"] == pytest.approx(2, abs=0.1)
    assert found["loudnessPeaksPerSec"] == pytest.approx(2, abs=0.5)
    assert found["MeanVoicedSegmentLengthSec"] == pytest.approx(0.3, abs=0.06)
    assert found["StddevVoicedSegmentLengthSec"] < 0.02
    # voiced and unvoiced segments fill the clip
    assert found["MeanUnvoicedSegmentLength"] == pytest.approx(0.2, abs=0.06)


# -- invariances -----------------------------------------------------------------------------------


def test_gain_changes_only_loudness_and_level():
    clip = voice(lambda time: 150 + 40 * np.sin(9 * time), jitter=0.02, noise_db=-25)
    found = features(clip, clip / 8).T
    level = found.index.str.startswith(("loudness_", "equivalent", "spectralFlux"))
    same = level & found.index.str.contains("stddevNorm")
    np.testing.assert_allclose(found[1][~level], found[0][~level], rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(found[1][same], found[0][same], rtol=1e-3)
    drop = found.loc["equivalentSoundLevel_dBp", 0] - found.loc["equivalentSoundLevel_dBp", 1]
    assert drop == pytest.approx(20 * np.log10(8), abs=1e-3)
    assert found.loc["loudness_sma3_amean", 1] < found.loc["loudness_sma3_amean", 0]


def test_batch_composition_does_not_change_features():
    clips = [voice(90 + 30 * i, seconds=0.2 + 0.35 * i, noise_db=-20, seed=i) for i in range(7)]
    batched = features(*clips)
    single = features(*clips, batch_size=1)
    np.testing.assert_array_equal(batched, single)


def test_chunks_of_long_clips_do_not_change_features(monkeypatch):
    from sklearn_mmsent.feature_extraction.audio.egemaps import acoustic

    clip = voice(170.0, seconds=1.5, noise_db=-20)
    whole = features(clip)
    monkeypatch.setattr(acoustic, "_CHUNK_FRAMES", 17)
    np.testing.assert_allclose(features(clip), whole, rtol=1e-3, atol=1e-3)


def test_recording_rate_hardly_changes_features():
    clip = voice(140.0)
    found = features(clip, (np.repeat(clip, 2), 2 * RATE)).T
    for name in ("F0semitoneFrom27.5Hz_sma3nz_amean", "F1frequency_sma3nz_amean"):
        assert found.loc[name, 1] == pytest.approx(found.loc[name, 0], rel=0.02)


@pytest.mark.parametrize("sample_rate", [11_025, 22_050, 44_100])
def test_sample_rates(sample_rate):
    found = features((voice(140.0), RATE), sample_rate=sample_rate).iloc[0]
    assert found["F0semitoneFrom27.5Hz_sma3nz_amean"] == pytest.approx(semitone(140), abs=0.2)
    assert found["F1frequency_sma3nz_amean"] == pytest.approx(700, rel=0.15)


# -- edges -----------------------------------------------------------------------------------------


def test_silence_is_unvoiced():
    found = features(np.zeros(RATE)).iloc[0]
    nan = found.index[found.isna()]
    assert all("nz_" in name for name in nan)
    assert "F0semitoneFrom27.5Hz_sma3nz_amean" in nan
    assert found["equivalentSoundLevel_dBp"] == pytest.approx(-120)
    assert found[["VoicedSegmentsPerSec", "MeanVoicedSegmentLengthSec"]].tolist() == [0, 0]
    assert found["MeanUnvoicedSegmentLength"] == pytest.approx(1, abs=0.06)


@pytest.mark.parametrize("n_samples", [1, 2, 159, 800, 959, 960, 961, 1119, 1120])
def test_very_short_clips(n_samples):
    found = features(voice(200.0)[2000 : 2000 + n_samples]).iloc[0]
    assert np.isfinite(found["loudness_sma3_amean"])
    assert not np.isinf(found).any()


def test_degenerate_signals():
    rng = np.random.default_rng(0)
    clips = [
        np.ones(RATE),
        np.sin(2 * np.pi * 100 * np.arange(RATE) / RATE),
        np.sign(np.sin(2 * np.pi * 55 * np.arange(RATE) / RATE)),
        1e-9 * rng.normal(size=RATE),
        1e6 * rng.normal(size=RATE),
        np.eye(1, RATE, 5000)[0],
        np.r_[np.zeros(RATE), voice(120.0, seconds=0.3), np.zeros(RATE)],
    ]
    found = features(*clips)
    assert not np.isinf(found).any(axis=None)
    assert np.isfinite(found["loudness_sma3_amean"]).all()
    pitch = found["F0semitoneFrom27.5Hz_sma3nz_amean"]
    assert pitch[6] == pytest.approx(semitone(120), abs=0.3)


def test_names_equal_egemaps():
    names = AcousticFunctionals().fit([]).get_feature_names_out().tolist()
    assert len(names) == len(set(names)) == 88
    assert not any("@" in name or "__" in name for name in names)
    assert names[0] == "F0semitoneFrom27.5Hz_sma3nz_amean"
    assert names[10] == "loudness_sma3_amean"
    assert names[20:22] == ["spectralFlux_sma3_amean", "spectralFlux_sma3_stddevNorm"]
    assert names[-1] == "equivalentSoundLevel_dBp"
    assert {"slopeV0-500_sma3nz_amean", "slopeUV500-1500_sma3nz_amean"} < set(names)


@pytest.mark.parametrize("options", [{"f0_max": 100.0}, {"f0_max": 3000.0}])
def test_invalid_pitch_range(options):
    with pytest.raises(ValueError, match="needs 2 \\* f0_min <= f0_max <= sample_rate / 8"):
        AcousticFunctionals(**options).fit([])


@pytest.mark.slow
def test_real_speech():
    if "MMSENT_DATA" not in os.environ:
        pytest.skip("set MMSENT_DATA to the folder of the real data")
    files = sorted(Path(os.environ["MMSENT_DATA"]).glob("ravdess/subset/*/*.flac"))[::12]
    if not files:
        pytest.skip("the folder MMSENT_DATA has no ravdess/subset")
    found = features(*files)
    assert found.notna().mean(axis=None) > 0.99
    assert not np.isinf(found).any(axis=None)
    assert found["F0semitoneFrom27.5Hz_sma3nz_amean"].between(semitone(80), semitone(700)).all()
