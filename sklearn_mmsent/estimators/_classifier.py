"""FusionClassifier."""

import numpy as np
import pandas as pd
from scipy.special import log_softmax, softmax
from sklearn.base import ClassifierMixin
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets

from sklearn_mmsent.estimators._base import BaseFusion
from sklearn_mmsent.estimators._weights import weights_of_classes
from sklearn_mmsent.nn import OrdinalHead, PredictionHead
from sklearn_mmsent.nn.losses import LOSSES
from sklearn_mmsent.utils._sklearn import HasMethods, StrOptions
from sklearn_mmsent.utils._validation import check_labels


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
        - "quality_aware": the same, by each row's confidence (QMF);
        - "mult": each sequence looks at the others (MulT);
        - "bottleneck": sequences talk through a few tokens (MBT);
        - "memory": recurrent networks watched by a shared memory (MFN);
        - "reinforced": steps let in or not by gates learned from reward (GME-LSTM).

        "mult" and "bottleneck" want a lower `lr` than the default, such as 5e-4.
        The acronyms "gmu", "tfn", "lmf", "mbt", "mfn" and "qmf" are accepted, too. The
        classes in :mod:`sklearn_mmsent.nn` document papers and options. A class
        derived from ``sklearn_mmsent.nn.Fusion`` is built as
        ``fusion(n_blocks, width, dropout)``.
    modalities : "auto", mapping or None, default="auto"
        Where the blocks are. "auto" reads the column names; a mapping such as
        ``{"text": 384, "audio": (50, 74)}`` gives shapes in column order; None
        takes the table as one block.
    fusion_params : dict or None, default=None
        Options of the fusion, such as ``{"rank": 8}`` for "low_rank".
    encoders : "auto", {"mlp", "mean", "attentive", "conv1d", "conv2d", "gru", "lstm", \
            "transformer", "pretrained_text", "pretrained_image", "pretrained_speech", \
            "cnn-end-to-end"}, class, tuple or mapping, default="auto"
        How a block becomes a vector, or, for a fusion of sequences, a sequence
        of vectors; for all, or by modality or block name. "mlp" reads any
        block: a sequence by mean and deviation of its steps, an image by its
        pixels. "mean", "attentive", "conv1d", "gru", "lstm" and "transformer"
        read sequences, and "conv2d" images and spectrograms. "pretrained_text"
        reads the token numbers of :class:`TokenIds`, "pretrained_image" the
        pixels of :class:`Pixels` and "pretrained_speech" the samples of
        :class:`Waveform`, with a model that is tuned (by their options
        ``model``, ``trainable_layers`` and ``lr``). "cnn-end-to-end" is for raw
        input: "mlp" (layers of 128 and D) for flat blocks, "conv2d" for images
        and "conv1d" for sequences (channels 64 and 128, each layer pooled),
        with the wide first kernel of M5 for waveforms of 1000 steps and more;
        train it with ``lr=1e-3, weight_decay=0``. "auto" takes
        "conv2d" for images of 8 x 8 pixels and more, "gru" for sequences under
        a fusion of sequences, and "mlp" for all else. A tuple such as
        ``("gru", {"n_layers": 2})`` gives options, too: the keyword arguments
        of the classes in ``sklearn_mmsent.nn.ENCODERS``. A class derived
        from ``sklearn_mmsent.nn.Encoder`` is built as
        ``encoder(shape, width, dropout, **options)``.
    encoders_from : str, Path, estimator, mapping or None, default=None
        Trained encoders to start with: a file that ``save_encoders`` wrote, or a
        fitted estimator, as ``sklearn.frozen.FrozenEstimator(fitted)`` (as it is
        it would lose its fit in a clone). Blocks of the same name are taken,
        with the mean and scale of their values, which the weights expect: the
        units must be the same. A mapping takes single ones, by modality or
        block name: ``{"image": "faces.safetensors"}``. All else starts anew. A
        rate of their own comes by ``net_params={"optimizer__param_groups":
        [("encoders.*", {"lr": 1e-4})]}``.
    freeze_encoders : bool, default=False
        Whether the encoders that were taken stay as they are, without dropout.
    hidden_size : int, default=64
        Width of the hidden layers and of the block vectors.
    dropout : float, default=0.2
        Probability with which a hidden unit is zeroed in training.
    modality_dropout : float, default=0.0
        Probability with which a modality of a row is hidden in training, which
        prepares the network for missing ones [2]_.
    block_noise : float, default=0.0
        Deviation of Gaussian noise on each value in training, where the values'
        own is 1; token numbers and raw input of pretrained encoders get none.
    mixup : float, default=0.0
        Mixes each training row with another of its batch, in shares drawn from
        Beta(mixup, mixup), and their targets likewise [6]_; 0 mixes nothing, 0.2
        to 0.4 are usual. Blocks that one of the two lacks stay as they are.
    time_masking : float, default=0.0
        Largest share of a sequence's steps that one masked stretch covers in
        training (SpecAugment [7]_).
    frequency_masking : float, default=0.0
        Largest share of a sequence's features, such as the bands of a
        spectrogram, that one mask over all its steps covers in training.
    loss : {"cross_entropy", "binary_cross_entropy", "focal"} or callable, \
            default="cross_entropy"
        What is minimised; "focal" counts rows less that are easy already [3]_,
        "binary_cross_entropy" is for two classes, of which one may weigh more.
        A callable maps logits (B, C) and class numbers (B,) to the loss of each
        row, (B,); one that is to be pickled is defined in a module.
    loss_params : dict or None, default=None
        Options of the loss: ``{"label_smoothing": 0.1}`` of "cross_entropy" (0
        by default), ``{"pos_weight": 3.0}`` of "binary_cross_entropy", the
        weight of the second class (1 by default), ``{"gamma": 2.0}`` of "focal"
        (2 by default).
    ordinal : bool or list, default=False
        Whether the classes have an order: one score per row, which thresholds
        cut into classes (proportional odds [5]_), in place of a logit for each
        class. True for classes that are numbers; a list gives the classes from
        low to high.
    class_weight : dict, "balanced", "effective" or None, default=None
        Weights of the classes in the loss; "balanced" makes all classes weigh
        the same; "effective", a milder form for many rows, divides by the
        effective number of rows, ``(1 - 0.999 ** n) / (1 - 0.999)`` [4]_.
    balanced_batches : bool, default=False
        Whether every epoch reads each class equally often: rows of small classes
        several times, of large ones not all, drawn anew, as many as there are
        rows. Over-sampling that makes no epoch longer; with `class_weight` the
        small classes would count twice.
    sampler : imbalanced-learn sampler or None, default=None
        Resamples the training rows after the internal validation split, which
        keeps blends of validation rows out of training. It may give shares of
        the classes, as ``ModalityMixup(labels="soft")`` does, under
        ``loss="cross_entropy"``.
    lr : float, default=3e-3
        Learning rate of AdamW.
    lr_schedule : {"cosine", "linear"} or None, default=None
        How the learning rate falls step by step towards zero, which it would
        reach at the end of `max_epochs`; None keeps it.
    warmup : float, default=0.0
        Share of all steps in which the learning rate first rises to `lr`.
    clip_norm : float or None, default=None
        Largest norm of a step's gradients, all together; longer ones are scaled
        down to it, which helps recurrent encoders over sudden slopes.
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
    precision : {"auto", "float32", "bfloat16"}, default="auto"
        In which the layers compute in training and validation. "bfloat16" has
        half the bits and 2 to 3 digits, for speed and memory; weights, their
        updates and losses stay in float32. "auto" takes it for networks with a
        pretrained encoder on CUDA devices that are made for it, and "float32"
        for all else: a small network is slower with it, and so is a CPU without
        instructions of its own for bfloat16. Predictions do not use it: they
        are computed in float64 on a CPU, in float32 on a GPU.
    random_state : int, RandomState or None, default=None
        Decides initial weights, order of rows, dropout and the internal split.
        The global generators are never touched.
    callbacks : list of skorch callbacks or None, default=None
        Called during training.
    net_params : dict or None, default=None
        Further parameters of the :class:`skorch.NeuralNet` inside, such as
        ``{"optimizer": torch.optim.SGD, "optimizer__momentum": 0.9}``.
    checkpoint_dir : str, Path or None, default=None
        Folder in which training is saved as it goes: killed and started again
        with the same data and parameters, it goes on where it was and ends with
        the same result, and what has ended is not trained again. Searches,
        cross-validations and ensembles of the estimator resume as well. Needs an
        int as `random_state`; see ``docs/checkpoints.md``.
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
    .. [3] Lin, Goyal, Girshick, He, Dollar (2017), Focal loss for dense object
       detection, ICCV.
    .. [4] Cui, Jia, Lin, Song, Belongie (2019), Class-balanced loss based on
       effective number of samples, CVPR.
    .. [5] McCullagh (1980), Regression models for ordinal data, Journal of the
       Royal Statistical Society B 42(2).
    .. [6] Zhang, Cisse, Dauphin, Lopez-Paz (2018), mixup: Beyond empirical risk
       minimization, ICLR.
    .. [7] Park, Chan, Zhang, Chiu, Zoph, Cubuk, Le (2019), SpecAugment: a simple
       data augmentation method for automatic speech recognition, Interspeech.

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

    _task = "classification"
    _parameter_constraints: dict = {
        **BaseFusion._parameter_constraints,
        "class_weight": [StrOptions({"balanced", "effective"}), dict, None],
        "loss": [StrOptions(set(LOSSES["classification"])), callable],
        "loss_params": [dict, None],
        "sampler": [HasMethods(["fit_resample"]), None],
        "ordinal": ["boolean", list],
        "balanced_batches": ["boolean"],
    }

    def __init__(
        self,
        fusion="concat",
        *,
        modalities="auto",
        fusion_params=None,
        encoders="auto",
        encoders_from=None,
        freeze_encoders=False,
        hidden_size=64,
        dropout=0.2,
        modality_dropout=0.0,
        block_noise=0.0,
        mixup=0.0,
        time_masking=0.0,
        frequency_masking=0.0,
        loss="cross_entropy",
        loss_params=None,
        ordinal=False,
        class_weight=None,
        balanced_batches=False,
        sampler=None,
        lr=3e-3,
        lr_schedule=None,
        warmup=0.0,
        clip_norm=None,
        weight_decay=1e-2,
        batch_size=32,
        max_epochs=200,
        early_stopping=True,
        validation_fraction=0.1,
        n_iter_no_change=20,
        device="auto",
        precision="auto",
        random_state=None,
        callbacks=None,
        net_params=None,
        checkpoint_dir=None,
        verbose=0,
    ):
        self.fusion = fusion
        self.modalities = modalities
        self.fusion_params = fusion_params
        self.encoders = encoders
        self.encoders_from = encoders_from
        self.freeze_encoders = freeze_encoders
        self.hidden_size = hidden_size
        self.dropout = dropout
        self.modality_dropout = modality_dropout
        self.block_noise = block_noise
        self.mixup = mixup
        self.time_masking = time_masking
        self.frequency_masking = frequency_masking
        self.loss = loss
        self.loss_params = loss_params
        self.ordinal = ordinal
        self.class_weight = class_weight
        self.balanced_batches = balanced_batches
        self.sampler = sampler
        self.lr = lr
        self.lr_schedule = lr_schedule
        self.warmup = warmup
        self.clip_norm = clip_norm
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.device = device
        self.precision = precision
        self.random_state = random_state
        self.callbacks = callbacks
        self.net_params = net_params
        self.checkpoint_dir = checkpoint_dir
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
        return softmax(self._logits(X), axis=1)

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
        return log_softmax(self._logits(X), axis=1)

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
        logits = self._logits(X)
        return self.classes_[logits.argmax(axis=1)]

    def _logits(self, X):
        """Return the outputs in the order of ``classes_``."""
        return self._outputs(X)[:, self._ranks]

    # -- what makes it a classifier ----------------------------------------------------------

    def _check_target(self, y):
        check_labels(y, owner=type(self).__name__)
        check_classification_targets(y)
        self.classes_ = np.unique(y)
        if len(self.classes_) < 2:
            raise ValueError(
                f"{type(self).__name__} needs at least two classes to tell apart; y has one class "
                f"only: {self.classes_.tolist()[0]!r}."
            )
        self._ranks = self._learn_order()
        return y

    def _check_known_target(self, y):
        check_labels(y, owner=type(self).__name__)
        unknown = ~np.isin(y, self.classes_)
        if unknown.any():
            row = int(np.argmax(unknown))
            known = ", ".join(map(repr, self.classes_.tolist()))
            raise ValueError(
                f"{type(self).__name__}: y_val has the label {y.tolist()[row]!r} at row {row}, "
                f"which y does not have; it has {known}."
            )
        return y

    def _is_ordinal(self):
        return self.ordinal is not False

    def _learn_order(self):
        """Return the rank of each class."""
        n, name = len(self.classes_), type(self).__name__
        if self.ordinal is False:
            return np.arange(n)
        if self.ordinal is True:
            if self.classes_.dtype.kind not in "iufb":
                known = ", ".join(map(repr, self.classes_.tolist()))
                raise ValueError(
                    f"{name}: the order of the classes {known} is unknown. Only numbers have one "
                    "of their own; list others from low to high: ordinal=['low', 'mid', 'high']."
                )
            return np.arange(n)
        order = list(self.ordinal)
        if len(set(order)) != len(order) or set(order) != set(self.classes_.tolist()):
            raise ValueError(
                f"{name}: ordinal must list each class once, from low to high; y has "
                f"{', '.join(map(repr, self.classes_.tolist()))}. Got {order!r} instead."
            )
        return np.array([order.index(label) for label in self.classes_.tolist()])

    def _class_numbers(self, y):
        """Return the places of labels in ``classes_``."""
        if y.ndim == 2:  # shares of the classes
            return y.argmax(axis=1)
        return np.searchsorted(self.classes_, y)

    def _encode_target(self, y):
        if y.ndim == 2:
            return y
        return self._ranks[self._class_numbers(y)].astype(np.int64)

    def _learn_weights(self, y):
        if self.class_weight == "effective":
            numbers = self._class_numbers(y).astype(float)
            self._class_weights = weights_of_classes("effective", numbers, len(self.classes_))
        else:
            self._class_weights = compute_class_weight(
                self.class_weight, classes=self.classes_, y=self.classes_[self._class_numbers(y)]
            )

    def _row_weights(self, y, sample_weight):
        shared = y.ndim == 2
        weights = y @ self._class_weights if shared else self._class_weights[self._class_numbers(y)]
        return weights if sample_weight is None else weights * sample_weight

    def _strata(self, y):
        return self._class_numbers(y)

    def _balances_batches(self):
        return self.balanced_batches

    def _shares(self, y, sampler):
        if not isinstance(y, pd.DataFrame) or list(y.columns) != self.classes_.tolist():
            return super()._shares(y, sampler)
        if self.loss != "cross_entropy" or self._is_ordinal():
            raise ValueError(
                f"{type(self).__name__}: the sampler {type(sampler).__name__} gives shares of "
                f"classes, which loss={self.loss!r} with ordinal={self.ordinal!r} cannot read. Use "
                "loss='cross_entropy' without ordinal, or a sampler that keeps labels, such as "
                "ModalityMixup(labels='hard')."
            )
        return y.to_numpy(dtype=np.float32)

    def _heads(self):
        head = OrdinalHead if self._is_ordinal() else PredictionHead
        return {"n_outputs": len(self.classes_), "head": head, "logits": head is PredictionHead}
