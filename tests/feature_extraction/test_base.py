"""The base class of extractors, and columns of cells."""

import gc
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from sklearn_mmsent.exceptions import CellError
from sklearn_mmsent.feature_extraction import BaseExtractor, is_missing


class Lengths(BaseExtractor):
    """Length of a text and its number of vowels; counts its batches."""

    batches = ()

    _parameter_constraints: dict = {**BaseExtractor._parameter_constraints}

    def __init__(self, *, on_error="raise", batch_size=3, n_jobs=None):
        self.on_error = on_error
        self.batch_size = batch_size
        self.n_jobs = n_jobs

    def _load(self, cell):
        if not isinstance(cell, str):
            raise CellError(f"expected a text, got {type(cell).__name__}")
        if cell == "torn":
            raise OSError("disk on fire")
        return cell

    def _encode(self, loaded):
        Lengths.batches = (*Lengths.batches, len(loaded))
        return np.array([[len(text), sum(map(text.count, "aeiou"))] for text in loaded])

    def _feature_names(self):
        return ["length", "vowels"]


class Longest(Lengths):
    """Learns the longest text."""

    _stateless = False

    def _fit_cells(self, loaded, y):
        self.longest_ = max(map(len, loaded), default=0)

    def _encode(self, loaded):
        return super()._encode(loaded) / self.longest_


@pytest.fixture(autouse=True)
def forget():
    Lengths.batches = ()


def test_missing_cells_become_rows_of_nan():
    cells = ["one", None, float("nan"), "", "  \n", pd.NA, pd.NaT, b"", np.empty((0, 3)), "four"]
    features = Lengths().fit_transform(cells)
    assert features.dtype == np.float32
    np.testing.assert_array_equal(features[[0, -1]], [[3, 2], [4, 2]])
    assert np.isnan(features[1:-1]).all()


@pytest.mark.parametrize("cell", [0, 0.0, False, "0", b"\0", np.zeros(1), np.float32(1), [], ()])
def test_present_cells_are_not_missing(cell):
    assert not is_missing(cell)


def test_equal_cells_are_encoded_once_and_in_batches():
    cells = ["a", "bb", "a", "ccc", "a", "dddd", "bb", "e" * 5]
    features = Lengths(batch_size=2).fit_transform(cells)
    np.testing.assert_array_equal(features[:, 0], [len(cell) for cell in cells])
    assert Lengths.batches == (2, 2, 1)


@pytest.mark.parametrize("batch_size", [1, 2, 100])
@pytest.mark.parametrize("n_jobs", [None, 2])
def test_results_do_not_depend_on_batches_and_jobs(batch_size, n_jobs):
    cells = ["a", "bb", None, "ccc", "a"]
    features = Lengths(batch_size=batch_size, n_jobs=n_jobs).fit_transform(cells)
    np.testing.assert_array_equal(features, Lengths().fit_transform(cells))


@pytest.mark.parametrize(
    "column",
    [
        ["a", "bb"],
        ("a", "bb"),
        np.array(["a", "bb"]),
        np.array([["a"], ["bb"]], dtype=object),
        pd.Series(["a", "bb"]),
        pd.DataFrame({"text": ["a", "bb"]}),
        pd.Series(["a", "bb"], dtype="category"),
        iter(["a", "bb"]),
    ],
)
def test_any_container_of_a_column_is_accepted(column):
    extractor = Lengths().fit(["x"])
    np.testing.assert_array_equal(extractor.transform(column), [[1, 1], [2, 0]])


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ("a text", r"got a single str\. Put it into a list: \[str\]"),
        (b"bytes", "got a single bytes"),
        ({"text": ["a"]}, "got a single dict"),
        (3, "got a int"),
        ({"a", "b"}, "got a set, which has no order"),
        (pd.DataFrame({"a": ["x"], "b": ["y"]}), r"a table of 2 columns.*X\['column'\]"),
        (np.zeros((2, 3)), r"an array of shape \(2, 3\).*pass a list: \[array\]"),
        (np.array("x"), r"an array of shape \(\)"),
    ],
)
def test_wrong_columns_raise(column, message):
    for method in (Lengths().fit, Lengths().fit(["x"]).transform):
        with pytest.raises(CellError, match="Lengths expects (one|a) column.*" + message):
            method(column)


def test_an_error_names_row_label_column_cell_and_cause():
    column = pd.Series(["fine", None, 42, 43], index=list("wxyz"), name="review")
    with pytest.raises(CellError) as caught:
        Lengths().fit(column).transform(column)
    assert str(caught.value) == (
        "Lengths: row 2 (index 'y'), column 'review', cell int '42': expected a text, got int. "
        "Fix or clear this cell, or set on_error='missing' to treat unusable cells as missing."
    )
    assert isinstance(caught.value.__cause__, CellError)


def test_an_os_error_is_chained():
    with pytest.raises(CellError, match="row 1, cell 'torn': disk on fire") as caught:
        Lengths().fit_transform(["fine", "torn"])
    assert isinstance(caught.value.__cause__, OSError)


def test_the_first_failed_row_is_named_and_no_further_batch_is_read():
    cells = ["a", "bb", 3, "ccc", 2, "dddd", "eeeee"]
    with pytest.raises(CellError, match="row 2,"):
        Lengths(batch_size=2).fit_transform(cells)
    assert Lengths.batches == (2, 1)


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_raising_from_several_processes(n_jobs):
    cells = [7, *map(str, range(30))]
    for _ in range(5):
        with pytest.raises(CellError, match="row 0, cell int '7'"):
            Lengths(batch_size=2, n_jobs=n_jobs).fit_transform(cells)
        gc.collect()  # what is left of the other processes' work must not complain


def test_on_error_missing_warns_once_with_the_count():
    cells = ["one", 2, "torn", None, 2]
    with pytest.warns(UserWarning, match="3 of 5 cells could not be used") as caught:
        features = Lengths(on_error="missing", batch_size=1).fit_transform(cells)
    assert len(caught) == 1
    assert "the first is row 1, cell int '2': expected a text" in str(caught[0].message)
    np.testing.assert_array_equal(features[0], [3, 2])
    assert np.isnan(features[1:]).all()


def test_a_warning_points_at_the_caller():
    extractor = Lengths(on_error="missing").fit(["x"])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        extractor.transform([2])
    assert caught[0].filename == __file__


def test_an_extractor_that_learns_sees_only_present_readable_cells():
    cells = ["abc", None, "ab", 3]
    with pytest.raises(CellError, match="row 3"):
        Longest().fit(cells)
    with pytest.warns(UserWarning, match="1 of 4"):
        extractor = Longest(on_error="missing").fit(cells)
    assert extractor.longest_ == 3


def test_unexpected_errors_are_not_swallowed(monkeypatch):
    def broken(self, loaded):
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(Lengths, "_encode", broken)
    with pytest.raises(ZeroDivisionError, match="a bug"):
        Lengths(on_error="missing").fit_transform(["a"])


def test_transform_before_fit():
    with pytest.raises(NotFittedError):
        Lengths().transform(["a"])
    with pytest.raises(NotFittedError):
        Lengths().get_feature_names_out()


def test_clone_of_a_fitted_one_is_not_fitted():
    with pytest.raises(NotFittedError):
        clone(Lengths().fit(["a"])).transform(["a"])
