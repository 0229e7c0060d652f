"""TextCleaner."""

import pickle
import sys
import time

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline as make_plain_pipeline

from sklearn_mmsent import Cached, FusionClassifier, TfidfEmbedder, make_extractor, make_pipeline
from sklearn_mmsent.exceptions import CellError, MissingDependencyError
from sklearn_mmsent.feature_extraction.text import TextCleaner

OFF = {
    "fix_encoding": False,
    "html": False,
    "urls": "keep",
    "mentions": "keep",
    "hashtags": "keep",
    "emoji": "keep",
    "elongations": False,
    "whitespace": False,
}


def clean(text, **parameters):
    return TextCleaner(**parameters).fit_transform([text])[0]


def clean_only(text, **parameters):
    return clean(text, **{**OFF, **parameters})


@pytest.mark.parametrize(
    ("switch", "dirty", "cleaned"),
    [
        ({"fix_encoding": True}, "cafÃ© l\u2019humanitÃ©", "café l'humanité"),
        ({"fix_encoding": True}, "e\u0301 \ufb01ne \uff2coud \x07", "é fine Loud "),
        ({"html": True}, "a &amp; b&nbsp;c &lt;3", "a & b\xa0c <3"),
        ({"html": True}, "<p class='x'>one<br/>two</P>", " one two "),
        ({"html": True}, "wo<b>nd</b>er", "wonder"),
        ({"html": True}, "&lt;br /&gt;x", " x"),
        ({"html": True}, "a<!-- <b>c</b> -->d<script>if (x<y) {}</script>e", "a d e"),
        ({"html": True}, "<3 >:( a <y and z> <!-- open", "<3 >:( a <y and z> <!-- open"),
        ({"urls": "replace"}, "see (https://x.org/a?b=1#c). www.x.org!", "see (http). http!"),
        ({"urls": "remove"}, "see https://x.org now", "see   now"),
        ({"mentions": "replace"}, "@ann_1: mail a@b.org", "@user: mail a@b.org"),
        ({"mentions": "remove"}, "thx @ann!", "thx  !"),
        ({"hashtags": "split"}, "#NotMyDay #so_sad #USAWins", "Not My Day so sad USA Wins"),
        ({"hashtags": "split"}, "#WorldCup2022 #nofilter #1", "World Cup 2022 nofilter #1"),
        ({"hashtags": "split"}, "#ÄrgerÜber #中文", "Ärger Über 中文"),
        ({"hashtags": "remove"}, "so #sad!", "so  !"),
        ({"emoji": "words"}, "😍👍🏽", " smiling face with heart-eyes  thumbs up "),
        ({"emoji": "words"}, "👍👍🏻👍🏼👍🏽👍🏾👍🏿", " thumbs up " * 6),
        ({"emoji": "remove"}, "good😍 ©", "good  ©"),
        ({"elongations": True}, "sooooo goood YEEESSS !!! 1000", "soo good YEESS !!! 1000"),
        ({"elongations": True}, "III www hmmm xxxx", "III www hmm xx"),
        ({"whitespace": True}, " a\n\n b\u3000c\t", "a b c"),
        ({"lowercase": True}, "LOUD Ä", "loud ä"),
    ],
)
def test_each_step_can_be_applied_separately(switch, dirty, cleaned):
    assert clean_only(dirty, **switch) == cleaned
    assert clean_only(dirty) == dirty


def test_kept_urls_are_unchanged():
    address = "https://x.org/@ann/#SoSad/wwww/gooood"
    assert clean(f"see {address} goood", urls="keep") == f"see {address} good"


def test_defaults_keep_sentiment():
    text = "NOT good!!! :-( :) <3 I can't... but it's #1"
    assert clean(text) == text


def test_cleaning_is_idempotent():
    texts = ["<b>Sooo</b> 😍 #BestDay @ann www.x.org", "&amp;amp", "cafÃ©", "III"]
    once = TextCleaner(html=False).fit_transform(texts)
    np.testing.assert_array_equal(TextCleaner(html=False).fit_transform(once), once)


@pytest.mark.parametrize(
    "text",
    [
        "lone \ud800 surrogate",
        "\ud83d\ude00 a pair in halves",
        "null \0 byte",
        "ภาษาไทย",
        "שלום",
        "مرحبا",
        "😀" * 100_000,
        "<!--" * 250_000,
        "<b " * 300_000,
        "#aB" * 300_000,
        "@a " * 300_000,
        "http://" * 100_000,
        "http://" + "." * 1_000_000,
        "www.)" * 200_000,
        "<script>" * 100_000,
        "a" * 1_000_000,
        "wörd " * 100_000,
    ],
    ids=lambda text: ascii(text[:12]),
)
def test_unusual_texts_are_cleaned_in_time(text):
    start = time.perf_counter()
    cleaned = clean(text)
    assert time.perf_counter() - start < 20  # quadratic run time would take minutes
    cleaned.encode()


def test_surrogates_are_joined_or_replaced():
    assert clean("\ud83d\ude00 \ud800") == "grinning face \ufffd"


def test_pure_markup_becomes_missing():
    pipe = make_plain_pipeline(TextCleaner(mentions="remove"), TfidfEmbedder(2))
    features = pipe.fit_transform(["good day", "<br>@ann", "bad"])
    np.testing.assert_array_equal(np.isnan(features).all(axis=1), [False, True, False])


# -- containers ----------------------------------------------------------------------------------


def test_container_types_and_missing_cells():
    cells = ["so #Sad", None, float("nan"), "", pd.NA]
    series = pd.Series(cells, index=list("abcde"), name="post", dtype=object)
    cleaner = TextCleaner().fit(series)
    cleaned = cleaner.transform(series)
    expected = pd.Series(["so Sad", *cells[1:]], index=series.index, name="post", dtype=object)
    pd.testing.assert_series_equal(cleaned, expected)
    pd.testing.assert_frame_equal(cleaner.transform(series.to_frame()), expected.to_frame())
    array = cleaner.transform(cells)
    assert isinstance(array, np.ndarray)
    assert (array[0], array[1], array.shape) == ("so Sad", None, (5,))
    assert cleaner.transform([]).shape == (0,)
    assert cleaner.get_feature_names_out().tolist() == ["post"]
    assert series.tolist()[0] == "so #Sad"
    table = cleaner.set_output(transform="pandas").transform(series)
    pd.testing.assert_frame_equal(table, expected.to_frame())


def test_pandas_string_columns():
    series = pd.Series(["so #Sad", None], dtype="str")
    cleaned = TextCleaner().fit_transform(series)
    assert cleaned.iloc[0] == "so Sad"
    assert cleaned.isna().tolist() == [False, True]


@pytest.mark.parametrize("cell", [3, b"bytes", ["words"]])
def test_non_text_cell_error(cell):
    column = pd.Series(["fine", cell], name="post", index=[7, 8], dtype=object)
    message = r"^TextCleaner: row 1 \(index 8\), column 'post', cell .*expected a text \(str\)"
    with pytest.raises(CellError, match=message):
        TextCleaner().fit_transform(column)
    with pytest.warns(UserWarning, match="^TextCleaner: 1 of 2 cells") as caught:
        cleaned = TextCleaner(on_error="missing").fit(column).transform(column)
    assert cleaned.tolist() == ["fine", None]
    assert caught[0].filename == __file__


@pytest.mark.parametrize(("package", "text"), [("ftfy", "a"), ("emoji", "ä😀")])
def test_missing_package_error_names_the_extra(monkeypatch, package, text):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingDependencyError, match=rf"TextCleaner needs .*'{package}'.*\[text\]"):
        clean(text)


def test_clone_and_pickle():
    cleaner = TextCleaner(lowercase=True).fit(["A"])
    assert pickle.loads(pickle.dumps(cleaner)).transform(["AB"])[0] == "ab"
    assert clone(cleaner).lowercase


# -- pipelines with extractors -------------------------------------------------------------------

POSTS = pd.DataFrame(
    {"post": ["#GoodDay 😍", "a good day", None, "#BadDay", "a bad day", "BAD &amp; sad"]},
    index=list("abcdef"),
)


def test_in_make_extractor():
    pipe = make_plain_pipeline(TextCleaner(), TfidfEmbedder(3))
    extract = make_extractor(text=("post", pipe))
    table = extract.fit_transform(POSTS)
    assert table.columns.tolist() == ["text__lsa000", "text__lsa001", "text__lsa002"]
    assert table.index.tolist() == POSTS.index.tolist()
    assert table.isna().all(axis=1).tolist() == [False, False, True, False, False, False]
    np.testing.assert_allclose(extract.transform({"post": "#GoodDay 😍"}), table.iloc[:1])
    bad = POSTS.astype(object)
    bad.iloc[3, 0] = 7
    with pytest.raises(CellError, match=r"^TextCleaner: row 3 \(index 'd'\), column 'post'"):
        extract.transform(bad)


def test_pipelines_with_cached_and_foreign_extractors():
    parts = {
        "own": make_plain_pipeline(TextCleaner(), TfidfEmbedder(2)),
        "foreign": make_plain_pipeline(TextCleaner(), TfidfVectorizer(), TruncatedSVD(2)),
    }
    table = make_extractor(text=("post", parts)).fit_transform(POSTS)
    assert table.shape == (6, 4)
    assert table.isna().all(axis=1).tolist() == [False, False, True, False, False, False]


def test_cache_key_is_the_cleaned_text(tmp_path):
    from sklearn_mmsent import TextEmbedder

    class Lengths(TextEmbedder):
        def _encode(self, loaded):
            return np.array([[len(text)] for text in loaded])

        def _feature_names(self):
            return ["n"]

        def _fingerprint(self):
            return ""

    cached = Cached(Lengths(), tmp_path / "store")
    features = make_plain_pipeline(TextCleaner(), cached).fit_transform(["a  b", "a b", "#a b"])
    np.testing.assert_array_equal(features, [[3], [3], [3]])
    assert len(cached) == 1


def test_parameters_can_be_searched():
    pipe = make_pipeline(
        make_extractor(text=("post", make_plain_pipeline(TextCleaner(), TfidfEmbedder(2)))),
        FusionClassifier(max_epochs=1, early_stopping=False, random_state=0),
    )
    name = "multimodalextractor__text__textcleaner__hashtags"
    X, y = pd.concat([POSTS] * 4, ignore_index=True), [1, 1, 1, 0, 0, 0] * 4
    search = GridSearchCV(pipe, {name: ["split", "keep"]}, cv=2, error_score="raise").fit(X, y)
    assert set(search.best_params_) == {name}
