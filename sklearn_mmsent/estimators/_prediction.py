"""Predicting with the network of a fitted estimator."""

from sklearn.utils.validation import check_is_fitted

from sklearn_mmsent.exceptions import BlockError
from sklearn_mmsent.training import BlockDataset, predict_network
from sklearn_mmsent.utils._validation import check_table


class NetworkPrediction:
    """Mixin that reads tables and runs the fitted network on their rows."""

    def read(self, X):
        """Return rows in the form that the network takes.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            A table with the columns seen in ``fit``.

        Returns
        -------
        BlockDataset
            On the device of the network; blocks that no training row had are missing.
        """
        check_is_fitted(self)
        blocks = self.layout_.read(self._check_table(X, reset=False), stream=True)
        for i in self._unseen:
            blocks[i].present[:] = False
        return BlockDataset(blocks, device=self.net_.device)

    def fuse(self, X):
        """Return the fused vectors, which the head reads.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            A table with the columns seen in ``fit``.

        Returns
        -------
        ndarray of shape (n_samples, n_fused)
        """
        rows = self.read(X)
        return predict_network(self.net_.module_.fuse, rows)

    def _outputs(self, X):
        """Return the outputs of the network, (n_samples, n_outputs)."""
        rows = self.read(X)
        return predict_network(self.net_.module_, rows)

    def _check_table(self, X, *, reset):
        """Check names and shape of a table; its cells are checked where blocks are read."""
        name = type(self).__name__
        try:
            X = check_table(self, X, reset=reset)
        except ValueError as error:
            if reset or "feature" not in str(error):
                raise
            raise BlockError(
                f"{error}\n{name} needs the columns of its training table, in their order: pass "
                "raw rows through the same fitted extractor, and reorder named columns with "
                "X[estimator.feature_names_in_]."
            ) from None
        if len(X) == 0 or X.shape[1] == 0:
            raise BlockError(
                f"{name}: found {len(X)} sample(s) and {X.shape[1]} feature(s); a minimum of 1 of "
                "each is required."
            )
        return X
