"""Pretrained text encoders that are tuned together with the rest of the network.

Devlin, Chang, Lee, Toutanova (2019), BERT: pre-training of deep bidirectional
transformers for language understanding, NAACL; which layers to tune: Howard, Ruder
(2018), Universal language model fine-tuning for text classification, ACL; the mean
of the tokens as vector: Reimers, Gurevych (2019), Sentence-BERT, EMNLP.
"""

import copy
from numbers import Integral, Real
from pathlib import Path

import torch
from torch import nn

from sklearn_mmsent._optional import import_optional
from sklearn_mmsent.exceptions import DataFormatError
from sklearn_mmsent.nn._dropout import StepDropout
from sklearn_mmsent.nn.encoders.base import Encoder
from sklearn_mmsent.nn.encoders.pooling import masked_mean


class PretrainedTextEncoder(Encoder):
    """A transformer over token numbers, as `TokenIds` makes them, whose last layers are tuned.

    The weights are read once per process and copied into each network; a trained network holds
    weights and configuration, and needs the model's folder no more.

    Parameters
    ----------
    shape : tuple of int
        Shape of one row: (T, 1), token numbers.
    width : int
        Hidden width D of the output.
    dropout : float
        Probability with which a unit of the output is zeroed in training; inside, the model's own
        probabilities hold in the layers that are tuned.
    model : str or Path, default="sentence-transformers/all-MiniLM-L6-v2"
        A local folder, which never touches the network, or the name of a model on the Hugging
        Face hub: the one whose tokenizer made the numbers.
    trainable_layers : int or "all", default="all"
        How many of the last layers are tuned; 0 freezes the model, "all" tunes its embeddings,
        too.
    lr : float, default=2e-5
        Learning rate of the model; that of the estimator is for what is new.
    pooling : {"mean", "cls"}, default="mean"
        What becomes the vector: the mean of the tokens, or the first one.
    """

    takes = (2,)
    raw = True  # the numbers are names, which have no mean and scale

    def __init__(
        self,
        shape,
        width,
        dropout,
        *,
        model="sentence-transformers/all-MiniLM-L6-v2",
        trainable_layers="all",
        lr=2e-5,
        pooling="mean",
    ):
        super().__init__()
        self._check_shape(shape)
        self._check_option("pooling", pooling, ("mean", "cls"))
        if shape[1] != 1:
            raise ValueError(
                f"The encoder 'pretrained_text' reads token numbers, one per step, of shape "
                f"(T, 1), as TokenIds makes them. Got a block of shape {tuple(shape)} instead."
            )
        if not isinstance(lr, Real) or not lr > 0:
            raise ValueError(f"PretrainedTextEncoder: lr must be above 0. Got {lr!r} instead.")
        self.model = copy.deepcopy(_load(model))
        self.pooling, self.lr = pooling, lr
        config = self.model.config
        self.n_tokens = config.vocab_size
        self.padding = config.pad_token_id or 0
        limit = getattr(config, "max_position_embeddings", shape[0])
        if shape[0] > limit:
            raise ValueError(
                f"PretrainedTextEncoder: the model reads {limit} tokens, and the block has "
                f"{shape[0]}. Make it with TokenIds(max_steps={limit}) or less."
            )
        self._tune(trainable_layers)
        self.dropout = StepDropout(dropout)
        self.project = nn.Linear(config.hidden_size, width)

    def _tune(self, trainable_layers):
        """Freeze all but the last layers; note what is in training at all."""
        if trainable_layers == "all":
            self.n_tuned = None
            return
        n_layers = len(_layers(self.model))
        fits = isinstance(trainable_layers, Integral) and 0 <= trainable_layers <= n_layers
        if not fits or isinstance(trainable_layers, bool):
            raise ValueError(
                f"PretrainedTextEncoder: trainable_layers must be 'all' or a number from 0 to the "
                f"model's {n_layers}. Got {trainable_layers!r} instead."
            )
        self.n_tuned = int(trainable_layers)
        self.model.requires_grad_(False)
        for layer in _layers(self.model)[n_layers - self.n_tuned :]:
            layer.requires_grad_(True)

    def train(self, mode=True):
        """Switch to training or evaluation; what is frozen stays in evaluation, without dropout."""
        super().train(mode)
        if self.n_tuned is not None:
            self.model.eval()
            layers = _layers(self.model)
            for layer in layers[len(layers) - self.n_tuned :]:
                layer.train(mode)
        return self

    def learning_rates(self):
        """Return the pretrained part and its learning rate; see the base class."""
        return [(self.model, self.lr)]

    def _run(self, values, steps):
        numbers = values.squeeze(-1).masked_fill(~steps, self.padding).round().long()  # (B, T)
        if (numbers >= self.n_tokens).any() or (numbers < 0).any():
            raise ValueError(
                f"PretrainedTextEncoder: the model knows token numbers from 0 to "
                f"{self.n_tokens - 1}, and the block has {int(numbers.min())} to "
                f"{int(numbers.max())}. Make it with TokenIds of the same model, and keep scalers "
                "and samplers that interpolate away from it."
            )
        # softmax over nothing is NaN in some kernels: a row of padding looks at its first step
        first = torch.arange(steps.shape[1], device=steps.device) == 0
        seen = steps | (first & ~steps.any(dim=1, keepdim=True))
        return self.model(input_ids=numbers, attention_mask=seen.long()).last_hidden_state

    def tokens(self, values, steps):
        """Encode a batch to (B, T, D) and its mask; see the base class."""
        return self.project(self.dropout(self._run(values, steps))), steps

    def forward(self, values, steps):
        """Encode a batch to (B, D); see the base class."""
        states = self._run(values, steps)  # (B, T, H)
        vectors = masked_mean(states, steps) if self.pooling == "mean" else states[:, 0]
        return self.project(self.dropout(vectors))


def _load(model):
    # this part of the package knows how to find models and to keep them; it is no torch
    from sklearn_mmsent.feature_extraction import _pretrained

    return _pretrained.load(_read, model, owner="PretrainedTextEncoder", extra="text")


def _read(source):
    from sklearn_mmsent.feature_extraction import _pretrained

    transformers = import_optional("transformers", extra="text", needed_by="PretrainedTextEncoder")
    try:
        # what the file lacks is drawn: the same at each load, and not from the caller's numbers
        with _pretrained.quiet(), torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(0)
            model = transformers.AutoModel.from_pretrained(
                source,
                dtype=torch.float32,
                local_files_only=Path(source).is_dir(),
                use_safetensors=True,  # other formats can run code
            )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataFormatError(
            f"PretrainedTextEncoder cannot load the model {source!r}: {type(error).__name__}: "
            f"{error}. Check the name or folder, and for a model that is not on this machine yet, "
            "the network."
        ) from error
    if model.config.is_encoder_decoder:
        raise DataFormatError(
            f"PretrainedTextEncoder needs a model that encodes, such as BERT; {source!r} also "
            f"decodes: it is of type {model.config.model_type!r}."
        )
    if getattr(model, "pooler", None) is not None:
        model.pooler = None  # unused, and often untrained
    return model


def _layers(model):
    """Return the list of a model's layers, whatever its kind calls it."""
    n = model.config.num_hidden_layers
    return next(m for m in model.modules() if isinstance(m, nn.ModuleList) and len(m) == n)
