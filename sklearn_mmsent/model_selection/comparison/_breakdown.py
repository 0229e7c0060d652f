"""Scores of parts of the rows, with intervals, from predictions that were kept."""

import warnings

import numpy as np
import pandas as pd
from scipy.stats import t as student_t

from sklearn_mmsent.model_selection.comparison._responses import Kept
from sklearn_mmsent.model_selection.comparison._scoring import compute

#: Parts that are left out in turn; with more, intervals hardly change, and take longer.
N_BLOCKS = 20


def break_down(runs, y, parts, units, scorer, scores, *, confidence_level, random_state=0):
    """Score each model on each part of the rows.

    Parameters
    ----------
    runs : list of Run
        All that have not failed.
    y : ndarray of shape (n_samples,) or (n_samples, n_targets)
        Targets.
    parts : ndarray of shape (n_samples,)
        What part a row belongs to.
    units : ndarray of int of shape (n_samples,)
        Rows that are left out together: their groups, or themselves.
    scorer : callable
        As `choose_scorer` gives it.
    scores : list of str
        Names of the scores.
    confidence_level : float
        Of the intervals.
    random_state : int, default=0
        Deals units out to blocks.

    Returns
    -------
    DataFrame of shape (n_models * n_parts, 1 + 3 * n_scores)
        ``rows``, and for each score ``mean``, ``low`` and ``high``; indexed by model and part.
    """
    rng = np.random.default_rng(random_state)
    block_of = rng.permutation(units.max() + 1)[units]
    table = {}
    for model in dict.fromkeys(run.model for run in runs):
        own = [run for run in runs if run.model == model]
        kept = Kept.joined([run.kept for run in own])
        rows = np.concatenate([run.split.test for run in own])
        for part in np.unique(parts[rows]):
            places = np.flatnonzero(parts[rows] == part)
            blocks = _blocks(block_of[rows[places]])

            def score_of(chosen, kept=kept, rows=rows):
                return _score(scorer, kept, chosen, y[rows[chosen]], scores)

            table[model, part] = {
                ("rows", ""): len(np.unique(rows[places])),
                **_jackknife(score_of, places, blocks, scores, confidence_level),
            }
    frame = pd.DataFrame.from_dict(table, orient="index")
    frame.columns = pd.MultiIndex.from_tuples(frame.columns, names=["score", "statistic"])
    frame.index = pd.MultiIndex.from_tuples(frame.index, names=["model", "part"])
    return frame


def _blocks(order):
    """Deal units out to at most `N_BLOCKS` blocks of about equal size."""
    dense = np.unique(order, return_inverse=True)[1]
    return dense % min(N_BLOCKS, dense.max() + 1)


def _jackknife(score_of, places, blocks, scores, confidence_level):
    """Score rows, and again without each block of them: how far scores move is how sure they are.

    The delete-a-group jackknife (Kott, "The Delete-a-Group Jackknife", Journal of Official
    Statistics 17, 2001).
    """
    whole = score_of(places)
    n_blocks = blocks.max() + 1
    if n_blocks > 1:
        without = np.array([score_of(places[blocks != block]) for block in range(n_blocks)])
        error = np.sqrt((n_blocks - 1) * np.mean((without - without.mean(axis=0)) ** 2, axis=0))
        half = student_t.ppf((1 + confidence_level) / 2, n_blocks - 1) * error
    else:
        half = np.full(len(scores), np.nan)
    cells = {}
    for name, value, width in zip(scores, whole, half, strict=True):
        cells |= {(name, "mean"): value, (name, "low"): value - width}
        cells[name, "high"] = value + width
    return cells


def _score(scorer, kept, places, y, scores):
    with warnings.catch_warnings():
        # parts without one of the classes are usual here
        warnings.simplefilter("ignore")
        values = compute(scorer, kept, places, y)
    return np.array([values[name] for name in scores])
