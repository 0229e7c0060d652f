"""Predictions of long clips by window."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

from sklearn_mmsent import (
    ColorTexture,
    FillBlocks,
    FusionClassifier,
    LogMel,
    TfidfEmbedder,
    VideoFrames,
    make_extractor,
    make_pipeline,
    predict_timeline,
)
from sklearn_mmsent.exceptions import CellError

RATE = 8000


def noise(seconds, level, seed=0):
    return level * np.random.default_rng(seed).normal(size=int(seconds * RATE))


@pytest.fixture(name="loudness", scope="module")
def _loudness():
    """Return a pipeline that predicts the loudness of a sound."""
    levels = np.random.default_rng(0).uniform(0.05, 0.9, 60)
    sounds = [(noise(0.5, level, seed), RATE) for seed, level in enumerate(levels)]
    X = pd.DataFrame({"sound": pd.Series(sounds, dtype=object)})
    extract = make_extractor(audio=("sound", LogMel(sample_rate=RATE, n_mels=16)))
    return make_pipeline(extract, LinearRegression()).fit(X, 10 * np.log10(levels))


@pytest.fixture(name="talk", scope="module")
def _talk():
    """Return a pipeline of words and sound, in which only the words depend on the class."""
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    X = pd.DataFrame(
        {
            "said": [["awful boring", "lovely fun"][label] for label in y],
            "sound": pd.Series([(rng.normal(size=2000), RATE) for _ in y], dtype=object),
        }
    )
    extract = make_extractor(
        text=("said", TfidfEmbedder(n_components=2)),
        audio=("sound", LogMel(sample_rate=RATE, n_mels=4)),
    )
    mood = np.where(y == 1, "positive", "negative")
    model = FusionClassifier(modality_dropout=0.3, max_epochs=30, random_state=0)
    return make_pipeline(extract, model).fit(X, mood)


# -- timelines -------------------------------------------------------------------------------------


def test_a_window_is_predicted_as_a_clip(loudness):
    sound = np.concatenate([noise(1.1, 0.2), noise(1.3, 0.7, 1)])
    timeline = predict_timeline(loudness, (sound, RATE), 0.5, 0.2, batch_size=3)
    assert timeline.table["start"].to_numpy() == pytest.approx(0.2 * np.arange(10))
    for i in (0, 4, 9):
        start = round(0.2 * i * RATE)
        cell = {"sound": (sound[start : start + 4000], RATE)}
        assert timeline.table.loc[i, "intensity"] == pytest.approx(loudness.predict(cell)[0])
    assert timeline.seconds == pytest.approx(2.4)


def test_changes_peaks_and_slope(loudness):
    levels = [0.1, 0.1, 0.8, 0.8, 0.8, 0.3, 0.3, 0.3]
    sound = np.concatenate([noise(2, level, seed) for seed, level in enumerate(levels)])
    timeline = predict_timeline(loudness, (sound, RATE), 0.5, 0.25)
    turns = timeline.turning_points
    assert turns["time"].tolist() == pytest.approx([4.0, 10.0], abs=0.5)
    assert turns["before"].tolist()[1:] == turns["after"].tolist()[:1]
    assert turns["after"][0] == pytest.approx(10 * np.log10(0.8), abs=1)

    rising = predict_timeline(
        loudness, (noise(6, 1) * np.logspace(-1.2, -0.1, 6 * RATE), RATE), 0.5, 0.25
    )
    assert rising.summary.loc["intensity", "slope"] == pytest.approx(11 / 6, rel=0.2)

    quiet = noise(8, 0.1)
    quiet[2 * RATE : 3 * RATE] *= 8
    quiet[6 * RATE : 7 * RATE] *= 6
    peaks = predict_timeline(loudness, (quiet, RATE), 0.5, 0.25).peaks
    assert peaks["time"].tolist() == pytest.approx([2.5, 6.5], abs=0.5)
    assert peaks["value"][0] > peaks["value"][1]


def test_summary_describes_the_table(loudness):
    timeline = predict_timeline(loudness, (noise(3, 0.3), RATE), 0.5, 0.5)
    row, values = timeline.summary.loc["intensity"], timeline.table["intensity"]
    assert row["mean"] == pytest.approx(values.mean())
    assert row["spread"] == pytest.approx(values.std(ddof=0))
    assert (row["lowest"], row["highest"]) == (values.min(), values.max())


def test_words_are_predicted_by_their_times(talk):
    good = [(word, t, t + 0.3) for t in np.arange(0, 5, 0.5) for word in ("lovely", "fun")]
    bad = [(word, t, t + 0.3) for t in np.arange(5, 10, 0.5) for word in ("awful", "boring")]
    timeline = predict_timeline(talk, {}, 1.0, 0.5, words=good + bad)
    assert timeline.curves == ["negative", "positive"]
    assert (timeline.table["prediction"][:8] == "positive").all()
    assert (timeline.table["prediction"][11:] == "negative").all()
    assert timeline.turning_points["time"].tolist() == pytest.approx([5.0], abs=1.0)
    assert timeline.turning_points.loc[0, ["before", "after"]].tolist() == ["positive", "negative"]
    as_table = pd.DataFrame(good + bad, columns=["word", "start", "end"])
    again = predict_timeline(talk, {"said": as_table}, 1.0, 0.5).table
    pd.testing.assert_frame_equal(again, timeline.table)


def test_modalities_of_unequal_length_and_text_without_times(talk):
    sound = (noise(2.25, 1.0), RATE)
    timeline = predict_timeline(
        talk, sound, 0.5, 0.5, words=[("lovely", 0.1, 0.3), ("fun", 4.0, 4.8)]
    )
    assert len(timeline.table) == 9  # 4.8 s: nine whole windows
    rest = talk.predict_proba({"sound": (sound[0][4 * 4000 :], RATE)})[0, 1]
    assert timeline.table.loc[4, "positive"] == pytest.approx(rest)
    silent = timeline.table.loc[5:7]
    assert silent[["positive", "negative", "prediction"]].isna().all(axis=None)
    assert timeline.summary.notna().all(axis=None)
    always = predict_timeline(talk, {"said": "lovely fun", "sound": sound}, 0.5, 0.5).table
    assert (always["prediction"] == "positive").all()


def test_a_clip_shorter_than_a_window_is_one_window(loudness, talk):
    sound = noise(0.3, 0.2)
    timeline = predict_timeline(loudness, (sound, RATE), 5.0, 1.0)
    assert timeline.table[["start", "stop"]].to_numpy().tolist() == [[0.0, 0.3]]
    assert timeline.table["intensity"][0] == loudness.predict({"sound": (sound, RATE)})[0]
    assert np.isnan(timeline.summary.loc["intensity", "slope"])
    assert not len(timeline.peaks)
    assert not len(timeline.turning_points)
    assert len(predict_timeline(talk, {}, 9.0, 1.0, words=[("fun", 0.0, 0.5)]).table) == 1


def test_silence_is_predicted_too(loudness):
    timeline = predict_timeline(loudness, (np.zeros(4 * RATE), RATE), 0.5, 0.5)
    assert timeline.table["intensity"].std() < 1e-6
    assert not len(timeline.turning_points)


def test_arrays_and_files_of_sound(loudness, tmp_path):
    import soundfile

    sound = noise(2, 0.3).astype(np.float32)
    soundfile.write(tmp_path / "clip.wav", sound, RATE, subtype="FLOAT")
    by_pair = predict_timeline(loudness, (sound, RATE), 0.5, 0.5).table
    for clip in (sound, tmp_path / "clip.wav", (tmp_path / "clip.wav").read_bytes()):
        pd.testing.assert_frame_equal(predict_timeline(loudness, clip, 0.5, 0.5).table, by_pair)


# -- video -----------------------------------------------------------------------------------------


@pytest.fixture(name="brightness", scope="module")
def _brightness():
    """Return a pipeline that predicts the brightness of a video."""
    levels = np.linspace(0.1, 0.9, 12)
    clips = [level * np.ones((4, 16, 16, 3)) for level in levels]
    frames = VideoFrames(ColorTexture(size=(16, 16)), frames_per_second=4)
    X = pd.DataFrame({"clip": pd.Series(clips, dtype=object)})
    extract = make_extractor(face=("clip", frames))
    return make_pipeline(extract, FillBlocks(), LinearRegression()).fit(X, levels)


def test_frames_in_memory(brightness):
    frames = np.repeat([0.2, 0.8], 20)[:, None, None, None] * np.ones((40, 16, 16, 3))
    timeline = predict_timeline(brightness, (frames, 4.0), 1.0, 0.5)
    assert timeline.seconds == 10
    assert timeline.turning_points["time"].tolist() == pytest.approx([5.0], abs=0.5)


def test_a_file_gives_the_frames_of_an_array(brightness, tmp_path):
    av = pytest.importorskip("av")
    path = tmp_path / "clip.mp4"
    frames = (255 * np.repeat([0.2, 0.8, 0.4], 16)).astype(np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=8)
        stream.width = stream.height = 32
        for level in frames:
            picture = np.full((32, 32, 3), level, dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    found = predict_timeline(brightness, path, 1.0, 0.5)
    assert found.seconds == pytest.approx(6.0)
    array = frames[::2, None, None, None] / 255 * np.ones((24, 32, 32, 3))
    expected = predict_timeline(brightness, (array, 4.0), 1.0, 0.5).table
    np.testing.assert_allclose(found.table, expected, atol=0.05)
    gaps = predict_timeline(brightness, path, 0.5, 1.25).table  # some frames are in no window
    assert gaps["intensity"].tolist() == pytest.approx([0.2, 0.2, 0.8, 0.6, 0.4], abs=0.1)


# -- bad input -------------------------------------------------------------------------------------


def test_invalid_clips_and_predictors_raise(loudness, talk):
    sound = (noise(2, 0.3), RATE)
    with pytest.raises(TypeError, match=r"needs a fitted pipeline that reads.*got LinearReg"):
        predict_timeline(LinearRegression().fit([[0], [1]], [0, 1]), sound, 1, 1)
    with pytest.raises(CellError, match="all modalities of the clip are missing"):
        predict_timeline(talk, {"said": None}, 1, 1)
    with pytest.raises(CellError, match="the clip has no duration"):
        predict_timeline(talk, {"said": "lovely"}, 1, 1)
    with pytest.raises(CellError, match=r"unknown column 'face'.*reads 'said', 'sound'"):
        predict_timeline(talk, {"face": sound}, 1, 1)
    with pytest.raises(CellError, match="word 1 is 'fun'"):
        predict_timeline(talk, {}, 1, 1, words=[("good", 0, 1), "fun"])
    with pytest.raises(CellError, match=r"word 0, 'good', starts at 2\.0 s and ends at 1\.0"):
        predict_timeline(talk, {}, 1, 1, words=[("good", 2, 1)])
    with pytest.raises(CellError, match="'end' is not among"):
        predict_timeline(talk, {}, 1, 1, words=pd.DataFrame({"word": ["a"], "start": [0]}))
    with pytest.raises(CellError, match="needs exactly one text column, and the pipeline has 0"):
        predict_timeline(loudness, sound, 1, 1, words=[("good", 0, 1)])
    with pytest.raises(CellError, match="all modalities are missing in each of the 1 windows"):
        predict_timeline(talk, {}, 1, 3, words=[("good", 1.2, 1.9)])
    with pytest.raises(CellError, match="more than max_seconds=1"):
        predict_timeline(loudness, sound, 1, 1, max_seconds=1)
    with pytest.raises(ValueError, match="'hop' parameter"):
        predict_timeline(loudness, sound, 1, 0)


def test_a_column_read_as_two_modalities_raises_an_error():
    extract = make_extractor(
        face=("clip", VideoFrames(ColorTexture(size=(16, 16)))),
        voice=("clip", LogMel(sample_rate=RATE, on_error="missing")),
    )
    X = pd.DataFrame({"clip": pd.Series([np.ones((2, 16, 16, 3))] * 4, dtype=object)})
    pipe = make_pipeline(extract, FillBlocks(), LogisticRegression())
    with pytest.warns(UserWarning, match="could not be used"):
        pipe.fit(X, [0, 1, 0, 1])
    with pytest.raises(CellError, match="'clip' is read as audio and as video"):
        predict_timeline(pipe, X["clip"][0], 1, 1)
