"""EmbeddingDisplay."""

import numpy as np
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from sklearn_mmsent.inspection._networks import networks_of
from sklearn_mmsent.inspection.displays._style import COLOURS, Display, legend_beside, look
from sklearn_mmsent.utils._documentation import document_shared_parameters
from sklearn_mmsent.utils._sklearn import InvalidParameterError

_METHODS = ("pca", "tsne")


@document_shared_parameters(Display)
class EmbeddingDisplay(Display):
    """Two-dimensional map of the fused vectors of rows: similar rows are close.

    Parameters
    ----------
    points : ndarray of shape (n_samples, 2)
        Coordinates of the rows.
    y : array-like of shape (n_samples,) or None, default=None
        Labels, shown by colour and marker; floats are shown on a colour scale.
    method : {"pca", "tsne"}, default="pca"
        Method of the projection, for the axis labels.
    explained : tuple of float or None, default=None
        Share of the variance explained by each axis of "pca".

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from sklearn_mmsent import FusionClassifier
    >>> from sklearn_mmsent.inspection import EmbeddingDisplay
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame(rng.normal(size=(60, 2)), columns=["text__tone", "voice__pitch"])
    >>> y = np.where(X["text__tone"] > 0, "happy", "sad")
    >>> model = FusionClassifier(max_epochs=3, random_state=0).fit(X, y)
    >>> EmbeddingDisplay.from_estimator(model, X, y).points.shape
    (60, 2)
    """

    def __init__(self, *, points, y=None, method="pca", explained=None):
        self.points = points
        self.y = y
        self.method = method
        self.explained = explained

    @classmethod
    def from_estimator(cls, estimator, X, y=None, *, method="pca", random_state=None, ax=None):
        """Plot the fused vectors of a fitted network.

        Parameters
        ----------
        estimator : estimator
            Fusion estimator, or pipeline that ends in one; for an ensemble, its first member.
        X : DataFrame or array-like of shape (n_samples, n_columns)
            Rows to plot.
        y : array-like of shape (n_samples,) or None, default=None
            Labels or intensities.
        method : {"pca", "tsne"}, default="pca"
            "pca" preserves the directions of largest variance; "tsne" preserves neighbourhoods,
            but no larger distances.
        random_state : int, RandomState instance or None, default=None
            Seed of "tsne".
        ax : Axes or None, default=None
            Axes to plot on; None creates a figure.

        Returns
        -------
        EmbeddingDisplay
            The display.
        """
        networks, table = networks_of(estimator, X, owner=cls.__name__)
        vectors = networks[0].fuse(table)
        return cls.from_vectors(vectors, y, method=method, random_state=random_state, ax=ax)

    @classmethod
    def from_vectors(cls, vectors, y=None, *, method="pca", random_state=None, ax=None):
        """Plot given vectors.

        Parameters
        ----------
        vectors : array-like of shape (n_samples, n_features)
            One vector per row.
        y : array-like of shape (n_samples,) or None, default=None
            Labels or intensities.
        method : {"pca", "tsne"}, default="pca"
            Method of the projection.
        random_state : int, RandomState instance or None, default=None
            Seed of "tsne".
        ax : Axes or None, default=None
            Axes to plot on; None creates a figure.

        Returns
        -------
        EmbeddingDisplay
            The display.
        """
        vectors = np.asarray(vectors, dtype=float)
        if method not in _METHODS:
            raise InvalidParameterError(
                f"The 'method' parameter of {cls.__name__} must be one of {_METHODS}. "
                f"Got {method!r} instead."
            )
        if len(vectors) < 3 or vectors.shape[1] < 2:
            raise ValueError(
                f"{cls.__name__} requires at least three vectors of two numbers; got an array of "
                f"shape {vectors.shape}."
            )
        if method == "pca":
            reducer = PCA(2, svd_solver="full")
        else:
            perplexity = min(30.0, (len(vectors) - 1) / 3)
            reducer = TSNE(2, perplexity=perplexity, init="pca", random_state=random_state)
        points = reducer.fit_transform(vectors)
        explained = tuple(reducer.explained_variance_ratio_) if method == "pca" else None
        return cls(points=points, y=y, method=method, explained=explained).plot(ax=ax)

    def _draw(self, ax):
        ax = self._new_axes(ax, (6.0, 4.6))
        size = 22 if len(self.points) < 1000 else 9
        style = {"s": size, "alpha": 0.75, "lw": 0}
        y = None if self.y is None else np.asarray(self.y)
        if y is None:
            ax.scatter(*self.points.T, color=COLOURS[0], **style)
        elif y.dtype.kind == "f":
            drawn = ax.scatter(*self.points.T, c=y, cmap="cividis", **style)
            self.figure_.colorbar(drawn, ax=ax, label="intensity")
        else:
            labels = np.unique(y)
            for number, label in enumerate(labels):
                colour, marker, _ = look(number)
                ax.scatter(
                    *self.points[y == label].T, color=colour, marker=marker, label=label, **style
                )
            legend_beside(ax, 2)
        names = ["t-SNE 1", "t-SNE 2"]
        if self.method == "pca":
            names = [
                f"component {i + 1} ({share:.0%} of the variance)"
                for i, share in enumerate(self.explained or ())
            ] or ["component 1", "component 2"]
        else:
            ax.set(xticks=[], yticks=[])  # its distances have no meaning
        ax.set(xlabel=names[0], ylabel=names[1])
