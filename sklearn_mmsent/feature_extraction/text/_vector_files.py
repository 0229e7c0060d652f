"""Word vector files: format detection, loading once per process, and checks."""

import os
import threading
from collections import OrderedDict
from pathlib import Path

import numpy as np

from sklearn_mmsent.exceptions import DataFormatError
from sklearn_mmsent.utils._optional import import_optional

_OWNER = "Word2VecEmbedder"
_MAX_FILES = 2  # cached, since each may take gigabytes

_loaded = OrderedDict()  # (path, size, modification time) -> KeyedVectors
_loading = threading.Lock()


def load_vectors(path):
    """Return the vectors of a file from the cache of this process, or load them.

    Accepts text and binary files of word2vec and text files of GloVe, also compressed (``.gz``).
    Raises a DataFormatError for other files. Pickles of gensim are not read, since they can
    execute code.
    """
    path = Path(path).expanduser()
    try:
        state = path.stat()
    except OSError as error:
        raise DataFormatError(
            f"{_OWNER} cannot read the file of word vectors {str(path)!r}: {error}."
        ) from error
    key = (os.path.abspath(path), state.st_size, state.st_mtime_ns)
    with _loading:
        if key not in _loaded:
            _loaded[key] = _load(path)
        _loaded.move_to_end(key)
        while len(_loaded) > _MAX_FILES:
            _loaded.popitem(last=False)
        return _loaded[key]


def _load(path):
    keyed = import_optional("gensim.models.keyedvectors", extra="text", needed_by=_OWNER)
    try:
        is_binary, n_words, width = _detect_format(path)
        if is_binary:
            vectors = keyed.KeyedVectors.load_word2vec_format(
                str(path), binary=True, unicode_errors="replace"
            )
        else:
            rows = _read_text(path, n_words, width)
            vectors = keyed.KeyedVectors(width)
            vectors.add_vectors(list(rows), np.stack(list(rows.values())))
    except (OSError, EOFError, ValueError, MemoryError) as error:
        raise DataFormatError(
            f"{_OWNER} cannot read the file of word vectors {str(path)!r}: "
            f"{type(error).__name__}: {error}. Pass a text or binary file of word2vec or a text "
            "file of GloVe; load files written by `save` of gensim with KeyedVectors.load and pass "
            "the object."
        ) from error
    if len(vectors) == 0 or not np.isfinite(vectors.vectors).all():
        problem = "holds no vectors" if len(vectors) == 0 else "holds NaN or infinite numbers"
        raise DataFormatError(f"{_OWNER}: the file of word vectors {str(path)!r} {problem}.")
    return vectors


def _open(path):
    return import_optional("smart_open", extra="text", needed_by=_OWNER).open(str(path), "rb")


def _detect_format(path):
    """Return whether the file is binary, the number of words (or None) and the width."""
    with _open(path) as file:
        first, second = file.readline(2**20).split(), file.readline(2**20).split()
    if len(first) == 2 and all(field.isdigit() for field in first):
        n_words, width = map(int, first)
        return not (len(second) > 1 and all(map(_is_number, second[-width:]))), n_words, width
    if len(first) > 2 and _is_number(first[-1]):
        return False, None, len(first) - 1
    raise ValueError("the first line is neither a header of two numbers nor a word and its vector")


def _read_text(path, n_words, width):
    """Read words and vectors; the reader of gensim would silently pad short lines."""
    rows, n_read = {}, 0
    with _open(path) as file:
        if n_words is not None:
            file.readline()
        for line in file:
            word, *numbers = line.rstrip().rsplit(None, width)  # words of GloVe may hold spaces
            if len(numbers) != width:
                raise ValueError(f"word {n_read} has {len(numbers)} numbers instead of {width}")
            vector = np.array(list(map(float, numbers)), dtype=np.float32)
            rows.setdefault(word.decode("utf-8", "replace"), vector)
            n_read += 1
    if n_words not in (None, n_read):
        raise ValueError(f"the header declares {n_words} words, but {n_read} follow")
    return rows


def _is_number(field):
    try:
        float(field)
    except ValueError:
        return False
    return True
