"""What pretrained encoders share: loading, freezing, and a learning rate of their own.

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
from sklearn_mmsent.nn._dropout import StepDropout
from sklearn_mmsent.nn.encoders.base import Encoder
from sklearn_mmsent.nn.encoders.pooling import masked_mean
from sklearn_mmsent.pretrained import loading
from sklearn_mmsent.utils._optional import import_optional

_ROWS = 32  # at once where nothing is learnt: a prediction's batches are larger than a model's


class PretrainedEncoder(Encoder):
    """A pretrained model whose last layers are tuned, dropout and a projection to the width.

    A child checks its shape, loads its model, hands it to ``_adopt`` and writes ``_run``. The
    weights are read once per process and copied into each network; a trained network holds
    weights and configuration, and needs the model's folder no more.
    """

    raw = True  # the model knows on its own what its numbers mean

    #: The extra of the package that brings what loads the model.
    extra = None

    @abstractmethod
    def _run(self, values, steps):
        """Run the model: states (B, S, H), the real ones (B, S), and vectors (B, H) or None."""

    def _check_options(self, pooling, poolings, lr):
        self._check_option("pooling", pooling, poolings)
        if not isinstance(lr, Real) or isinstance(lr, bool) or not lr > 0:
            raise ValueError(f"{type(self).__name__}: lr must be above 0. Got {lr!r} instead.")
        self.pooling, self.lr = pooling, lr

    def _adopt(self, model, n_states, width, dropout, trainable_layers):
        """Take a copy of a loaded model, whose states are H wide, and freeze what is not tuned."""
        self.model = copy.deepcopy(model)
        self._settle()
        self._tune(trainable_layers)
        self.dropout = StepDropout(dropout)
        self.project = nn.Linear(n_states, width)

    def _settle(self):
        """Take out of the copy what is not used, or could not be pickled."""
        pooler = getattr(self.model, "pooler", None)
        if pooler is not None and any(True for _ in pooler.parameters()):
            self.model.pooler = None  # often untrained; that of a CNN is a plain mean

    # -- freezing ----------------------------------------------------------------------------

    def _layers(self):
        """Return the model's layers in order, whatever its kind calls them."""
        config = self.model.config
        n_layers = getattr(config, "num_hidden_layers", None) or len(getattr(config, "depths", ()))
        lists = [m for m in self.model.modules() if isinstance(m, nn.ModuleList)]
        return next((m for m in lists if len(m) == n_layers), [])

    def _tune(self, trainable_layers):
        """Freeze all but the last layers; note what is in training at all."""
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
        """Switch to training or evaluation; what is frozen stays in evaluation, without dropout."""
        super().train(mode)
        if self.n_tuned is not None:
            self.model.eval()
            for layer in self._tuned_layers():
                layer.train(mode)
        for module in self.model.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.eval()  # or rows would look at each other
        return self

    def learning_rates(self):
        """Return the pretrained part and its learning rate; see the base class."""
        return [(self.model, self.lr)]

    # -- encoding ----------------------------------------------------------------------------

    def _in_parts(self, encode, values, steps):
        """Encode a few rows at a time where no gradient needs them all."""
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
    """Return a model of the transformers library from this process's memory, or load it."""
    return loading.load(_read, model, owner, extra, owner=owner, extra=extra)


def _read(source, owner, extra):
    transformers = import_optional("transformers", extra=extra, needed_by=owner)
    try:
        # what the file lacks is drawn: the same at each load, and not from the caller's numbers
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
