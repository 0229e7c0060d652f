"""read_feature_file: tables and inconsistent files."""

import pickle

import numpy as np
import pandas as pd
import pytest

from sklearn_mmsent.blocks import BlockLayout
from sklearn_mmsent.datasets import read_feature_file
from sklearn_mmsent.exceptions import DataFormatError


def part(n, seed, **changes):
    rng = np.random.default_rng(seed)
    tokens = np.zeros((n, 3, 6))
    tokens[:, 1, :4] = 1  # mask: four of six steps
    content = {
        "raw_text": np.array([f"text {k}" for k in range(n)]),
        "text": rng.normal(size=(n, 6, 12)).astype(np.float32),
        "text_bert": tokens,
        "audio": rng.normal(size=(n, 11, 3)).astype(np.float32),
        "vision": rng.normal(size=(n, 4, 2)),
        "audio_lengths": [11, 0, *[5] * (n - 2)],
        "vision_lengths": np.full(n, 4),
        "id": [f"video{k // 2}$_${k}" for k in range(n)],
        "annotations": np.array(["Positive"] * n),
        "regression_labels": rng.uniform(-3, 3, n).astype(np.float32),
    }
    content.update(changes)
    return {key: value for key, value in content.items() if value is not None}


@pytest.fixture
def write(tmp_path):
    def write(content, protocol=4):
        path = tmp_path / "features.pkl"
        path.write_bytes(pickle.dumps(content, protocol))
        return path

    return write


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_all_splits_are_concatenated(write, protocol):
    content = {"train": part(5, 0), "valid": part(3, 1), "test": part(4, 2)}
    data = read_feature_file(write(content, protocol))
    assert data.X.shape == (12, 6 * 12 + 11 * 3 + 4 * 2)
    assert set(data.X.dtypes) == {np.dtype("float32")}
    assert data.split.tolist() == ["train"] * 5 + ["valid"] * 3 + ["test"] * 4
    assert data.groups[:5].tolist() == ["video0", "video0", "video1", "video1", "video2"]
    assert data.ids[1] == "video0$_$1"
    assert data.raw["text"].tolist()[:2] == ["text 0", "text 1"]
    assert data.annotations.tolist() == ["Positive"] * 12
    assert data.targets is None
    expected = np.concatenate([content[s]["regression_labels"] for s in content])
    np.testing.assert_array_equal(data.y, expected.astype(float))
    assert data.y.dtype == np.float64
    assert "train 5, valid 3, test 4" in data.DESCR


def test_column_names_are_blocks(write):
    content = {"train": part(3, 0)}
    X = read_feature_file(write(content), modalities=["audio", "text"]).X
    names = X.columns.tolist()
    assert names[:4] == [
        f"audio__{name}" for name in ("f000@000", "f001@000", "f002@000", "f000@001")
    ]
    assert names[32:35] == ["audio__f002@010", "text__f000@000", "text__f001@000"]
    assert not any(name.startswith("vision") for name in names)
    tensor = X.iloc[:, :33].to_numpy().reshape(3, 11, 3)
    np.testing.assert_array_equal(tensor[0], content["train"]["audio"][0])


def test_steps_after_the_end_are_nan(write):
    X = read_feature_file(write({"train": part(3, 0)})).X
    audio = X.filter(like="audio__").to_numpy().reshape(3, 11, 3)
    assert np.isnan(audio).all(axis=2).sum(axis=1).tolist() == [0, 11, 6]
    text = X.filter(like="text__").to_numpy().reshape(3, 6, 12)
    assert np.isnan(text).all(axis=2).sum(axis=1).tolist() == [2, 2, 2]
    assert not X.filter(like="vision__").isna().any(axis=None)


def test_files_without_lengths_have_no_padding(write):
    content = part(3, 0, audio_lengths=None, vision_lengths=None, text_bert=None)
    assert not read_feature_file(write({"train": content})).X.isna().any(axis=None)


def test_file_content_is_unchanged(write):
    content = {"train": part(3, 0)}
    path = write(content)
    read_feature_file(path)
    np.testing.assert_array_equal(
        read_feature_file(path).X.to_numpy(), read_feature_file(path).X.to_numpy()
    )


def test_flat_features_and_infinities(write):
    audio = np.ones((3, 2))
    audio[1, 0] = -np.inf
    X = read_feature_file(
        write({"train": part(3, 0, audio=audio, audio_lengths=None)}), modalities=["audio"]
    ).X
    assert X.columns.tolist() == ["audio__f000", "audio__f001"]
    assert np.isnan(X.iloc[1, 0])
    assert X.isna().to_numpy().sum() == 1


def test_unimodal_targets(write):
    content = part(3, 0, regression_labels_T=np.zeros(3), regression_labels_V=np.ones((3, 1)))
    data = read_feature_file(write({"train": content}))
    assert data.targets.columns.tolist() == ["overall", "text", "vision"]
    np.testing.assert_array_equal(data.targets["overall"], data.y)
    assert data.targets["vision"].tolist() == [1, 1, 1]


def test_selected_modalities_and_splits(write):
    path = write({"train": part(5, 0), "test": part(3, 1)})
    data = read_feature_file(path, splits=["test"], modalities=["vision"], dtype="float64")
    assert data.X.shape == (3, 8)
    assert set(data.X.dtypes) == {np.dtype("float64")}


def test_minimal_file(write):
    data = read_feature_file(write({"only": {"audio": np.ones((2, 3))}}))
    assert data.X.shape == (2, 3)
    assert data.y is data.groups is data.ids is data.raw is data.annotations is None
    texts = {"audio": np.ones((2, 3)), "raw_text": ["", None]}
    assert read_feature_file(write({"only": texts})).raw["text"].tolist() == [None, None]


def test_malicious_file(tmp_path):
    class Hostile:
        def __reduce__(self):
            return print, ("run!",)

    path = tmp_path / "features.pkl"
    path.write_bytes(pickle.dumps({"train": part(3, 0, annotations=Hostile())}))
    with pytest.raises(DataFormatError, match=r"builtins\.print.*nothing was executed"):
        read_feature_file(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"audio": np.ones((4, 11, 3))}, r"'audio' of 'train' .* shape \(4, 11, 3\), expected 3"),
        ({"audio": np.ones(3)}, r"'audio' of 'train' .* expected 3 rows and 2 or 3 dim"),
        ({"audio": np.ones((3, 11, 0))}, "'audio' .* rows of the shapes"),
        ({"audio": np.array([["a"]] * 3)}, "'audio' of 'train' .* is not an array of float32"),
        ({"audio": [[1, 2], [1], [1]]}, "'audio' of 'train' .* is not an array of float32"),
        ({"audio_lengths": [1, 2]}, r"'audio_lengths' of 'train' .* shape \(2,\)"),
        ({"audio_lengths": [1, 2, 12]}, "row 2 of 'audio' .* length 12, expected 0 to 11"),
        ({"audio_lengths": [-1, 2, 3]}, "row 0 of 'audio' .* length -1"),
        ({"audio_lengths": "abc"}, "'audio_lengths' of 'train'"),
        ({"id": ["a$_$1"]}, r"'id' of 'train' .* shape \(1,\)"),
        ({"regression_labels": np.ones((3, 2))}, "'regression_labels' .* expected one column"),
        ({"raw_text": [["a", "b"]] * 3}, "'raw_text' .* expected one column"),
    ],
)
def test_inconsistent_shapes(write, changes, message):
    with pytest.raises(DataFormatError, match=message):
        read_feature_file(write({"train": part(3, 0, **changes)}))


def test_inconsistent_splits(write):
    with pytest.raises(DataFormatError, match=r"'audio' in .* rows of the shapes .*valid"):
        read_feature_file(
            write({"train": part(3, 0), "valid": part(3, 0, audio=np.ones((3, 12, 3)))})
        )
    with pytest.raises(
        DataFormatError, match=r"'vision' of 'valid' .* is absent, but other splits"
    ):
        read_feature_file(write({"train": part(3, 0), "valid": part(3, 0, vision=None)}))


@pytest.mark.parametrize("content", [[1, 2], {}, {"audio": np.ones(3)}, {1: {}}, "text"])
def test_invalid_content(write, content):
    with pytest.raises(DataFormatError, match="should hold a dict of splits"):
        read_feature_file(write(content))


def test_invalid_modalities_and_splits(write):
    path = write({"train": part(3, 0, vision=None)})
    with pytest.raises(DataFormatError, match=r"has features of \['text', 'audio'\], requested"):
        read_feature_file(path, modalities=["vision"])
    with pytest.raises(DataFormatError, match=r"requested .* each once"):
        read_feature_file(path, modalities=["audio", "audio"])
    with pytest.raises(DataFormatError, match=r"has the splits \['train'\], requested \['dev'\]"):
        read_feature_file(path, splits=["dev"])
    with pytest.raises(DataFormatError, match="has features of"):
        read_feature_file(write({"train": {"raw_text": ["a"]}}))
    with pytest.raises(ValueError, match="The 'dtype' parameter of read_feature_file"):
        read_feature_file(path, dtype="int8")
    with pytest.raises(FileNotFoundError):
        read_feature_file(path.with_name("absent.pkl"))


def test_block_layout_reads_the_table(write):
    X = read_feature_file(write({"train": part(3, 0)})).X
    assert isinstance(X, pd.DataFrame)
    layout = BlockLayout.from_names(X.columns)
    assert [(b.name, b.shape) for b in layout.blocks] == [
        ("text", (6, 12)),
        ("audio", (11, 3)),
        ("vision", (4, 2)),
    ]
    assert layout.read(X)[1].steps.sum(axis=1).tolist() == [11, 0, 5]
