"""How far what modalities say alone is apart.

Of two modalities that predict classes c and d with probabilities p_c and q_d, their labels would
contradict each other with probability x = sum of p_c q_d over contradicting c and d, and be the
same with probability s = sum of p_c q_c. The conflict is x / (x + s), how probable a contradiction
is among the two. Where all different classes contradict, that is 1 - sum p_c q_c, the probability
that two draws differ (Gini, Simpson). A divergence such as Jensen-Shannon's tells instead whether
the distributions differ, and calls two modalities that are both unsure alike.
"""

from itertools import combinations

import numpy as np


def conflict_of_classes(probabilities, contradicts):
    """Return the conflict of each row, mean over pairs of modalities.

    Parameters
    ----------
    probabilities : list of ndarray of shape (n_samples, n_classes)
        What each modality says; NaN in rows that lack it.
    contradicts : ndarray of bool of shape (n_classes, n_classes)
        Symmetric: which classes contradict each other.

    Returns
    -------
    ndarray of shape (n_samples,)
        From 0 to 1; NaN in rows of fewer than two modalities.
    """

    def conflict(p, q):
        opposed = np.einsum("nc,cd,nd->n", p, contradicts.astype(float), q)
        same = (p * q).sum(axis=1)
        return opposed / np.maximum(opposed + same, 1e-300)

    return _mean_over_pairs(probabilities, conflict)


def conflict_of_intensities(intensities, scale):
    """Return the conflict of each row: the mean distance of two modalities, in units of `scale`.

    Parameters
    ----------
    intensities : list of ndarray of shape (n_samples,)
        What each modality says; NaN in rows that lack it.
    scale : float
        Distance that counts as one.

    Returns
    -------
    ndarray of shape (n_samples,)
        From 0 up; NaN in rows of fewer than two modalities.
    """
    return _mean_over_pairs(intensities, lambda a, b: np.abs(a - b) / scale)


def contradictions(classes, opposites, *, owner):
    """Return which classes contradict each other.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
        All classes.
    opposites : list of pairs of labels or None
        None for all that differ.
    owner : str
        Who asks, for messages.

    Returns
    -------
    ndarray of bool of shape (n_classes, n_classes)
        Symmetric.
    """
    if opposites is None:
        return ~np.eye(len(classes), dtype=bool)
    known = classes.tolist()
    matrix = np.zeros((len(classes), len(classes)), dtype=bool)
    for pair in opposites:
        if len(pair) != 2 or not set(pair) <= set(known) or pair[0] == pair[1]:
            raise ValueError(
                f"{owner}: opposites must be pairs of two different classes out of "
                f"{', '.join(map(repr, known))}; got {pair!r}."
            )
        first, second = (known.index(label) for label in pair)
        matrix[first, second] = matrix[second, first] = True
    return matrix


def _mean_over_pairs(predictions, distance):
    pairs = [distance(one, other) for one, other in combinations(predictions, 2)]
    found = np.ma.masked_invalid(pairs).mean(axis=0)
    return np.ma.filled(found.astype(float), np.nan)
