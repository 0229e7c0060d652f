"""FusionRegressor."""

from sklearn.base import RegressorMixin

from sklearn_mmsent.estimators._base import BaseFusion
from sklearn_mmsent.estimators._classifier import FusionClassifier
from sklearn_mmsent.estimators._parameters import RegressorParameters
from sklearn_mmsent.estimators._target import IntensityTarget
from sklearn_mmsent.utils._documentation import document_shared_parameters


@document_shared_parameters(FusionClassifier)
class FusionRegressor(RegressorParameters, RegressorMixin, BaseFusion):
    """Predict sentiment intensity from several modalities with a fusion network.

    The network of :class:`FusionClassifier` with one linear output, trained on
    standardised targets. Parameters that are not listed here are those of
    :class:`FusionClassifier`.

    Parameters
    ----------
    loss : {"squared_error", "absolute_error", "huber"} or callable, \
            default="squared_error"
        Loss between outputs and targets of mean 0 and standard deviation 1.
        "absolute_error" is the MAE; "huber" is squared for small errors and
        linear for large ones. A callable maps both, (B, 1), to the loss of each
        row, (B,); it must be defined at module level to be picklable.
    loss_params : dict or None, default=None
        Options of the loss: ``{"delta": 1.0}`` of "huber", the error from which
        it is linear, in standard deviations of the targets.
    sampler : sampler or None, default=None
        Object with ``fit_resample`` that resamples the training rows after the
        internal validation split.

    Attributes
    ----------
    layout_ : BlockLayout
        The blocks of the training table.
    net_ : FusionNet
        The trained skorch net; ``net_.history`` holds the losses per epoch,
        ``net_.module_`` the network.
    n_features_in_ : int
        Number of columns seen in ``fit``.
    feature_names_in_ : ndarray of str objects of shape (n_features_in_,)
        Names of the columns seen in ``fit``, if they have names.

    See Also
    --------
    FusionClassifier : Predicts classes, with probabilities.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from sklearn_mmsent import FusionRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame(rng.normal(size=(300, 2)), columns=["text__tone", "voice__pitch"])
    >>> y = X["text__tone"] + X["voice__pitch"]
    >>> FusionRegressor(random_state=0).fit(X, y).score(X, y) > 0.95
    True
    """

    def predict(self, X):
        """Predict the intensity.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            A table with the columns seen in ``fit``.

        Returns
        -------
        ndarray of shape (n_samples,)
            Intensities in the units of the training targets, not clipped.
        """
        outputs = self._outputs(X)
        return self._target.predict(outputs)

    def _make_target(self, y):
        return IntensityTarget.from_intensities(y, type(self).__name__)
