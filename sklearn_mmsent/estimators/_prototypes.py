"""Prototypes of few rows: class means, and distances under a covariance that is shrunk.

Shapes: N rows, D features, C classes.
"""

import numpy as np
from scipy.special import softmax


class ShrunkPrototypes:
    """Class means and a shared covariance, shrunk to a sphere by several degrees at once.

    Of few rows no single degree is right, and too few are there to choose one by: the
    discriminants under all of them are brought to one scale and averaged.

    Parameters
    ----------
    shrinkages : sequence of float
        Each above 0 and up to 1: the weight of the sphere.
    """

    def __init__(self, shrinkages):
        self.shrinkages = shrinkages

    def fit(self, rows, shares):
        """Learn from rows that belong to classes by shares.

        Parameters
        ----------
        rows : ndarray of shape (N, D)
            NaN where a row lacks a feature.
        shares : ndarray of shape (N, C)
            Not negative; each class has a part of some row.

        Returns
        -------
        self : object
        """
        there = ~np.isnan(rows)
        filled = np.where(there, rows, 0.0)
        means = (shares.T @ filled) / np.maximum(shares.T @ there, 1e-12)  # (C, D)
        self._center = means.mean(axis=0)
        means = means - self._center
        variances, axes = _spread(filled - self._center, there, shares, means)
        n_dimensions = max(1, min(len(rows) - 1, rows.shape[1]))
        sphere = variances.sum() / n_dimensions or 1.0  # rows that are all alike have no spread
        on_axes = means @ axes.T  # (C, n_axes)
        self._weights, self._offsets = 0.0, 0.0
        for shrinkage in self.shrinkages:
            outside = 1 / (shrinkage * sphere)
            inside = 1 / ((1 - shrinkage) * variances + shrinkage * sphere)
            solved = means * outside + (on_axes * (inside - outside)) @ axes  # (C, D)
            lengths = (means * solved).sum(axis=1)
            spread = max(lengths.mean(), 1e-12)  # of the means, in units of the covariance
            self._weights = self._weights + solved / (spread * len(self.shrinkages))
            self._offsets = self._offsets - lengths / (2 * spread * len(self.shrinkages))
        return self

    def scores(self, rows):
        """Give the discriminants of rows, (N, D) without NaN, as (N, C)."""
        return (rows - self._center) @ self._weights.T + self._offsets


def _spread(rows, there, shares, means):
    """Give variances (K,) around the classes' means, and the axes (K, D) that they lie along."""
    residuals = [
        np.where(there, rows - mean, 0.0)[share > 0] * np.sqrt(share[share > 0])[:, None]
        for mean, share in zip(means, shares.T, strict=True)
    ]
    n_dimensions = rows.shape[1]
    if sum(map(len, residuals)) < n_dimensions:
        _, sizes, axes = np.linalg.svd(np.concatenate(residuals), full_matrices=False)
        return sizes**2 / shares.sum(), axes
    variances, axes = np.linalg.eigh(sum(part.T @ part for part in residuals) / shares.sum())
    return variances.clip(min=0.0), axes.T


def with_unlabelled(prototypes, rows, shares, unlabelled, weight, sharpness, n_rounds):
    """Fit prototypes, and let rows without a label move them (expectation-maximisation).

    Parameters
    ----------
    prototypes : ShrunkPrototypes
        Fitted in place.
    rows, shares : ndarray of shape (N, D) and (N, C)
        Labelled rows and their classes.
    unlabelled : ndarray of shape (U, D)
        NaN where a row lacks a feature.
    weight : float
        Of an unlabelled row, where a labelled one weighs 1.
    sharpness : float
        How surely a score tells the class of an unlabelled row.
    n_rounds : int
        How often they are told their classes anew.

    Returns
    -------
    ShrunkPrototypes
    """
    prototypes.fit(rows, shares)
    filled = np.where(np.isnan(unlabelled), 0.0, unlabelled)
    both = np.concatenate([rows, unlabelled])
    for _ in range(n_rounds):
        told = softmax(sharpness * prototypes.scores(filled), axis=1)
        prototypes.fit(both, np.concatenate([shares, weight * told]))
    return prototypes
