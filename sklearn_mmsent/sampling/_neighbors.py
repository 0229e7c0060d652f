"""Nearest neighbours in a table of blocks, with equal weights for all modalities."""

import numpy as np
from sklearn.neighbors import NearestNeighbors

from sklearn_mmsent.blocks.memory_mapped import pieces
from sklearn_mmsent.blocks.moments import statistics_of


class BlockSpace:
    """Distances between rows over the modalities that both have; scales are learned from `table`.

    Each feature is standardised over its observed values (pooled over the steps of a sequence, per
    channel of an image), and each block is divided by its spread, so that all blocks have the same
    average distance. The squared distance of two rows is the mean over the modalities that both
    have, and within a modality over the blocks that both have. Padding and single missing values
    are set to the mean. Token ids are ignored.
    """

    def __init__(self, table):
        self.table = table
        self.blocks = np.flatnonzero(table.blended)
        values = [table.values[i] for i in self.blocks]
        self.scales = []
        for data, (mean, scale) in zip(
            values, statistics_of(values) if values else [], strict=True
        ):
            self.scales.append((mean, scale * _spread(data, mean, scale)))

    def nearest(self, rows, queries, k, n_jobs=None):
        """Find the `k` nearest neighbours of some rows among others, (n_queries, k), nearest first.

        `rows` are rows of the table to search; `queries` and the result are positions in ``rows``.
        A row that shares a modality with fewer than ``k`` others is filled up with itself, and
        such rows are not neighbours of others.
        """
        found = np.repeat(queries[:, None], k, axis=1)
        distances = np.full(found.shape, np.inf)
        if not len(self.blocks):
            return found
        points, bounds = self._points(rows)
        patterns, pattern_of = np.unique(
            self.table.present[np.ix_(rows, self.blocks)], axis=0, return_inverse=True
        )
        for number, pattern in enumerate(patterns):
            selected = np.flatnonzero(pattern_of[queries] == number)
            # rows that have the same blocks in common with the queries can share one index
            common, common_of = np.unique(patterns & pattern, axis=0, return_inverse=True)
            for space, in_common in enumerate(common):
                if not len(selected) or not in_common.any():
                    continue
                candidates = np.flatnonzero((common_of == space)[pattern_of])
                columns, weights = self._columns(in_common, bounds)
                first, weights = weights[0], weights / weights[0]
                index = NearestNeighbors(n_neighbors=min(k + 1, len(candidates)), n_jobs=n_jobs)
                index.fit(_select(points, candidates, columns, weights))
                dist, neighbours = index.kneighbors(
                    _select(points, queries[selected], columns, weights)
                )
                dist, neighbours = dist * first, candidates[neighbours]
                dist[neighbours == queries[selected, None]] = (
                    np.inf
                )  # a row is not its own neighbour
                dist = np.hstack([distances[selected], dist])
                neighbours = np.hstack([found[selected], neighbours])
                best = np.argsort(dist, axis=1, kind="stable")[:, :k]
                distances[selected] = np.take_along_axis(dist, best, axis=1)
                found[selected] = np.take_along_axis(neighbours, best, axis=1)
        return np.where(np.isfinite(distances), found, queries[:, None])

    def summary(self, rows, blocks):
        """Describe rows by a fixed number of features, whatever the length of sequences.

        Standardised features of the given blocks, (n_rows, n_features): mean and standard
        deviation over the steps of a sequence; zero for missing blocks.
        """
        scales = dict(zip(self.blocks, self.scales, strict=True))
        parts = []
        for i in blocks:
            data = self.table.values[i]
            part = _scaled(data, rows, *scales[i], np.float64)
            if data.steps is not None:
                n_steps = np.maximum(data.steps[rows].sum(axis=1), 1)[:, None]
                mean = part.sum(axis=1) / n_steps
                square = (part**2).sum(axis=1) / n_steps
                part = np.hstack([mean, np.sqrt(np.maximum(square - mean**2, 0))])
            parts.append(part.reshape(len(rows), -1))
        return np.hstack(parts)

    def _points(self, rows):
        """Return the scaled blocks of some rows side by side, and the bounds of each block."""
        values = [self.table.values[i] for i in self.blocks]
        widths = [int(np.prod(data.values.shape[1:])) for data in values]
        bounds = np.cumsum([0, *widths])
        wide = any(np.result_type(data.values.dtype, np.float32) == np.float64 for data in values)
        points = np.empty((len(rows), bounds[-1]), np.float64 if wide else np.float32)
        for data, (mean, scale), start, end in zip(
            values, self.scales, bounds[:-1], bounds[1:], strict=True
        ):
            for piece in pieces(len(rows), end - start):
                part = _scaled(data, rows[piece], mean, scale, points.dtype)
                points[piece, start:end] = part.reshape(len(part), end - start)
        return points, bounds

    def _columns(self, in_common, bounds):
        """Return the columns of common blocks and their weights."""
        names = np.array([self.table.layout.blocks[i].modality for i in self.blocks])
        n_modalities = len(set(names[in_common]))
        columns, weights = [], []
        for i in np.flatnonzero(in_common):
            n_blocks = (names[in_common] == names[i]).sum()
            columns.append(np.arange(bounds[i], bounds[i + 1]))
            weights.append(np.full(len(columns[-1]), 1 / np.sqrt(n_blocks * n_modalities)))
        return np.concatenate(columns), np.concatenate(weights)


def _select(points, rows, columns, weights):
    """Return weighted rows and columns, without a copy if all are selected."""
    if len(columns) == points.shape[1]:
        part = points if len(rows) == len(points) else points[rows]
    else:
        part = points[np.ix_(rows, columns)]
    return part if (weights == 1).all() else part * weights.astype(part.dtype)


def _scaled(data, rows, mean, scale, dtype):
    """Return standardised values; zero where missing."""
    part = data.values[rows].astype(dtype)
    part -= mean.astype(dtype)
    part /= scale.astype(dtype)
    if data.steps is not None:
        part[~data.steps[rows]] = 0
    part[~data.present[rows]] = 0
    if data.values.dtype.kind == "f":
        np.nan_to_num(part, copy=False)
    return part


def _spread(data, mean, scale):
    """Return the root mean square norm of the standardised rows of a block."""
    total = 0.0
    for rows in pieces(len(data.present), int(np.prod(data.values.shape[1:]))):
        part = _scaled(data, rows, mean, scale, np.float32).ravel()
        total += float(part @ part)
    return np.sqrt(total / max(data.present.sum(), 1)) or 1.0
