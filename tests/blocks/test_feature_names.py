import pytest

from sklearn_mmsent.blocks import indexed_names, numbered_names, segment_names, statistic_names


@pytest.mark.parametrize(
    ("n", "first", "last"), [(1, "x000", "x000"), (1000, "x000", "x999"), (1001, "x0000", "x1000")]
)
def test_numbers_have_at_least_three_digits_and_equal_length(n, first, last):
    names = numbered_names("x", n)
    assert (names[0], names[-1], len(names)) == (first, last, n)
    assert names == sorted(names)


def test_each_axis_is_padded_separately():
    names = indexed_names(["pixel"], 2, 1, 1001)
    assert names[0] == "pixel@000@000@0000"
    assert names[-1] == "pixel@001@000@1000"


def test_names_without_axes_are_unchanged():
    assert indexed_names(["a", "b"]) == ["a", "b"]
    assert segment_names(["a", "b"], 1) == ["a", "b"]


def test_parts_vary_slowest_and_statistics_fastest():
    names = statistic_names(segment_names(["a", "b"], 2), ["min", "max"])
    assert names[:4] == [
        "a_segment000_min",
        "a_segment000_max",
        "b_segment000_min",
        "b_segment000_max",
    ]
    assert names[-1] == "b_segment001_max"
