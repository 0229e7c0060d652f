"""Pretrained text encoders that are tuned together with the rest of the network.

Devlin, Chang, Lee, Toutanova (2019), BERT: pre-training of deep bidirectional
transformers for language understanding, NAACL; the mean of the tokens as vector:
Reimers, Gurevych (2019), Sentence-BERT, EMNLP.
"""

import torch
from torch.nn import functional as F

from sklearn_mmsent.exceptions import DataFormatError
from sklearn_mmsent.nn.encoders.pretrained.base import PretrainedEncoder, load_model

_GROUP = 8  # rows per run on a CPU; smaller groups gain little


class PretrainedTextEncoder(PretrainedEncoder):
    """A transformer over token numbers, as `TokenIds` makes them, whose last layers are tuned.

    Weights are read once per process and copied into each network; a trained network contains
    weights and configuration, and does not need the model's folder.

    Parameters
    ----------
    shape : tuple of int
        Shape of one row: (T, 1), token numbers.
    width : int
        Hidden width D of the output.
    dropout : float
        Probability with which a unit of the output is zeroed in training; tuned layers use the
        model's configuration.
    model : str or Path, default="sentence-transformers/all-MiniLM-L6-v2"
        A local folder, which never touches the network, or the name of a model on the Hugging
        Face hub: the one whose tokenizer made the numbers.
    trainable_layers : int or "all", default="all"
        Number of last layers that are tuned; 0 freezes the model, "all" tunes its embeddings, too.
    lr : float, default=2e-5
        Learning rate of the model; the other layers use that of the estimator.
    pooling : {"mean", "cls"}, default="mean"
        Result: the mean of the tokens, or the first one.
    """

    takes = (2,)
    extra = "text"

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
        self._check_options(pooling, ("mean", "cls"), lr)
        if shape[1] != 1:
            raise ValueError(
                f"The encoder 'pretrained_text' reads token numbers, one per step, of shape "
                f"(T, 1), as TokenIds makes them. Got a block of shape {tuple(shape)} instead."
            )
        loaded = load_model(model, "PretrainedTextEncoder", self.extra)
        config = loaded.config
        if config.is_encoder_decoder:
            raise DataFormatError(
                f"PretrainedTextEncoder needs a model that encodes, such as BERT; {str(model)!r} "
                f"also decodes: it is of type {config.model_type!r}."
            )
        if loaded.main_input_name != "input_ids":
            raise DataFormatError(
                f"PretrainedTextEncoder needs a model of texts, such as BERT; {str(model)!r} is of "
                f"type {config.model_type!r}, which reads {loaded.main_input_name}."
            )
        self.n_tokens = config.vocab_size
        self.padding = config.pad_token_id or 0
        limit = getattr(config, "max_position_embeddings", shape[0])
        if shape[0] > limit:
            raise ValueError(
                f"PretrainedTextEncoder: the model reads {limit} tokens, and the block has "
                f"{shape[0]}. Make it with TokenIds(max_steps={limit}) or less."
            )
        self._adopt(loaded, config.hidden_size, width, dropout, trainable_layers)

    def _run(self, values, steps):
        numbers = values.squeeze(-1).masked_fill(~steps, self.padding).round().long()  # (B, T)
        if (numbers >= self.n_tokens).any() or (numbers < 0).any():
            raise ValueError(
                f"PretrainedTextEncoder: the model knows token numbers from 0 to "
                f"{self.n_tokens - 1}, and the block has {int(numbers.min())} to "
                f"{int(numbers.max())}. Make it with TokenIds of the same model, and keep scalers "
                "and samplers that interpolate away from it."
            )
        # softmax over nothing is NaN in some kernels: a row of padding attends to its first step
        first = torch.arange(steps.shape[1], device=steps.device) == 0
        seen = steps | (first & ~steps.any(dim=1, keepdim=True))
        # one long text causes many padded steps, so rows run with those of similar length; not on
        # a GPU, which would wait for each group
        lengths = (seen * torch.arange(1, seen.shape[1] + 1, device=seen.device)).amax(1)  # (B,)
        size = _GROUP if seen.device.type == "cpu" else max(len(seen), 1)
        groups = lengths.argsort(stable=True).split(size)
        length = int(lengths.max()) if len(lengths) else 1
        states = [self._states(numbers[rows], seen[rows], lengths[rows], length) for rows in groups]
        states = torch.cat(states)[torch.cat(groups).argsort()]  # (B, S, H)
        return states, steps[:, :length], states[:, 0] if self.pooling == "cls" else None

    def _states(self, numbers, seen, lengths, length):
        """Run rows up to the length of the longest; the rest is padded with zeros."""
        own = int(lengths.max()) if len(lengths) else 1
        output = self.model(input_ids=numbers[:, :own], attention_mask=seen[:, :own].long())
        return F.pad(output.last_hidden_state, (0, 0, 0, length - own))
