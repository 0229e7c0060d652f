"""Features on disk: found by content, shared, bounded, and never wrong."""

import os
import pickle
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from importlib import metadata

import numpy as np
import pandas as pd
import pytest
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils._param_validation import InvalidParameterError

from sklearn_mmsent.exceptions import CellError, DataFormatError
from sklearn_mmsent.feature_extraction import BaseExtractor, Cached, cache
from sklearn_mmsent.feature_extraction._store import FeatureStore
from sklearn_mmsent.feature_extraction.text import SentimentLexicon, TextCleaner, TfidfEmbedder


class Bytes(BaseExtractor):
    """Histogram of a cell's bytes; counts the cells it encodes."""

    encoded = 0
    _parameter_constraints: dict = {
        **BaseExtractor._parameter_constraints,
        "scale": "no_validation",
    }

    def __init__(self, scale=1.0, *, on_error="raise", batch_size=4, n_jobs=None):
        self.scale = scale
        self.on_error = on_error
        self.batch_size = batch_size
        self.n_jobs = n_jobs

    def _load(self, cell):
        if isinstance(cell, bytes):
            content = cell
        elif isinstance(cell, np.ndarray):
            content = cell.tobytes()
        elif os.path.isfile(cell):
            with open(cell, "rb") as file:
                content = file.read()
        else:
            raise CellError("there is no such file")
        return np.frombuffer(content, dtype=np.uint8)

    def _encode(self, loaded):
        Bytes.encoded += len(loaded)
        return [np.bincount(content, minlength=256) / self.scale / 3 for content in loaded]

    def _feature_names(self):
        return [f"byte{i:03d}" for i in range(256)]


class Learned(Bytes):
    _stateless = False


@pytest.fixture(autouse=True)
def forget():
    Bytes.encoded = 0


CELLS = [b"one", b"two", None, b"three", b"one", b"five", b"six", b"seven"]


def test_cached_results_equal_uncached_ones_bit_for_bit(tmp_path):
    plain = Bytes().fit_transform(CELLS)
    cold = Cached(Bytes(), tmp_path).fit_transform(CELLS)
    assert Bytes.encoded == 12
    warm = Cached(Bytes(), tmp_path).fit_transform(CELLS[::-1])[::-1]
    assert Bytes.encoded == 12
    assert plain.dtype == cold.dtype == warm.dtype == np.float32
    assert plain.tobytes() == cold.tobytes() == warm.tobytes()


def test_only_new_cells_are_extracted(tmp_path):
    Cached(Bytes(), tmp_path).fit_transform(CELLS[:3])
    features = Cached(Bytes(), tmp_path).fit_transform(CELLS)
    assert Bytes.encoded == 6
    np.testing.assert_array_equal(features, Bytes().fit_transform(CELLS))


def test_a_store_is_keyed_by_content_not_by_path(tmp_path):
    paths = [tmp_path / name for name in ("a.bin", "b.bin", "c.bin")]
    for path, content in zip(paths, (b"same", b"same", b"other"), strict=True):
        path.write_bytes(content)
    cached = Cached(Bytes(), tmp_path / "store")
    first = cached.fit_transform([*paths, str(paths[0])])
    assert Bytes.encoded == len(cached) == 2
    np.testing.assert_array_equal(first[[0, 1, 3]], first[[0, 0, 0]])

    stat = paths[0].stat()
    paths[0].write_bytes(b"emas")
    os.utime(paths[0], ns=(stat.st_atime_ns, stat.st_mtime_ns))
    cached.transform([paths[0]])
    assert Bytes.encoded == 3


class Lengths(BaseExtractor):
    modality = "text"

    def _load(self, cell):
        return cell

    def _encode(self, loaded):
        return [[len(text)] for text in loaded]

    def _feature_names(self):
        return ["length"]


def test_a_text_is_never_read_as_a_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for text in ("joy", "sadness"):
        (tmp_path / text).write_bytes(b"same")
    features = Cached(Lengths(), tmp_path / "store").fit_transform(["joy", "sadness"])
    np.testing.assert_array_equal(features, [[3], [7]])


def test_the_key_includes_relevant_parameters_and_versions(tmp_path, monkeypatch):
    cell = [b"cell"]
    for scale in (1.0, 2.0, np.float64(2.0), (1, 2)[1]):
        features = Cached(Bytes(scale), tmp_path).fit_transform(cell)
        assert features.max() == pytest.approx(2 / scale / 3)  # two "l"
    n_encoded = Bytes.encoded
    for neutral in ({"on_error": "missing"}, {"batch_size": 1}, {"n_jobs": 2}):
        Cached(Bytes(**neutral), tmp_path).fit_transform(cell)
    assert Bytes.encoded == n_encoded == 3

    monkeypatch.setattr(cache, "_version", lambda name: metadata.version(name) + ".post1")
    monkeypatch.setattr(Bytes, "_libraries", ("numpy",))
    Cached(Bytes(), tmp_path).fit_transform(cell)
    assert Bytes.encoded == n_encoded + 1


@pytest.mark.parametrize("scale", [np.ones(256), [1] * 256])
def test_parameters_may_be_containers(tmp_path, scale):
    class Scaled(Bytes):
        def _encode(self, loaded):
            return super()._encode(loaded) if np.isscalar(self.scale) else np.ones((1, 256))

    Cached(Scaled(scale), tmp_path).fit_transform([b"a"])
    Cached(Scaled(scale), tmp_path).fit_transform([b"a"])
    assert len(Cached(Scaled(scale), tmp_path)) == 1


def test_a_parameter_that_cannot_be_compared_raises(tmp_path):
    with pytest.raises(InvalidParameterError, match="Cached cannot compare values of type object"):
        Cached(Bytes(object()), tmp_path).fit_transform([b"a"])


def test_an_extractor_that_learns_raises(tmp_path):
    for extractor in (Learned(), TfidfEmbedder()):
        with pytest.raises(InvalidParameterError, match="learns nothing from its training rows"):
            Cached(extractor, tmp_path).fit(["a text"])


def test_failures_are_reported_and_not_cached(tmp_path):
    cells = pd.Series([b"fine", str(tmp_path / "late.bin")], index=["x", "y"], name="clip")
    cached = Cached(Bytes(), tmp_path / "store").fit(cells)
    with pytest.raises(CellError, match=r"Bytes: row 1 \(index 'y'\), column 'clip'.*no such file"):
        cached.transform(cells)
    assert len(cached) == 1
    lenient = clone(cached).set_params(extractor__on_error="missing").fit(cells)
    with pytest.warns(UserWarning, match="Bytes: 1 of 2 cells"):
        assert np.isnan(lenient.transform(cells)[1]).all()
    (tmp_path / "late.bin").write_bytes(b"here now")
    assert not np.isnan(cached.transform(cells)).any()


def test_cells_of_unknown_content_are_extracted_each_time(tmp_path, monkeypatch):
    monkeypatch.setattr(Bytes, "_load", lambda self, cell: np.zeros(3, dtype=np.uint8))
    cached = Cached(Bytes(), tmp_path).fit([])
    thing = object()
    for _ in range(2):
        assert cached.transform([thing, None, thing]).shape == (3, 256)
    assert Bytes.encoded == 2
    assert len(cached) == 0


def test_it_is_a_transformer(tmp_path):
    cached = Cached(Bytes(), tmp_path).set_output(transform="pandas")
    table = cached.fit_transform(pd.Series(CELLS, index=list("abcdefgh")))
    assert list(table.columns) == list(cached.get_feature_names_out())
    assert list(table.index) == list("abcdefgh")
    assert cached.get_params()["extractor__batch_size"] == 4
    again = pickle.loads(pickle.dumps(cached)).transform(CELLS)
    np.testing.assert_array_equal(again, table)
    assert not hasattr(clone(cached), "extractor_")


def test_an_empty_store_is_not_false_and_can_be_cleared(tmp_path):
    cached = Cached(Bytes(), tmp_path)
    assert cached
    assert len(cached) == 0
    empty = cached.size()
    cached.fit_transform([bytes([i, j]) for i in range(10) for j in range(10)])
    assert len(cached) == 100
    assert cached.size() > empty + 100 * 1024
    cached.clear()
    assert (len(cached), cached.size()) == (0, empty)


def test_the_least_recently_used_results_are_dropped_first(tmp_path):
    cached = Cached(Bytes(batch_size=50), tmp_path, max_bytes=2**20).fit([])
    keep = [b"keep"]
    for start in range(0, 2000, 100):
        cached.transform(keep)
        cached.transform([str(i).encode() for i in range(start, start + 100)])
        assert cached.size() <= 2**20
    assert 300 < len(cached) < 1000
    n_encoded = Bytes.encoded
    cached.transform([*keep, b"1999", b"1950"])
    assert Bytes.encoded == n_encoded
    cached.transform([b"0"])
    assert Bytes.encoded == n_encoded + 1


def test_a_cross_validation_extracts_each_cell_once(tmp_path):
    cells = np.array([f"{i} {'ab'[i % 2] * 9}".encode() for i in range(30)], dtype=object)
    pipeline = make_pipeline(Cached(Bytes(), tmp_path), LogisticRegression())
    scores = cross_val_score(pipeline, cells, np.arange(30) % 2, cv=5, error_score="raise")
    assert scores.mean() == 1
    assert Bytes.encoded == 30


def test_folds_and_trials_of_a_search_extract_each_cell_once(tmp_path):
    cells = np.array([f"{i} {'ab'[i % 2] * 9}".encode() for i in range(30)], dtype=object)
    pipeline = make_pipeline(Cached(Bytes(), tmp_path), LogisticRegression())
    search = GridSearchCV(pipeline, {"logisticregression__C": [0.1, 1.0, 10.0]}, cv=3)
    search.fit(cells, np.arange(30) % 2)
    assert Bytes.encoded == 30
    search.set_params(param_grid={"cached__extractor__scale": [1.0, 2.0]}).fit(
        cells, np.arange(30) % 2
    )
    assert Bytes.encoded == 60  # the new scale's, each once


def test_workers_share_a_store(tmp_path):
    cached = Cached(Bytes(n_jobs=2, batch_size=2), tmp_path).fit([])
    parts = [[str(i).encode() for i in range(start, start + 40)] for start in (0, 20, 40)]
    results = Parallel(n_jobs=2)(delayed(cached.transform)(part) for part in parts)
    for part, result in zip(parts, results, strict=True):
        np.testing.assert_array_equal(result, Bytes().fit_transform(part))
    assert len(cached) == 80


def test_a_forked_process_can_use_a_store_its_parent_has_used(tmp_path):
    cached = Cached(Bytes(), tmp_path).fit([])
    cached.transform([b"parent"])
    child = os.fork()
    if child == 0:
        cached.transform([b"parent", b"child"])
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert len(cached) == 2


WRITER = """
import sys, time
sys.path.insert(0, sys.argv[2])
from sklearn_mmsent.feature_extraction import BaseExtractor, Cached
import numpy as np

class Slow(BaseExtractor):
    _parameter_constraints = {**BaseExtractor._parameter_constraints}
    def __init__(self, *, on_error="raise", batch_size=5, n_jobs=None):
        self.on_error, self.batch_size, self.n_jobs = on_error, batch_size, n_jobs
    def _load(self, cell):
        return cell
    def _encode(self, loaded):
        time.sleep(float(sys.argv[3]))
        with open(sys.argv[1] + ".log", "a") as log:
            log.write(" ".join(cell.decode() for cell in loaded) + " ")
        return np.array([[float(cell)] * 1000 for cell in loaded])
    def _feature_names(self):
        return [f"f{i:03d}" for i in range(1000)]

cells = [str(i).encode() for i in range(200)]
print("start", flush=True)
X = Cached(Slow(), sys.argv[1]).fit_transform(cells)
assert (X[:, 0] == np.arange(200)).all() and (X == X[:, :1]).all()
"""


def start_writer(tmp_path, pause):
    script = tmp_path / "writer.py"
    script.write_text(WRITER)
    command = [sys.executable, script, tmp_path / "store", os.getcwd(), str(pause)]
    return subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, text=True)


def check_store(path):
    with sqlite3.connect(path / "features-v2.sqlite3") as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        entries, rows, both = db.execute(
            "SELECT (SELECT COUNT(*) FROM entries), (SELECT COUNT(*) FROM rows), "
            "(SELECT COUNT(*) FROM entries JOIN rows USING (id))"
        ).fetchone()
    db.close()
    assert entries == rows == both
    return entries


def test_a_writer_is_killed_and_two_finish_its_work_at_once(tmp_path):
    victim = start_writer(tmp_path, 0.02)
    store = Cached(Bytes(), tmp_path / "store")
    with victim.stdout:
        victim.stdout.readline()
        while len(store) < 20:
            time.sleep(0.01)
        victim.send_signal(signal.SIGKILL)
        victim.wait()
    assert 20 <= check_store(tmp_path / "store") < 200
    writers = [start_writer(tmp_path, 0.001) for _ in range(2)]
    for writer in writers:
        writer.communicate()
        assert writer.returncode == 0
    assert check_store(tmp_path / "store") == 200


def test_processes_that_need_the_same_cells_share_the_work(tmp_path):
    writers = [start_writer(tmp_path, 0.02) for _ in range(3)]
    for writer in writers:
        writer.communicate()
        assert writer.returncode == 0
    encoded = (tmp_path / "store.log").read_text().split()
    assert sorted(map(int, encoded)) == list(range(200))


def test_claims_of_dead_and_failed_processes_expire(tmp_path):
    store = FeatureStore(tmp_path)
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    assert store.claim([b"a", b"b"], "first") == {b"a", b"b"}
    assert store.claim([b"b", b"c"], "second") == {b"c"}
    store.release("first")
    assert store.claim([b"b"], "third") == {b"b"}
    with closing(sqlite3.connect(store.path)) as db, db:
        db.execute("UPDATE claims SET process = ?", (dead.pid,))
    assert store.claim([b"b", b"c"], "fourth") == {b"b", b"c"}
    cached = Cached(Bytes(on_error="missing"), tmp_path).fit([])
    with pytest.warns(UserWarning, match="1 of 3 cells"):
        cached.transform([b"good", "no bytes", b"fine"])
    with closing(sqlite3.connect(store.path)) as db:
        assert db.execute("SELECT DISTINCT owner FROM claims").fetchall() == [("fourth",)]


def test_a_pipeline_is_cached_as_a_whole(tmp_path):
    texts = ["so &amp; so", "GREAT https://a.bc", "so &amp; so", "https://a.bc", None]
    plain = make_pipeline(TextCleaner(urls="remove"), SentimentLexicon())
    cached = Cached(plain, tmp_path)
    expected = plain.fit_transform(texts)
    for _ in range(2):
        np.testing.assert_array_equal(cached.fit_transform(texts), expected)
        assert len(cached) == 3
    other = make_pipeline(TextCleaner(html=False), SentimentLexicon())
    np.testing.assert_array_equal(
        Cached(other, tmp_path).fit_transform(texts), other.fit_transform(texts)
    )
    assert len(cached) == 6
    assert cached.set_params(extractor__textcleaner__html=False).get_params()


def test_an_error_names_a_file_that_is_no_store(tmp_path):
    (tmp_path / "features-v2.sqlite3").write_bytes(b"no database " * 1000)
    with pytest.raises(DataFormatError, match=r"Cached: the feature store .* cannot be used"):
        Cached(Bytes(), tmp_path).fit_transform([b"a"])


def test_the_store_contains_no_pickles(tmp_path):
    Cached(Bytes(), tmp_path).fit_transform([b"a"])
    with sqlite3.connect(tmp_path / "features-v2.sqlite3") as db:
        (value,) = db.execute("SELECT value FROM rows").fetchone()
    db.close()
    np.testing.assert_array_equal(np.frombuffer(value, "<f4"), Bytes().fit_transform([b"a"])[0])
