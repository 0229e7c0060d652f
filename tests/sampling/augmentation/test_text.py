"""TextAugmenter."""

import pandas as pd
import pytest

from sklearn_mmsent import TfidfEmbedder
from sklearn_mmsent.exceptions import CellError, MissingDependencyError
from sklearn_mmsent.sampling import TextAugmenter
from sklearn_mmsent.sampling.augmentation import _text

SYNONYMS = {"film": ["movie", "bad movie", "film"], "shown": ["screened"], "house": ["home"]}
OFF = {"replace": 0, "insert": 0, "swap": 0, "delete": 0}
TEXT = "The Film, shown in this house, was NOT a good one :) @anna #film it's really 😀 dull!"
FIXED = ["NOT", "good", ":)", "@anna", "#film", "really", "😀", "dull!"]


def changed(text, n=60, **options):
    options = {"synonyms": SYNONYMS, "random_state": 0, **options}
    augmenter = TextAugmenter(factor=n, **options)
    X_new, _ = augmenter.fit_resample(pd.DataFrame({"text": [text, text]}), [0, 1])
    return X_new["text"].tolist()[2:]


@pytest.mark.parametrize("change", [*OFF, None])
def test_sentiment_words_are_kept(change):
    options = {} if change is None else {**OFF, change: 0.5}
    for text in changed(TEXT, **options):
        words = text.split()
        assert [word for word in words if word in FIXED] == FIXED


def test_replacement_keeps_case_and_punctuation():
    texts = set(changed(TEXT, **{**OFF, "replace": 0.1}))
    assert all("bad" not in text for text in texts)
    assert any(text.startswith("The Movie, shown") for text in texts)
    assert any("screened" in text for text in texts)
    assert all(len(text.split()) == len(TEXT.split()) for text in texts)


def test_number_of_changed_words():
    text = " ".join(f"word{chr(97 + i)}" for i in range(20))
    synonyms = {word: [word + "x"] for word in text.split()}
    for share, n in ((0.01, 1), (0.1, 2), (0.5, 10)):
        (replaced, *_) = changed(text, **{**OFF, "replace": share}, synonyms=synonyms)
        assert sum(word.endswith("x") for word in replaced.split()) == n
        (inserted, *_) = changed(text, **{**OFF, "insert": share}, synonyms=synonyms)
        assert len(inserted.split()) == 20 + n
        assert [word for word in inserted.split() if not word.endswith("x")] == text.split()
        (left, *_) = changed(text, **{**OFF, "delete": share})
        assert len(left.split()) == 20 - n
        (swapped, *_) = changed(text, **{**OFF, "swap": share})
        assert sorted(swapped.split()) == sorted(text.split())
        assert swapped != text


def test_all_operations_are_drawn():
    lengths = {len(text.split()) for text in changed(TEXT)}
    n = len(TEXT.split())
    assert {n - 2, n, n + 2} <= lengths | {n - 1, n + 1, n - 2, n + 2} & lengths | {n}
    assert len(lengths) == 3


@pytest.mark.parametrize("text", ["not good", "house", "😀", "!!!"])
def test_texts_are_not_emptied(text):
    for new in changed(text, **{**OFF, "delete": 1.0}):
        assert new.split() == text.split()


def test_synonyms_from_a_function():
    texts = changed("one film", **{**OFF, "replace": 1.0}, synonyms=lambda word: [word * 2])
    assert set(texts) == {"oneone filmfilm"}


def test_extractors_accept_the_result():
    X = pd.DataFrame({"text": [TEXT, "a house of cards"] * 3})
    X_new, _ = TextAugmenter(factor=1, synonyms=SYNONYMS).fit_resample(X, [0, 1] * 3)
    assert len(TfidfEmbedder(2).fit_transform(X_new["text"])) == 12


@pytest.fixture
def mini_wordnet(tmp_path, monkeypatch):
    """An English lexicon with one synset, installed for wn."""
    import wn

    monkeypatch.setattr(wn.config, "data_directory", tmp_path / "data")
    _text._wordnet.cache_clear()
    _text._from_wordnet.cache_clear()
    words = "".join(
        f'<LexicalEntry id="mini-{i}"><Lemma writtenForm="{word}" partOfSpeech="n"/>'
        f'<Sense id="mini-s{i}" synset="mini-1"/></LexicalEntry>'
        for i, word in enumerate(["film", "movie", "motion picture"])
    )
    (tmp_path / "mini.xml").write_text(
        '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE LexicalResource SYSTEM '
        '"http://globalwordnet.github.io/schemas/WN-LMF-1.0.dtd">\n'
        '<LexicalResource xmlns:dc="http://purl.org/dc/elements/1.1/"><Lexicon id="mini" '
        'label="Mini" language="en" email="a@b.c" license="CC0" version="1">'
        f'{words}<Synset id="mini-1" ili="" partOfSpeech="n"/></Lexicon></LexicalResource>'
    )
    yield lambda: wn.add(tmp_path / "mini.xml", progress_handler=None)
    _text._wordnet.cache_clear()
    _text._from_wordnet.cache_clear()


def test_synonyms_from_wordnet(mini_wordnet):
    mini_wordnet()
    texts = changed("one film", **{**OFF, "replace": 1.0}, synonyms="wordnet")
    assert set(texts) == {"one movie", "one motion picture"}


def test_missing_wordnet_lexicon_error(mini_wordnet):
    with pytest.raises(MissingDependencyError, match="python -m wn download"):
        changed(TEXT, synonyms="wordnet")
    assert changed(TEXT, synonyms="wordnet", replace=0, insert=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"replace": 1.5}, "replace"),
        ({"synonyms": "thesaurus"}, "synonyms"),
        ({"swap": -1}, "swap"),
    ],
)
def test_invalid_parameters(options, message):
    with pytest.raises(ValueError, match=message):
        changed(TEXT, **options)


def test_non_text_cell_error():
    with pytest.raises(CellError, match="expected a text"):
        changed(3.5)
