"""read_table: cells, types and invalid tables."""

import numpy as np
import pandas as pd
import pytest

from sklearn_mmsent import read_table
from sklearn_mmsent.exceptions import DataFormatError


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "inner" / "images").mkdir(parents=True)
    for k in range(3):
        (tmp_path / "inner" / "images" / f"{k}.png").write_bytes(b"x")
    (tmp_path / "secret.txt").write_text("outside")
    return tmp_path / "inner"


def write(folder, text, name="table.csv"):
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


TABLE = (
    "id,text,image,label,speaker,part,stars\n"
    "007,NA,images/0.png,good,1,train,3\n"
    '008,"Two\nlines, here",,bad,2,test,4.5\n'
    "009,  ,images/2.png,,2,,\n"
)


def test_cells_are_unchanged(folder):
    data = read_table(
        write(folder, TABLE),
        target="label",
        files="image",
        columns=["text"],
        groups="speaker",
        split="part",
    )
    assert data.X.columns.tolist() == ["text", "image"]
    assert data.X["text"].tolist() == ["NA", "Two\nlines, here", None]
    assert data.X["image"].tolist() == [
        str(folder / "images/0.png"),
        None,
        str(folder / "images/2.png"),
    ]
    assert data.y.tolist() == ["good", "bad", None]
    assert data.groups.tolist() == ["1", "2", "2"]
    assert data.split.tolist() == ["train", "test", None]
    assert "table.csv: 3 rows" in data.DESCR
    assert "image: files, 1 missing" in data.DESCR


def test_columns_without_a_role_are_kept(folder):
    data = read_table(write(folder, TABLE), target="label", files=["image"], groups="speaker")
    assert data.X.columns.tolist() == ["id", "text", "part", "stars", "image"]
    assert data.split is None
    np.testing.assert_array_equal(data.X["stars"], [3, 4.5, np.nan])


def test_targets_are_labels_numbers_or_a_table(folder):
    path = write(folder, TABLE)
    np.testing.assert_array_equal(read_table(path, target="stars").y, [3, 4.5, np.nan])
    table = read_table(path, target=["label", "stars"]).y
    assert table["label"].tolist() == ["good", "bad", None]
    assert table["stars"].dtype == float
    assert read_table(path, target=None).y is None


def test_integers_stay_integers(folder):
    y = read_table(write(folder, "a,y\nx,0\nz,1\n"), target="y").y
    assert y.dtype == np.int64


def test_tabs_and_byte_order_mark(folder):
    path = write(folder, "\ufefftext\ty\nÄpfel, Birnen\tgood\n", "table.tsv")
    data = read_table(path, target="y")
    assert data.X["text"].tolist() == ["Äpfel, Birnen"]


def test_parquet_equals_csv(folder):
    pytest.importorskip("pyarrow")
    options = {"target": "label", "files": "image", "columns": ["text"], "groups": "speaker"}
    csv = read_table(write(folder, TABLE), **options)
    cells = {
        "text": ["NA", "Two\nlines, here", " "],
        "image": ["images/0.png", None, "images/2.png"],
        "label": ["good", "bad", None],
        "speaker": [1, 2, 2],
    }
    pd.DataFrame(cells, index=[5, 6, 7]).to_parquet(folder / "table.parquet")
    data = read_table(folder / "table.parquet", **options)
    pd.testing.assert_frame_equal(data.X, csv.X)
    assert data.y.tolist() == csv.y.tolist()
    assert data.groups.tolist() == [1, 2, 2]


def test_parquet_bytes_cells(folder):
    pytest.importorskip("pyarrow")
    pd.DataFrame({"image": [b"abc", None], "y": [1.5, np.nan]}).to_parquet(folder / "t.parquet")
    data = read_table(folder / "t.parquet", target="y")
    assert data.X["image"].tolist() == [b"abc", None]
    with pytest.raises(DataFormatError, match="should name a file, got b'abc'"):
        read_table(folder / "t.parquet", target="y", files="image")


@pytest.mark.parametrize("cell", ["../secret.txt", "images/../../secret.txt", "/etc/passwd", ".."])
def test_files_outside_the_folder_error(folder, cell):
    path = write(folder, f"image,y\nimages/0.png,a\n{cell},b\n")
    message = "row 1, column 'image' of 'table.csv' leads outside"
    with pytest.raises(DataFormatError, match=message):
        read_table(path, target="y", files="image")


def test_links_outside_the_folder(folder):
    (folder / "link").symlink_to(folder.parent)
    path = write(folder, "file,y\nlink/secret.txt,a\n")
    with pytest.raises(DataFormatError, match="leads outside of the table's folder"):
        read_table(path, target="y", files="file")
    data = read_table(path, target="y", files="file", allow_outside=True)
    assert data.X["file"].tolist() == [str(folder / "link/secret.txt")]


def test_linked_folder(folder):
    (folder.parent / "alias").symlink_to(folder)
    write(folder, TABLE)
    data = read_table(folder.parent / "alias" / "table.csv", target="label", files="image")
    assert data.X["image"].notna().sum() == 2


def test_missing_file_error(folder):
    path = write(folder, "image,y\nimages/0.png,a\nimages/7.png,b\nimages/8.png,b\n")
    message = "2 of 3 files of column 'image' of 'table.csv' do not exist, first in row 1"
    with pytest.raises(DataFormatError, match=message):
        read_table(path, target="y", files="image")
    data = read_table(path, target="y", files="image", check_files=False)
    assert data.X["image"].notna().all()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not a UTF-8 table"),
        ("a,y\n", "has a header but no rows"),
        ("a,y\n1,2,3\n", "is not a UTF-8 table"),
        ("a,y,a\n1,2,3\n", "more than one column named 'a'"),
        ('a,y\n"1,2\n', "is not a UTF-8 table"),
    ],
)
def test_malformed_tables(folder, text, message):
    with pytest.raises(DataFormatError, match=message):
        read_table(write(folder, text), target="y")


def test_invalid_encoding(folder):
    (folder / "t.csv").write_bytes(b"a,y\n\xff\xfe,1\n")
    with pytest.raises(DataFormatError, match="is not a UTF-8 table"):
        read_table(folder / "t.csv", target="y")


def test_invalid_parquet(folder):
    pytest.importorskip("pyarrow")
    with pytest.raises(DataFormatError, match="is not a parquet file"):
        read_table(write(folder, "nonsense", "t.parquet"), target="y")


@pytest.mark.parametrize(
    "options",
    [
        {"target": "mood"},
        {"target": "label", "files": "mood"},
        {"target": "label", "columns": ["mood"]},
        {"target": "label", "groups": "mood"},
        {"target": "label", "split": "mood"},
    ],
)
def test_missing_column_error_lists_columns(folder, options):
    message = "has no column 'mood'. Its columns are: 'id', 'text', 'image'"
    with pytest.raises(DataFormatError, match=message):
        read_table(write(folder, TABLE), **options)


def test_invalid_roles(folder):
    path = write(folder, TABLE)
    with pytest.raises(ValueError, match="'label' is a target and also requested as input"):
        read_table(path, target="label", columns=["label"])
    with pytest.raises(DataFormatError, match="has no group in 1 rows, first in row 2"):
        read_table(path, target="label", groups="part")
    with pytest.raises(DataFormatError, match=r"must end in \.csv, \.tsv or \.parquet"):
        read_table(folder / "table.xlsx", target="label")
    with pytest.raises(FileNotFoundError, match="there is no file"):
        read_table(folder / "absent.csv", target="label")
    with pytest.raises(ValueError, match="The 'path' parameter of read_table"):
        read_table(None, target="label")
