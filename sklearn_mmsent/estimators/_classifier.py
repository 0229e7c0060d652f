"""FusionClassifier."""

import numpy as np
import pandas as pd
from scipy.special import log_softmax, softmax
from sklearn.base import ClassifierMixin
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets

from sklearn_mmsent.estimators._base import BaseFusion
from sklearn_mmsent.nn.losses import cross_entropy


class FusionClassifier(ClassifierMixin, BaseFusion):
    """Classify rows of several modalities with a fusion network.

    Each block of the table is standardised and encoded by a small network of
    its own, the block vectors are fused, and a head predicts the class; all of
    it is trained end to end. Missing modalities are allowed in training and
    prediction, in any combination.

    Parameters
    ----------
    fusion : str or class, default="concat"
        How the blocks are joined:

        - "concat": side by side; the baseline;
        - "sum", "mean": added up, or averaged, over what is there;
        - "weighted": averaged by learned weights of the blocks;
        - "gated": each through gates that look at all (gated multimodal unit [1]_);
        - "mag": a main block, shifted by the others (adaptation gate);
        - "multiplicative": each rescales what those before it said;
        - "tensor", "low_rank": products of units of all blocks, in full (TFN) or
          of low rank (LMF);
        - "attention": blocks look at each other (self-attention);
        - "misa": parts that blocks share and parts of their own (MISA);
        - "poe": Gaussian votes, the surer the heavier (product of experts);
        - "decision": each decides alone, the decisions are averaged (late fusion);
        - "quality_aware": the same, by each row's confidence (QMF).

        Their classes in :mod:`sklearn_mmsent.nn` tell papers and options. A
        class of one's own is built as ``fusion(n_blocks, width, dropout)``.
    modalities : "auto", mapping or None, default="auto"
        Where the blocks are. "auto" reads the column names; a mapping such as
        ``{"text": 384, "audio": (50, 74)}`` gives shapes in column order; None
        takes the table as one block.
    fusion_params : dict or None, default=None
        Options of the fusion, such as ``{"rank": 8}`` for "low_rank".
    encoders : "auto", "mlp", class, tuple or mapping, default="auto"
        How a block becomes a vector, for all, or by modality or block name.
        "auto" chooses by the block's shape. A class is built as
        ``encoder(shape, width, dropout)``. A tuple such as ``("mlp", {...})``
        gives options, too.
    hidden_size : int, default=64
        Width of the hidden layers and of the block vectors.
    dropout : float, default=0.2
        Probability with which a hidden unit is zeroed in training.
    modality_dropout : float, default=0.0
        Probability with which a modality of a row is hidden in training, which
        prepares the network for missing ones [2]_.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes in the loss; "balanced" makes all classes weigh
        the same.
    sampler : imbalanced-learn sampler or None, default=None
        Resamples the training rows after the internal validation split, which
        keeps blends of validation rows out of training.
    lr : float, default=3e-3
        Learning rate of AdamW.
    weight_decay : float, default=1e-2
        Weight decay of AdamW.
    batch_size : int, default=32
        Rows in a training batch.
    max_epochs : int, default=200
        Passes over the training rows, at most.
    early_stopping : bool, default=True
        Whether to hold out rows, stop when their loss no longer falls, and
        restore the best weights. Groups and identical rows stay on one side.
        A table too small to spare a row is trained on to the end.
    validation_fraction : float, default=0.1
        Share of the rows held out.
    n_iter_no_change : int, default=20
        Epochs without a better validation loss after which training stops.
    device : str, default="auto"
        A torch device; "auto" takes a GPU if there is one.
    random_state : int, RandomState or None, default=None
        Decides initial weights, order of rows, dropout and the internal split.
        The global generators are never touched.
    callbacks : list of skorch callbacks or None, default=None
        Called during training.
    net_params : dict or None, default=None
        Further parameters of the :class:`skorch.NeuralNet` inside, such as
        ``{"optimizer": torch.optim.SGD, "optimizer__momentum": 0.9}``.
    verbose : int or bool, default=0
        Whether to print a line per epoch.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The class labels.
    layout_ : BlockLayout
        The blocks of the training table.
    net_ : FusionNet
        The trained skorch net; ``net_.history`` holds the losses per epoch,
        ``net_.module_`` the network.
    n_features_in_ : int
        Number of columns seen in ``fit``.
    feature_names_in_ : ndarray of str objects of shape (n_features_in_,)
        Their names, where the table had names.

    See Also
    --------
    FusionRegressor : Predicts intensities instead of classes.
    make_extractor : Makes the table from texts, images and sounds.

    References
    ----------
    .. [1] Arevalo, Solorio, Montes-y-Gomez, Gonzalez (2017), Gated multimodal
       units for information fusion, arXiv:1702.01992.
    .. [2] Neverova, Wolf, Taylor, Nebout (2016), ModDrop: adaptive multi-modal
       gesture recognition, IEEE TPAMI 38(8).

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from sklearn_mmsent import FusionClassifier
    >>> rng = np.random.default_rng(0)
    >>> said, shown = rng.choice([-1.0, 1.0], (2, 200))
    >>> X = pd.DataFrame({"text__tone": said, "face__smile": shown})
    >>> y = np.where(said == shown, "sincere", "ironic")
    >>> clf = FusionClassifier(fusion="gated", random_state=0).fit(X, y)
    >>> clf.predict(pd.DataFrame({"text__tone": [1.0, 1.0], "face__smile": [1.0, -1.0]}))
    array(['sincere', 'ironic'], dtype='<U7')
    """

    _parameter_constraints: dict = {
        **BaseFusion._parameter_constraints,
        "class_weight": [StrOptions({"balanced"}), dict, None],
    }

    def __init__(
        self,
        fusion="concat",
        *,
        modalities="auto",
        fusion_params=None,
        encoders="auto",
        hidden_size=64,
        dropout=0.2,
        modality_dropout=0.0,
        class_weight=None,
        sampler=None,
        lr=3e-3,
        weight_decay=1e-2,
        batch_size=32,
        max_epochs=200,
        early_stopping=True,
        validation_fraction=0.1,
        n_iter_no_change=20,
        device="auto",
        random_state=None,
        callbacks=None,
        net_params=None,
        verbose=0,
    ):
        self.fusion = fusion
        self.modalities = modalities
        self.fusion_params = fusion_params
        self.encoders = encoders
        self.hidden_size = hidden_size
        self.dropout = dropout
        self.modality_dropout = modality_dropout
        self.class_weight = class_weight
        self.sampler = sampler
        self.lr = lr
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.device = device
        self.random_state = random_state
        self.callbacks = callbacks
        self.net_params = net_params
        self.verbose = verbose

    def predict_proba(self, X):
        """Predict the probability of each class.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            A table with the columns seen in ``fit``.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Probabilities, in the order of ``classes_``.
        """
        return softmax(self._outputs(X), axis=1)

    def predict_log_proba(self, X):
        """Predict the logarithm of the probability of each class.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            A table with the columns seen in ``fit``.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Log-probabilities, in the order of ``classes_``.
        """
        return log_softmax(self._outputs(X), axis=1)

    def predict(self, X):
        """Predict the class.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            A table with the columns seen in ``fit``.

        Returns
        -------
        ndarray of shape (n_samples,)
            Class labels.
        """
        outputs = self._outputs(X)
        return self.classes_[outputs.argmax(axis=1)]

    # -- what makes it a classifier ----------------------------------------------------------

    def _check_target(self, y):
        self._refuse_unusable_labels(y)
        check_classification_targets(y)
        self.classes_ = np.unique(y)
        if len(self.classes_) < 2:
            raise ValueError(
                f"{type(self).__name__} needs at least two classes to tell apart; y has one class "
                f"only: {self.classes_.tolist()[0]!r}."
            )
        return y

    def _check_known_target(self, y):
        self._refuse_unusable_labels(y)
        unknown = ~np.isin(y, self.classes_)
        if unknown.any():
            row = int(np.argmax(unknown))
            known = ", ".join(map(repr, self.classes_.tolist()))
            raise ValueError(
                f"{type(self).__name__}: y_val has the label {y.tolist()[row]!r} at row {row}, "
                f"which y does not have; it has {known}."
            )
        return y

    def _refuse_unusable_labels(self, y):
        if y.dtype.kind == "f" and np.isinf(y).any():
            raise ValueError(
                f"{type(self).__name__}: Input y contains infinity or a value too large for a "
                f"label, at row {int(np.argmax(np.isinf(y)))}. Label the row, or drop it."
            )
        missing = pd.isna(y)
        if missing.any():
            row = int(np.argmax(missing))
            raise ValueError(
                f"{type(self).__name__}: Input y contains NaN: row {row} has no label (nor have "
                f"{int(missing.sum()) - 1} others). Drop rows without a label, or label them."
            )

    def _encode_target(self, y):
        return np.searchsorted(self.classes_, y).astype(np.int64)

    def _learn_weights(self, y):
        weights = compute_class_weight(self.class_weight, classes=self.classes_, y=y)
        self._class_weights = weights

    def _row_weights(self, y, sample_weight):
        weights = self._class_weights[self._encode_target(y)]
        return weights if sample_weight is None else weights * sample_weight

    def _strata(self, y):
        return self._encode_target(y)

    def _loss(self):
        return cross_entropy

    def _n_outputs(self):
        return len(self.classes_)
