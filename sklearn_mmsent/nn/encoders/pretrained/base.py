"""Base class of pretrained encoders: loading, freezing, and a separate learning rate.

Which layers to tune: Howard, Ruder (2018), Universal language model fine-tuning for
text classification, ACL.
"""

import copy
from abc import abstractmethod
from numbers import Integral, Real
from pathlib import Path

import torch
from torch import nn

from sklearn_mmsent.exceptions import DataFormatError
from sklearn_mmsent.nn.dropout import StepDropout
from sklearn_mmsent.nn.encoders.base import Encoder
from sklearn_mmsent.nn.encoders.pooling import masked_mean
from sklearn_mmsent.pretrained import loading
from sklearn_mmsent.utils._optional import import_optional

_ROWS = 32  # per run without gradients: batches in prediction are too large for such models


class PretrainedEncoder(Encoder):
    """A pretrained model whose last layers are tuned, dropout and a projection to the width.

    A child checks its shape, loads its model, passes it to ``_adopt`` and implements ``_run``.
    Weights are read once per process and copied into each network; a trained network contains
    weights and configuration, and does not need the model's folder.
    """

    raw = True  # the model expects the values of the table

    #: Extra of the package that installs the dependencies.
    extra = None

    @abstractmethod
    def _run(self, values, steps):
        """Return states (B, S, H), which are real (B, S), and vectors (B, H) or None."""

    def _check_options(self, pooling, poolings, lr):
        self._check_option("pooling", pooling, poolings)
        if not isinstance(lr, Real) or isinstance(lr, bool) or not lr > 0:
            raise ValueError(f"{type(self).__name__}: lr must be above 0. Got {lr!r} instead.")
        self.pooling, self.lr = pooling, lr

    def _adopt(self, model, n_states, width, dropout, trainable_layers):
        """Copy a loaded model with states of width H, and freeze the layers that are not tuned."""
        self.model = copy.deepcopy(model)
        self._settle()
        self._tune(trainable_layers)
        self.dropout = StepDropout(dropout)
        self.project = nn.Linear(n_states, width)

    def _settle(self):
        """Remove parts of the copy that are unused or cannot be pickled."""
        pooler = getattr(self.model, "pooler", None)
        if pooler is not None and any(True for _ in pooler.parameters()):
            self.model.pooler = None  # often untrained; that of a CNN is a plain mean

    # -- freezing ----------------------------------------------------------------------------

    def _layers(self):
        """Return the model's layers in order."""
        config = self.model.config
        n_layers = getattr(config, "num_hidden_layers", None) or len(getattr(config, "depths", ()))
        lists = [m for m in self.model.modules() if isinstance(m, nn.ModuleList)]
        return next((m for m in lists if len(m) == n_layers), [])

    def _tune(self, trainable_layers):
        """Freeze all but the last layers."""
        if trainable_layers == "all":
            self.n_tuned = None
            return
        n_layers = len(self._layers())
        fits = isinstance(trainable_layers, Integral) and 0 <= trainable_layers <= n_layers
        if not fits or isinstance(trainable_layers, bool):
            raise ValueError(
                f"{type(self).__name__}: trainable_layers must be 'all' or a number from 0 to the "
                f"model's {n_layers}. Got {trainable_layers!r} instead."
            )
        self.n_tuned = int(trainable_layers)
        self.model.requires_grad_(False)
        for layer in self._tuned_layers():
            layer.requires_grad_(True)

    def _tuned_layers(self):
        layers = list(self._layers())
        return layers[len(layers) - self.n_tuned :]

    def train(self, mode=True):
        """Switch to training or evaluation; frozen layers stay in evaluation, without dropout."""
        super().train(mode)
        if self.n_tuned is not None:
            self.model.eval()
            for layer in self._tuned_layers():
                layer.train(mode)
        for module in self.model.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.eval()  # or rows would depend on each other
        return self

    def learning_rates(self):
        """Return the pretrained part and its learning rate; see the base class."""
        return [(self.model, self.lr)]

    # -- encoding ----------------------------------------------------------------------------

    def _in_parts(self, encode, values, steps):
        """Encode a few rows at a time if no gradient is needed."""
        if torch.is_grad_enabled() or len(values) <= _ROWS:
            return encode(values, steps)
        parts = [
            encode(some, None if steps is None else steps[i * _ROWS : (i + 1) * _ROWS])
            for i, some in enumerate(values.split(_ROWS))
        ]
        return tuple(torch.cat(part) for part in zip(*parts, strict=True))

    def _pool(self, states, real):
        return masked_mean(states, real)

    def _tokens(self, values, steps):
        states, real, _ = self._run(values, steps)
        return self.project(self.dropout(states)), real

    def _vectors(self, values, steps):
        states, real, vectors = self._run(values, steps)
        vectors = self._pool(states, real) if vectors is None else vectors
        return (self.project(self.dropout(vectors)),)

    def tokens(self, values, steps):
        """Encode a batch to (B, S, D) and its mask; see the base class."""
        return self._in_parts(self._tokens, values, steps)

    def forward(self, values, steps):
        """Encode a batch to (B, D); see the base class."""
        return self._in_parts(self._vectors, values, steps)[0]


def load_model(model, owner, extra):
    """Load a model of the transformers library, once per process."""
    return loading.load(_read, model, owner, extra, owner=owner, extra=extra)


def _read(source, owner, extra):
    transformers = import_optional("transformers", extra=extra, needed_by=owner)
    try:
        # weights that the file lacks are random: the same at each load, without the caller's state
        with loading.quiet(), torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(0)
            return transformers.AutoModel.from_pretrained(
                source,
                dtype=torch.float32,
                local_files_only=Path(source).is_dir(),
                use_safetensors=True,  # other formats can run code
            )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise DataFormatError(
            f"{owner} cannot load the model {source!r}: {type(error).__name__}: {error}. Check the "
            "name or folder, and for a model that is not on this machine yet, the network."
        ) from error
