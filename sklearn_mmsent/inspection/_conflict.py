"""Conflict between unimodal predictions.

Two modalities predict class c with probabilities p_c and q_c. Labels drawn from both contradict
each other with probability x = sum of p_c q_d over contradicting c and d, and are equal with
probability s = sum of p_c q_c. The conflict is x / (x + s). If any two different classes contradict
each other, it is 1 - sum p_c q_c, the probability that two draws differ (Gini, Simpson). A
divergence such as Jensen-Shannon's compares the distributions instead, and is zero for two
modalities that are both unsure.
"""

from itertools import combinations

import numpy as np


def conflict_of_classes(probabilities, contradicts):
    """Return the conflict of each row, averaged over pairs of modalities: from 0 to 1.

    Takes probabilities (n_samples, n_classes) by modality, NaN where it is missing, and the
    matrix of contradicting classes. NaN in rows of fewer than two modalities.
    """

    def conflict(p, q):
        opposed = np.einsum("nc,cd,nd->n", p, contradicts.astype(float), q)
        same = (p * q).sum(axis=1)
        return opposed / np.maximum(opposed + same, 1e-300)

    return _mean_over_pairs(probabilities, conflict)


def conflict_of_intensities(intensities, scale):
    """Return the mean distance of each row between two modalities, in units of `scale`.

    Takes intensities (n_samples,) by modality, NaN where it is missing. NaN in rows of fewer than
    two modalities.
    """
    return _mean_over_pairs(intensities, lambda a, b: np.abs(a - b) / scale)


def contradictions(classes, opposites, *, owner):
    """Return a symmetric matrix that is True where two classes contradict each other.

    With `opposites` None, any two different classes do.
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
