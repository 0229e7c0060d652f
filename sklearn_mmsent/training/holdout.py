"""The internal validation split: groups and identical rows stay on one side."""

import hashlib
import math

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from sklearn_mmsent.blocks.memory_mapped import pieces


def holdout_rows(blocks, fraction, *, seed, groups=None, labels=None):
    """Choose the validation rows of the internal split.

    Rows of one group, rows that are identical in every block, and chains of the
    two are never split. If such chains tie so many groups together that less
    than half of the fraction could be held out, only groups are kept together: a
    short "yes" that every speaker says is not a copy. With labels, the split is
    stratified as far as that allows, and every class keeps training rows.

    Parameters
    ----------
    blocks : list of BlockValues
        Rows to split.
    fraction : float
        Fraction of rows to hold out, between 0 and 1.
    seed : int
        Seed of the choice.
    groups : array-like of shape (n_samples,) or None, default=None
        Group of each row, such as speaker, video or film.
    labels : ndarray of int of shape (n_samples,) or None, default=None
        Class numbers to stratify by.

    Returns
    -------
    ndarray of bool of shape (n_samples,)
        True for the rows held out; all False if no row can be spared.
    """
    content = np.unique(np.asarray(_fingerprints(blocks), dtype="S16"), return_inverse=True)[1]
    n = len(content)
    labels = np.zeros(n, dtype=np.intp) if labels is None else labels
    if groups is None:
        return _choose(content, fraction, labels, seed)
    groups = np.unique(np.asarray(groups), return_inverse=True)[1]
    held = _choose(_chains(content, groups), fraction, labels, seed)
    if held.sum() < fraction * n / 2:
        by_group = _choose(groups, fraction, labels, seed)
        held = max(held, by_group, key=np.sum)
    return held


def _choose(units, fraction, labels, seed):
    """Choose whole units at random that bring the class counts nearer to their fraction."""
    counts = np.zeros((units.max() + 1, labels.max() + 1), dtype=np.intp)  # rows by unit, class
    np.add.at(counts, (units, labels), 1)
    total = counts.sum(axis=0)
    wanted = np.rint(fraction * total).astype(np.intp)
    if wanted.sum() == 0:
        wanted[np.argmax(total)] = 1  # hold out one row of a small set
    held = np.zeros(len(total), dtype=np.intp)
    chosen = np.zeros(len(counts), dtype=bool)
    for unit in np.random.default_rng(seed).permutation(len(counts)):
        after = held + counts[unit]
        nearer = np.abs(after - wanted).sum() < np.abs(held - wanted).sum()
        if nearer and (after < total)[counts[unit] > 0].all():
            chosen[unit], held = True, after
    return chosen[units]


def _fingerprints(blocks):
    """Return one digest per row over all its blocks."""
    digests = []
    width = sum(math.prod(block.values.shape[1:]) for block in blocks)
    for piece in pieces(len(blocks[0].present), width):
        n = piece.stop - piece.start
        parts = [np.ascontiguousarray(block.values[piece]).reshape(n, -1) for block in blocks]
        for i in range(n):
            digest = hashlib.blake2b(digest_size=16)
            for part in parts:
                digest.update(part[i].data)
            digests.append(digest.digest())
    return digests


def _chains(content, groups):
    """Number the connected components of "same group" and "same content"."""
    n = len(content)
    # nodes are rows, contents and groups; a row is connected to its content and its group
    rows = np.arange(n)
    left = np.concatenate([rows, rows])
    right = np.concatenate([n + content, n + content.max() + 1 + groups])
    size = right.max() + 1
    graph = coo_array((np.ones(2 * n, dtype=np.int8), (left, right)), shape=(size, size))
    components = connected_components(graph, directed=False)[1][:n]
    return np.unique(components, return_inverse=True)[1]
