import numpy as np
import pytest

from sklearn_mmsent.exceptions import CellError
from sklearn_mmsent.feature_extraction.cells import (
    CellColumn,
    apply_to_cell,
    content_key,
    describe,
    file_content,
)


def upper(cell):
    if not isinstance(cell, str):
        raise CellError("no text")
    return cell.upper()


def test_a_function_sees_present_cells_and_errors_are_returned():
    assert apply_to_cell(upper, "a") == "A"
    assert apply_to_cell(upper, " ") is None
    assert isinstance(apply_to_cell(upper, 3), CellError)
    with pytest.raises(TypeError):
        apply_to_cell(len, 3)


def test_a_column_reports_unusable_cells():
    column = CellColumn(["a", None, 3], name="said")
    with pytest.raises(CellError, match=r"^Me: row 2, column 'said', cell int '3': no text"):
        column.apply(upper, owner="Me", on_error="raise")
    with pytest.warns(UserWarning, match="1 of 3 cells could not be used"):
        found = column.apply(upper, owner="Me", on_error="missing")
    assert found == ["A", None, None]
    assert column.with_cells(found).name == "said"


def test_cells_are_grouped_by_their_entire_content():
    signal = np.sin(np.arange(1000.0))
    other = signal.copy()
    other[501] += 1e-9  # which no glance sees
    picture = np.zeros((40, 30, 3), dtype=np.uint8)
    cells = [signal, other, "a", None, signal.copy(), (signal, 8000), (other, 8000), "a"]
    cells += [(signal.copy(), 8000), picture, picture[:, :, :2], picture + 0, np.float32(3)]
    cells += [signal.astype(np.float32), np.array(3.0), np.array(3.0), (np.zeros(0), 5), b"a"]
    cells += [(np.zeros(0), 5), signal[::-1][::-1], np.full(1000, np.nan), np.full(1000, np.nan)]
    cells += [np.array(["a", None]), np.array(["", ""])]
    groups = CellColumn.read(cells, owner="me").group(content_key)
    expected = [[0, 4, 19], [1], [2, 7], [5, 8], [6], [9, 11], [10], [12], [13], [14, 15]]
    assert groups == [*expected, [16, 18], [17], [20, 21], [22], [23]]


def test_content_keys_differ_for_different_cells():
    cells = [
        *("a", b"a", 1, 1.0, True, np.zeros(2), np.zeros(2, dtype="f4"), np.zeros((2, 1))),
        *((np.zeros(2), 8000), (np.zeros(2), 16000), [np.zeros(2), 8000]),
    ]
    assert len({content_key(cell) for cell in cells}) == len(cells)
    assert content_key((np.zeros(2), 8000)) == content_key((np.zeros(4)[::2], 8000))


def test_the_content_of_a_path_is_that_of_its_file(tmp_path):
    for name, content in (("a.txt", b"1"), ("b.txt", b"1"), ("c.txt", b"2"), ("d.png", b"1")):
        (tmp_path / name).write_bytes(content)
    a, b, c, d = (file_content(tmp_path / name) for name in ("a.txt", "b.txt", "c.txt", "d.png"))
    assert a == b == file_content(str(tmp_path / "a.txt"))
    assert len({a, c, d}) == 3
    assert file_content("no such file \0 \ud800") == ("str", "no such file \0 \ud800")
    assert file_content(object()) is None
    assert file_content(np.array([object()])) is None
    assert file_content((object(), 1)) is None


def test_the_middle_of_a_long_path_is_omitted():
    shown = describe("/" + "deep/" * 50 + "clip.wav")
    assert shown.startswith("'/deep/")
    assert shown.endswith("clip.wav'")
    assert len(shown) <= 82
