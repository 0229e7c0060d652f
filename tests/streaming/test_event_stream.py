import numpy as np

from sklearn_mmsent.streaming import _event_stream
from sklearn_mmsent.streaming._event_stream import EventStream


def test_words_may_arrive_out_of_order_and_end_with_a_window():
    stream = EventStream(_event_stream.words, 1.0, spoken=True)
    stream.push(["second", "first", None, " ", "third"], [1.0, 0.5, 0.7, 0.8, 1.5])
    assert stream.cut(0.0, 1.0) == "first second"  # the end of a window is inclusive
    assert stream.cut(1.0, 2.0) == "third"
    assert stream.cut(2.0, 3.0) is None
    stream.forget_before(1.0)
    stream.push(["late", "in time"], [0.9, 1.2])
    assert (stream.lost, stream.cut(0.0, 2.0)) == (1, "in time third")


def test_a_word_at_the_very_start_belongs_to_the_first_window():
    stream = EventStream(_event_stream.words, 1.0, spoken=True)
    stream.push(["now", "before"], [0.0, -1.0])
    assert (stream.cut(0.0, 1.0), stream.lost) == ("now", 1)


def test_the_number_of_events_is_bounded(monkeypatch):
    monkeypatch.setattr(_event_stream, "_MAX_EVENTS", 10)
    stream = EventStream(_event_stream.last, 1.0)
    stream.push(list(range(1, 31)), [0.01 * i for i in range(30)])
    assert (len(stream), stream.lost, stream.cut(0, 1)) == (10, 20, 30)


def test_frames_become_a_clip_with_a_rate():
    stream = EventStream(_event_stream.frames, 2.0)
    stream.push([np.zeros((2, 2, 3)), np.ones((2, 2, 3))], [0.1, 1.1])
    clip, rate = stream.cut(0, 2)
    assert (clip.shape, rate) == ((2, 2, 2, 3), 1.0)
