"""FusionRegressor."""

import numpy as np
from sklearn.base import RegressorMixin

from sklearn_mmsent.estimators._base import BaseFusion
from sklearn_mmsent.nn.losses import LOSSES
from sklearn_mmsent.utils._sklearn import HasMethods, StrOptions


class FusionRegressor(RegressorMixin, BaseFusion):
    """Predict sentiment intensity from several modalities with a fusion network.

    The network of :class:`FusionClassifier` with one linear output, trained on
    standardised targets.

    Parameters
    ----------
    fusion : str or class, default="concat"
        How the blocks are joined: "concat", "sum", "mean", "weighted", "gated",
        "mag", "multiplicative", "tensor", "low_rank", "attention", "misa",
        "poe", "decision", "quality_aware", "mult", "bottleneck", "memory" or
        "reinforced"; see :class:`FusionClassifier` for what each does.
    modalities : "auto", mapping or None, default="auto"
        Where the blocks are. "auto" reads the column names; a mapping such as
        ``{"text": 384, "audio": (50, 74)}`` gives shapes in column order; None
        takes the table as one block.
    fusion_params : dict or None, default=None
        Options of the fusion.
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
        Probability with which a modality of a row is hidden in training.
    block_noise : float, default=0.0
        Deviation of Gaussian noise on each value in training, where the values'
        own is 1; token numbers and raw input of pretrained encoders get none.
    mixup : float, default=0.0
        Mixes each training row with another of its batch, in shares drawn from
        Beta(mixup, mixup), and their targets likewise; 0 mixes nothing, 0.2
        to 0.4 are usual. Blocks that one of the two lacks stay as they are.
    time_masking : float, default=0.0
        Largest share of a sequence's steps that one masked stretch covers in
        training (SpecAugment).
    frequency_masking : float, default=0.0
        Largest share of a sequence's features, such as the bands of a
        spectrogram, that one mask over all its steps covers in training.
    loss : {"squared_error", "absolute_error", "huber"} or callable, \
            default="squared_error"
        What is minimised, between outputs and targets of mean 0 and deviation
        1. The absolute error is the MAE of the field; "huber" is squared for
        small errors and straight for large. A callable maps both, (B, 1), to
        the loss of each row, (B,); one that is to be pickled is defined in a
        module.
    loss_params : dict or None, default=None
        Options of the loss: ``{"delta": 1.0}`` of "huber", where its straight
        part begins, in standard deviations of the targets.
    sampler : sampler or None, default=None
        An object with ``fit_resample`` that resamples the training rows after
        the internal validation split.
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
    callbacks : list of skorch callbacks or None, default=None
        Called during training.
    net_params : dict or None, default=None
        Further parameters of the :class:`skorch.NeuralNet` inside.
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

    _task = "regression"
    _parameter_constraints: dict = {
        **BaseFusion._parameter_constraints,
        "loss": [StrOptions(set(LOSSES["regression"])), callable],
        "loss_params": [dict, None],
        "sampler": [HasMethods(["fit_resample"]), None],
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
        loss="squared_error",
        loss_params=None,
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
        return self._outputs(X)[:, 0] * self._target_scale + self._target_mean

    # -- what makes it a regressor -----------------------------------------------------------

    def _check_target(self, y):
        y = self._check_known_target(y)
        if len(y) < 2:
            raise ValueError(
                f"{type(self).__name__} needs at least two rows to learn from; got 1 sample."
            )
        self._target_mean = float(y.mean())
        self._target_scale = float(y.std()) or 1.0
        return y

    def _check_known_target(self, y):
        try:
            y = np.asarray(y, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"{type(self).__name__} predicts numbers, and y cannot be read as such: {error}. "
                "For classes, use FusionClassifier."
            ) from error
        unusable = ~np.isfinite(y)
        if unusable.any():
            row = int(np.argmax(unusable))
            what = "NaN" if np.isnan(y[row]) else "infinity or a value too large for a target"
            raise ValueError(
                f"{type(self).__name__}: Input y contains {what}: row {row} is {y[row]} (and "
                f"{int(unusable.sum()) - 1} others). Drop rows without a target."
            )
        return y

    def _encode_target(self, y):
        standardised = (y - self._target_mean) / self._target_scale
        return standardised.astype(np.float32)[:, None]

    def _heads(self):
        return {"n_outputs": 1, "logits": False}
