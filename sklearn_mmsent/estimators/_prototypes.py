"""Prototypes from few rows: class means, and distances under a shrunk covariance.

Shapes: N rows, D features, C classes.
"""

import numpy as np
from scipy.special import softmax


class ShrunkPrototypes:
    """Class means and a shared covariance, shrunk towards a sphere by several amounts at once.

    Few rows do not suffice to choose one amount: the discriminants of all amounts are brought to
    one scale and averaged.

    Parameters
    ----------
    shrinkages : sequence of float
        Weights of the sphere, above 0 and up to 1.
    """

    def __init__(self, shrinkages):
        self.shrinkages = shrinkages

    def fit(self, rows, shares):
        """Estimate means and covariance from rows with shares of classes.

        Parameters
        ----------
        rows : ndarray of shape (N, D)
            NaN where a row lacks a feature.
        shares : ndarray of shape (N, C)
            Not negative; each class has a share of some row.

        Returns
        -------
        self : object
        """
        observed = ~np.isnan(rows)
        filled = np.where(observed, rows, 0.0)
        means = (shares.T @ filled) / np.maximum(shares.T @ observed, 1e-12)  # (C, D)
        self._center = means.mean(axis=0)
        means = means - self._center
        variances, axes = _spread(filled - self._center, observed, shares, means)
        n_dimensions = max(1, min(len(rows) - 1, rows.shape[1]))
        sphere = variances.sum() / n_dimensions or 1.0  # equal rows have no spread
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
        """Return the discriminants (N, C) of rows (N, D) without NaN."""
        return (rows - self._center) @ self._weights.T + self._offsets


def _spread(rows, observed, shares, means):
    """Return variances (K,) around the class means and their axes (K, D)."""
    residuals = [
        np.where(observed, rows - mean, 0.0)[share > 0] * np.sqrt(share[share > 0])[:, None]
        for mean, share in zip(means, shares.T, strict=True)
    ]
    n_dimensions = rows.shape[1]
    if sum(map(len, residuals)) < n_dimensions:
        _, sizes, axes = np.linalg.svd(np.concatenate(residuals), full_matrices=False)
        return sizes**2 / shares.sum(), axes
    variances, axes = np.linalg.eigh(sum(part.T @ part for part in residuals) / shares.sum())
    return variances.clip(min=0.0), axes.T


def with_unlabelled(prototypes, rows, shares, unlabelled, weight, sharpness, n_rounds):
    """Fit prototypes to labelled and unlabelled rows (expectation-maximisation).

    Parameters
    ----------
    prototypes : ShrunkPrototypes
        Fitted in place.
    rows, shares : ndarray of shape (N, D) and (N, C)
        Labelled rows and their shares of classes.
    unlabelled : ndarray of shape (U, D)
        NaN where a row lacks a feature.
    weight : float
        Weight of an unlabelled row, relative to a labelled one.
    sharpness : float
        Scale of the scores in the softmax that assigns unlabelled rows to classes.
    n_rounds : int
        Number of assignments of the unlabelled rows.

    Returns
    -------
    ShrunkPrototypes
    """
    prototypes.fit(rows, shares)
    filled = np.where(np.isnan(unlabelled), 0.0, unlabelled)
    both = np.concatenate([rows, unlabelled])
    for _ in range(n_rounds):
        assigned = softmax(sharpness * prototypes.scores(filled), axis=1)
        prototypes.fit(both, np.concatenate([shares, weight * assigned]))
    return prototypes
