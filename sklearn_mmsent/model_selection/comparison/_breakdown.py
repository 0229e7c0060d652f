"""Scores of subsets of the rows, with intervals, from stored predictions."""

import warnings

import numpy as np
import pandas as pd
from scipy.stats import t as student_t

from sklearn_mmsent.model_selection.comparison._scoring import compute
from sklearn_mmsent.model_selection.precomputed import PrecomputedEstimator

#: Number of jackknife blocks; more take longer and hardly change the intervals.
N_BLOCKS = 20


def break_down(records, y, parts, units, scorer, scores, *, confidence_level):
    """Score each model on each subset of the rows, with jackknife intervals.

    `parts` has the subset of each row; rows of equal `units` are left out together. The table is
    that of `Comparison.breakdown`.
    """
    rng = np.random.default_rng(0)
    block_of = rng.permutation(units.max() + 1)[units]
    table = {}
    for model in dict.fromkeys(record.model for record in records):
        fits = [record for record in records if record.model == model]
        stored = PrecomputedEstimator.concatenate([record.responses for record in fits])
        rows = np.concatenate([record.split.test for record in fits])
        for part in np.unique(parts[rows]):
            places = np.flatnonzero(parts[rows] == part)
            blocks = _blocks(block_of[rows[places]])

            def score_rows(chosen, stored=stored, rows=rows):
                return _score(scorer, stored, chosen, y[rows[chosen]], scores)

            table[model, part] = {
                ("rows", ""): len(np.unique(rows[places])),
                **_jackknife(score_rows, places, blocks, scores, confidence_level),
            }
    frame = pd.DataFrame.from_dict(table, orient="index")
    frame.columns = pd.MultiIndex.from_tuples(frame.columns, names=["score", "statistic"])
    frame.index = pd.MultiIndex.from_tuples(frame.index, names=["model", "part"])
    return frame


def _blocks(order):
    """Assign units to at most `N_BLOCKS` blocks of about equal size."""
    dense = np.unique(order, return_inverse=True)[1]
    return dense % min(N_BLOCKS, dense.max() + 1)


def _jackknife(score_rows, places, blocks, scores, confidence_level):
    """Return scores with intervals of the delete-a-group jackknife.

    Kott, "The Delete-a-Group Jackknife", Journal of Official Statistics 17, 2001.
    """
    whole = score_rows(places)
    n_blocks = blocks.max() + 1
    if n_blocks > 1:
        without = np.array([score_rows(places[blocks != block]) for block in range(n_blocks)])
        error = np.sqrt((n_blocks - 1) * np.mean((without - without.mean(axis=0)) ** 2, axis=0))
        half = student_t.ppf((1 + confidence_level) / 2, n_blocks - 1) * error
    else:
        half = np.full(len(scores), np.nan)
    cells = {}
    for name, value, width in zip(scores, whole, half, strict=True):
        cells |= {(name, "mean"): value, (name, "low"): value - width}
        cells[name, "high"] = value + width
    return cells


def _score(scorer, stored, places, y, scores):
    with warnings.catch_warnings():
        # subsets often lack a class
        warnings.simplefilter("ignore")
        values = compute(scorer, stored, places, y)
    return np.array([values[name] for name in scores])
