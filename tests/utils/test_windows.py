"""Windows over a clip."""

import numpy as np
import pytest

from sklearn_mmsent.utils._windows import Windows


@pytest.mark.parametrize("rate", [25, 8000, 16000, 44100, 29.97])
@pytest.mark.parametrize(("window", "hop"), [(1.0, 0.25), (0.5, 0.1), (1.3, 1 / 3), (2.0, 3.0)])
def test_all_windows_that_fit_are_counted_and_have_one_length(window, hop, rate):
    windows = Windows(window, hop)
    for n in np.random.RandomState(0).randint(0, int(20 * rate), 50):
        k = windows.count(n, rate)
        assert windows.samples(k, rate).stop > n
        if k:
            assert windows.samples(k - 1, rate).stop <= n
    lengths = {windows.samples(i, rate).stop - windows.samples(i, rate).start for i in range(200)}
    assert len(lengths) == 1


def test_more_of_a_clip_changes_no_window_that_is_over():
    windows = Windows(1.0, 0.3)
    counts = [windows.count(n, 100) for n in range(1000)]
    assert counts == sorted(counts)
    assert max(np.diff(counts)) == 1


def test_a_rate_below_one_frame_a_window_still_gives_a_frame():
    assert Windows(0.5, 0.5).samples(3, 1.0) == slice(2, 3)


def test_a_word_belongs_to_the_windows_in_which_it_ends():
    windows = Windows(1.0, 0.5)
    words = [("a", 0.1, 0.5), ("b", 0.9, 1.0), ("c", 0.9, 1.6)]
    assert [windows.words(words, i) for i in range(4)] == [["a", "b"], ["b"], ["c"], ["c"]]
