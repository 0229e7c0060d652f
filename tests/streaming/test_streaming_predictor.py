"""Streams: windows equal the batch, memory is bounded, and bad input is survived."""

import threading
import time
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from sklearn_mmsent import (
    ColorTexture,
    LogMel,
    StreamingPredictor,
    VideoFrames,
    make_extractor,
    make_pipeline,
)
from sklearn_mmsent.exceptions import CellError, StreamFullError
from sklearn_mmsent.feature_extraction.audio import Waveform

RATE = 8000


def chunks(samples, size):
    return [("audio", samples[i : i + size]) for i in range(0, len(samples), size)]


def batch(pipe, samples, starts, seconds=1.0, **others):
    """What the pipeline says of windows that are cut out of the whole."""
    cells = [
        (samples[round(s * RATE) : round(s * RATE) + round(seconds * RATE)], RATE) for s in starts
    ]
    X = pd.DataFrame({"audio": pd.Series(cells, dtype=object), **others})
    return pipe.predict_proba(X)


def values(predictions):
    return np.stack([p.value for p in predictions])


# -- equal to the batch --------------------------------------------------------------------------


@pytest.mark.parametrize(("hop", "size"), [(0.25, 2000), (0.25, 137), (0.3, 9999), (1.7, 1000)])
def test_windows_equal_batch_predictions(hearing, noise, hop, size):
    samples = noise(6.3)
    stream = StreamingPredictor(hearing, hop=hop, method="predict_proba")
    assert stream.sliding_ == ["audio__mel", "audio__mfcc", "audio__stft"]
    found = list(stream.run(chunks(samples, size)))
    starts = [p.start for p in found]
    np.testing.assert_allclose(starts, [i * hop for i in range(len(starts))])
    assert found[-1].start + hop >= 6.3 - 1e-9 or found[-1].end >= 6.3
    np.testing.assert_allclose(values(found), batch(hearing, samples, starts), atol=1e-5)
    assert np.ptp(values(found)[:, 0]) > 0.01  # windows differ
    assert all(p.present == ("audio",) and p.latency >= 0 for p in found)


def test_labels_are_predicted_by_default(hearing, noise):
    samples = noise(3)
    found = list(StreamingPredictor(hearing).run(chunks(samples, 999)))
    starts = [p.start for p in found]
    expected = hearing.classes_[batch(hearing, samples, starts).argmax(axis=1)]
    assert [p.value for p in found] == expected.tolist()


def test_resampled_chunks_equal_the_resampled_whole(hearing, noise):
    from sklearn_mmsent.feature_extraction.audio.io import resample

    fast = noise(4, rate=11025)
    events = [("audio", (fast[i : i + 777], 11025)) for i in range(0, len(fast), 777)]
    found = list(StreamingPredictor(hearing, method="predict_proba").run(events))
    samples = resample(fast, 11025, RATE)
    expected = batch(hearing, samples, [p.start for p in found])
    np.testing.assert_allclose(values(found), expected, atol=1e-5)


def test_three_modalities_are_predicted_together(fused, noise):
    samples, rng = noise(4), np.random.default_rng(0)
    pictures = [(t, rng.random((32, 32, 3))) for t in np.arange(0, 4, 0.4)]
    words = [(0.3, "good"), (0.8, "fun"), (2.6, "bad"), (3.9, "day")]
    events = [("audio", samples[i : i + 800], i / RATE) for i in range(0, len(samples), 800)]
    events += [("image", picture, t) for t, picture in pictures]
    events += [("text", word, t) for t, word in words]
    # order of arrival: sound at its end, other events at their time
    events.sort(key=lambda e: e[2] + 0.1 * (e[0] == "audio"))
    found = list(StreamingPredictor(fused, hop=0.5, method="predict_proba").run(events))
    starts = [p.start for p in found]
    text = [" ".join(w for t, w in words if s < t <= s + 1) or None for s in starts]
    image = [[p for t, p in pictures if s <= t < s + 1][-1] for s in starts]
    expected = batch(
        fused,
        samples,
        starts,
        text=pd.Series(text, dtype=object),
        image=pd.Series(image, dtype=object),
    )
    np.testing.assert_allclose(values(found), expected, atol=1e-5)
    assert [("text" in p.present) for p in found] == [cell is not None for cell in text]


def test_video_frames_and_a_callable_kind(rows):
    _, y = rows
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {
            "face": pd.Series([rng.random((3, 32, 32, 3)) for _ in y], dtype=object),
            "pulse": rng.normal(size=len(y)),
        }
    )
    pipe = make_pipeline(
        make_extractor(
            face=VideoFrames(ColorTexture(size=(32, 32)), frames_per_second=4),
            pulse=(["pulse"], "passthrough"),
        ),
        LogisticRegression(max_iter=2000),
    ).fit(X, y)

    def mean(events, seconds):
        return sum(value for _, value in events) / len(events)

    stream = StreamingPredictor(pipe, hop=1.0, kinds={"pulse": mean}, method="predict_proba")
    frames = rng.random((8, 32, 32, 3))
    for i in range(8):
        stream.push("pulse", [float(i), 0.0], [i / 4, i / 4 + 0.01])
        stream.push("face", frames[i], i / 4)
    stream.flush()
    found = list(stream.read())
    expected = pipe.predict_proba(
        pd.DataFrame(
            {
                "face": pd.Series([(frames[:4], 4.0), (frames[4:], 4.0)], dtype=object),
                "pulse": [0.75, 2.75],
            }
        )
    )
    np.testing.assert_allclose(values(found), expected, atol=1e-5)


def test_a_clip_shorter_than_a_window_is_predicted_at_the_end(hearing, noise):
    samples = noise(0.4)
    stream = StreamingPredictor(hearing, method="predict_proba")
    stream.push("audio", samples)
    assert list(stream.read()) == []
    stream.flush()
    (found,) = stream.read()
    np.testing.assert_allclose(found.value, batch(hearing, samples, [0.0])[0], atol=1e-5)
    stream.flush()
    assert list(stream.read()) == []


def test_silence_has_a_prediction(hearing):
    found = list(StreamingPredictor(hearing).run(chunks(np.zeros(2 * RATE, np.float32), 500)))
    assert len(found) == 5
    assert {p.value for p in found} <= {"pos", "neg"}


# -- time ----------------------------------------------------------------------------------------


def test_times_count_from_the_first_input(fused, noise):
    began = 1.7e9
    stream = StreamingPredictor(fused, hop=0.5)
    for i, (name, chunk) in enumerate(chunks(noise(2), 800)):
        stream.push(name, chunk, began + i / 10)
    found = list(stream.read())
    assert [p.start - began for p in found] == [0.0, 0.5, 1.0]


def test_gaps_are_silence_and_empty_windows_are_skipped(hearing, noise):
    samples = noise(1)
    stream = StreamingPredictor(hearing, hop=0.5, method="predict_proba")
    stream.push("audio", samples, 0.0)
    stream.push("audio", samples, 3600.0)
    found = list(stream.read())
    assert [p.start for p in found] == [0.0, 0.5, 3599.5, 3600.0]
    gapped = np.concatenate([np.zeros(RATE // 2, np.float32), samples])
    np.testing.assert_allclose(found[2].value, batch(hearing, gapped, [0.0])[0], atol=1e-5)
    half = batch(hearing, samples[RATE // 2 :], [0.0])[0]
    np.testing.assert_allclose(found[1].value, half, atol=1e-5)
    assert stream.statistics().n_empty == 7197


def test_windows_wait_for_late_words(fused, noise):
    def words_of(wait):
        stream = StreamingPredictor(fused, hop=1.0, wait=wait)
        events = chunks(noise(4), 800)
        events.insert(12, ("text", "good", 0.9))  # 0.3 s after it was said
        events.insert(13, ("text", "later", 1.1))
        found = list(stream.run(events))
        return [p.index for p in found if "text" in p.present], stream.statistics().lost["text"]

    assert words_of(wait=0.0) == ([1], 1)
    assert words_of(wait=0.5) == ([0, 1], 0)


def test_words_may_arrive_out_of_order(fused):
    stream = StreamingPredictor(fused, hop=1.0, wait=1.0, method="predict_proba")
    stream.push("text", ["start", "fun", "good"], [0.0, 0.6, 0.3])
    stream.push("text", "end", 2.5)
    (found,) = stream.read()
    expected = fused.predict_proba({"text": "start good fun"})[0]
    np.testing.assert_allclose(found.value, expected, atol=1e-6)


def test_audio_that_stops_does_not_delay_other_columns(fused, noise):
    stream = StreamingPredictor(fused, hop=1.0, patience=1.5)
    for name, chunk in chunks(noise(1.5), 800):
        stream.push(name, chunk)
    found = []
    for t in np.arange(0.25, 6, 0.5):
        stream.push("text", "word", t)
        found += stream.read()
    assert [p.index for p in found] == [0, 1, 2, 3, 4]
    assert [p.present for p in found] == [("audio", "text")] * 2 + [("text",)] * 3
    # and may come back, at its own time
    stream.push("audio", noise(1), 5.0)
    stream.flush()
    assert [p.present for p in stream.read()] == [("audio", "text")]


def test_a_column_without_input_is_missing(fused, noise):
    samples = noise(2)
    found = list(StreamingPredictor(fused, method="predict_proba").run(chunks(samples, 800)))
    expected = fused.predict_proba({"audio": (samples[:RATE], RATE)})[0]
    np.testing.assert_allclose(found[0].value, expected, atol=1e-5)


# -- more than can be read -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "indices"), [("drop_oldest", [5, 6, 7, 8]), ("drop_newest", [0, 1, 2, 3])]
)
def test_windows_are_dropped_if_nobody_reads(hearing, noise, policy, indices):
    samples = noise(3)
    stream = StreamingPredictor(hearing, max_pending=4, when_full=policy, method="predict_proba")
    for event in chunks(samples, 500):
        stream.push(*event)
    found = list(stream.read())
    assert [p.index for p in found] == indices
    expected = batch(hearing, samples, [p.start for p in found])
    np.testing.assert_allclose(values(found), expected, atol=1e-5)
    assert stream.statistics().n_dropped == 5


@pytest.mark.parametrize("policy", ["raise", "block"])
def test_a_full_queue_without_a_worker_raises(hearing, noise, policy):
    stream = StreamingPredictor(hearing, max_pending=2, when_full=policy)
    pushed = chunks(noise(3), 500)
    n_pushed = 20  # 1.25 seconds
    for event in pushed[:n_pushed]:
        stream.push(*event)
    with pytest.raises(StreamFullError, match="the most that max_pending=2 allows"):
        stream.push(*pushed[n_pushed])
    for event in pushed[n_pushed:]:  # nothing was lost
        list(stream.read())
        stream.push(*event)
    list(stream.read())
    report = stream.statistics()
    assert (report.n_predicted, report.n_dropped, report.seconds) == (9, 0, 3.0)


def test_push_waits_for_the_background_worker(hearing, noise):
    found = []

    def slow(prediction):
        time.sleep(0.02)
        found.append(prediction.index)

    stream = StreamingPredictor(hearing, max_pending=2, when_full="block")
    with stream.background(slow):
        for event in chunks(noise(5), 2000):
            stream.push(*event)
            assert len(stream._pending) <= 2
    assert found == list(range(17))
    with (
        stream.background(slow),
        pytest.raises(RuntimeError, match="already running"),
        stream.background(slow),
    ):
        pass


def test_memory_is_bounded(hearing, noise):
    stream = StreamingPredictor(hearing, max_pending=8)
    event = ("audio", noise(0.25))

    def tens(n):
        for _ in range(40 * n):
            stream.push(*event)
            list(stream.read())
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    first = tens(1)
    second = tens(2)
    tracemalloc.stop()
    assert second - first < 100_000  # what latencies take; the sound would be 0.6 MB
    assert len(stream._stream_set.streams["audio"]) < 2 * RATE


# -- errors --------------------------------------------------------------------------------------

BAD = [
    np.array([0.1, np.nan], np.float32),
    np.full(2000, np.inf),
    np.zeros((2, 2, 2)),
    "no-such-file.wav",
    None,
    (np.zeros(10), 3),
]


@pytest.mark.parametrize("i", range(len(BAD)))
def test_a_bad_chunk_raises_and_leaves_the_stream_unchanged(hearing, noise, i):
    samples = noise(2)
    stream = StreamingPredictor(hearing, method="predict_proba")
    found = []
    for j, event in enumerate(chunks(samples, 2000)):
        if j == 3:
            with pytest.raises(CellError, match="a chunk of 'audio' cannot be used"):
                stream.push("audio", BAD[i])
        stream.push(*event)
        found += stream.read()
    expected = batch(hearing, samples, [p.start for p in found])
    np.testing.assert_allclose(values(found), expected, atol=1e-5)
    assert (len(found), stream.statistics().n_bad_chunks) == (5, 1)


def test_a_bad_chunk_can_become_a_gap(hearing, noise):
    samples = noise(2)
    stream = StreamingPredictor(hearing, method="predict_proba", on_error="missing")
    events = chunks(samples, 2000)
    events[1] = ("audio", np.full(2000, np.nan))
    found = list(stream.run(events))
    samples[2000:4000] = 0
    expected = batch(hearing, samples, [p.start for p in found])
    np.testing.assert_allclose(values(found), expected, atol=1e-5)


def test_bad_arguments_raise(fused):
    stream = StreamingPredictor(fused)
    with pytest.raises(CellError, match="unknown column 'sound'; the pipeline reads 'audio'"):
        stream.push("sound", np.zeros(3))
    with pytest.raises(CellError, match="finite number of seconds; got nan"):
        stream.push("audio", np.zeros(3), float("nan"))
    with pytest.raises(CellError, match=r"2 events of 'text' need as many times; got 1\.0"):
        stream.push("text", ["a", "b"], 1.0)
    with pytest.raises(CellError, match="got '1'"):
        stream.push("text", "a", "1")
    assert stream.statistics().seconds == 0
    with pytest.raises(ValueError, match="'window' parameter"):
        StreamingPredictor(fused, window=0)
    with pytest.raises(ValueError, match="kinds names the column 'sound'"):
        StreamingPredictor(fused, kinds={"sound": "audio"})
    with pytest.raises(ValueError, match="the kind of 'text' must be one of"):
        StreamingPredictor(fused, kinds={"text": "letters"})
    with pytest.raises(TypeError, match="FusionClassifier has no method 'guess'"):
        StreamingPredictor(fused, method="guess")
    with pytest.raises(TypeError, match="does not define modalities"):
        StreamingPredictor(LogisticRegression())


def test_audio_and_frames_of_one_column_are_separate_streams(rows):
    y = rows[1][:2]
    X = pd.DataFrame({"clip": pd.Series([np.ones((2, 32, 32, 3)), None], dtype=object)})
    extract = make_extractor(voice=("clip", Waveform(RATE)), face=("clip", frames_of_pictures()))
    extract.fit(X.iloc[1:])
    last = LogisticRegression().fit(np.zeros((2, len(extract.get_feature_names_out()))), y)
    with pytest.raises(ValueError, match="'clip' is read as audio and as frames"):
        StreamingPredictor(make_pipeline(extract, last))


def frames_of_pictures():
    return VideoFrames(ColorTexture(size=(32, 32)))


@pytest.fixture(name="fragile")
def _fragile(rows):
    """A pipeline without FillBlocks: its classifier rejects NaN."""
    X, y = rows
    whole = X.dropna()
    return make_pipeline(
        make_extractor(audio=LogMel(RATE, n_mels=4), image=ColorTexture(size=(32, 32))),
        LogisticRegression(max_iter=2000),
    ).fit(whole[["audio", "image"]], y[whole.index])


def events_with_one_picture(noise):
    events = chunks(noise(3), RATE)
    return [events[0], ("image", np.ones((32, 32, 3)) / 2, 1.5), *events[1:]]


def test_a_window_that_fails_raises_and_is_skipped(fragile, noise):
    stream = StreamingPredictor(fragile, hop=1.0)
    for event in events_with_one_picture(noise):
        stream.push(*event)
    with pytest.raises(ValueError, match="contains NaN") as caught:
        list(stream.read())
    assert "in the window that starts at 0 s" in caught.value.__notes__[0]
    assert next(stream.read()).index == 1


def test_a_window_that_fails_can_return_its_error(fragile, noise):
    stream = StreamingPredictor(fragile, hop=1.0, on_error="missing")
    found = list(stream.run(events_with_one_picture(noise)))
    assert [p.value is None for p in found] == [True, False, True]
    assert "NaN" in str(found[0].error)
    assert stream.statistics().n_failed == 2


def test_the_background_worker_continues_after_errors(fragile, noise):
    stream, found = StreamingPredictor(fragile, hop=1.0), []

    def wait():
        while stream._pending:
            time.sleep(0.001)
        time.sleep(0.1)

    first, picture, *others = events_with_one_picture(noise)
    with stream.background(found.append):
        stream.push(*first)
        wait()
        with pytest.raises(ValueError, match="NaN"):  # what the first window failed with
            stream.push(*picture)
        stream.push(*picture)
        stream.push(*others[0])
        wait()
    assert [p.index for p in found] == [1]
    with pytest.raises(ValueError, match="NaN"), stream.background(found.append):
        stream.push(*others[1])


def test_one_thread_may_push_and_another_read(hearing, noise):
    samples, found = noise(5), []
    stream = StreamingPredictor(hearing, method="predict_proba")
    pushing = threading.Thread(
        target=lambda: [stream.push(*event) for event in chunks(samples, 100)]
    )
    pushing.start()
    while pushing.is_alive() or len(found) < 17:
        found += stream.read()
    pushing.join()
    expected = batch(hearing, samples, [p.start for p in found])
    np.testing.assert_allclose(values(found), expected, atol=1e-5)


# -- the rest ------------------------------------------------------------------------------------


def test_reset_starts_over(hearing, noise):
    stream = StreamingPredictor(hearing, method="predict_proba")
    first = values(stream.run(chunks(noise(2), 999)))
    stream.reset()
    assert stream.statistics().n_chunks == 0
    assert (values(stream.run(chunks(noise(2), 999))) == first).all()


def test_statistics_count_windows_and_latencies(hearing, noise):
    stream = StreamingPredictor(hearing)
    n = len(list(stream.run(chunks(noise(4), 1000))))
    report = stream.statistics()
    assert (report.n_chunks, report.n_predicted, report.seconds) == (32, n, 4.0)
    assert 0 < report.latency_p50 <= report.latency_p95 <= report.latency_p99 < 1
    assert report.real_time_factor == report.busy_seconds / 4


def test_single_rows_can_be_predicted(fused):
    stream = StreamingPredictor(fused, warm_start=False)
    assert stream.predict_one({"text": "good fun"}) == fused.predict({"text": "good fun"})[0]


def test_global_generators_are_unchanged(hearing, noise, global_states):
    states = global_states()
    list(StreamingPredictor(hearing).run(chunks(noise(2), 999)))
    assert global_states() == states
