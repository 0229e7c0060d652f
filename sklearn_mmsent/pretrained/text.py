"""Sentence-embedding models of the sentence-transformers library."""

import json
import os
import threading
from contextlib import contextmanager

import numpy as np

from sklearn_mmsent.exceptions import DataFormatError
from sklearn_mmsent.pretrained import loading
from sklearn_mmsent.utils._optional import import_optional

_OWNER = "TextEmbedder"


def width(model, device, max_length):
    """Return the length of a sentence's vector, from the model's own notes if they are plain."""
    return _noted(model) or load(model, device, max_length).width


def token_width(model, device, max_length):
    """Return the length of a token's vector, likewise."""
    return _noted(model) or load(model, device, max_length).token_width


def _noted(model):
    folder = loading.find_folder(model, _OWNER, "text")
    return None if folder is None else _noted_width(folder)


def _noted_width(folder):
    """Read the width of a Transformer + Pooling [+ Normalize] model; None for any other."""
    try:
        modules = json.loads((folder / "modules.json").read_text(encoding="utf-8"))
        kinds = [module["type"].rpartition(".")[2] for module in modules]
        if kinds not in (["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"]):
            return None
        pooling = folder / modules[1]["path"] / "config.json"
        notes = json.loads(pooling.read_text(encoding="utf-8"))
        modes = [name for name, on in notes.items() if name.startswith("pooling_mode_") and on]
        return int(notes["word_embedding_dimension"]) if len(modes) == 1 else None
    except (OSError, ValueError, KeyError, TypeError):
        return None  # loading the model tells, or says what is broken


def load(model, device, max_length):
    """Return the model from this process's memory, or load it."""
    return loading.load(TextModel, model, device, max_length, owner=_OWNER, extra="text")


class TextModel:
    """A loaded sentence-transformers model.

    Parameters
    ----------
    source : str
        Local folder or name on the Hugging Face hub.

    device : str
        A torch device or "auto".

    max_length : int or None
        Tokens that are read of a text; None for the model's own limit.
    """

    def __init__(self, source, device, max_length):
        library = import_optional("sentence_transformers", extra="text", needed_by=_OWNER)
        try:
            with loading.quiet():
                self._model = library.SentenceTransformer(
                    source,
                    device=None if device == "auto" else device,
                    local_files_only=os.path.isdir(source),
                )
        except (OSError, ValueError, RuntimeError, KeyError, AttributeError) as error:
            raise DataFormatError(
                f"{_OWNER} cannot load the model {source!r} on device {device!r}: "
                f"{type(error).__name__}: {error}. Check the name or folder, the device, and for "
                "a model that is not on this machine yet, the network."
            ) from error
        if max_length is not None:
            self._check_length(max_length)
            self._model.max_seq_length = max_length
        self.width = self._model.get_embedding_dimension()
        # a fast tokenizer is no two threads' to use
        self._using = threading.Lock()

    def _check_length(self, max_length):
        backbone = getattr(self._model[0], "auto_model", None)
        limit = getattr(getattr(backbone, "config", None), "max_position_embeddings", None)
        # RoBERTa and its kin count positions from behind the padding token's
        padding = getattr(getattr(backbone, "embeddings", None), "padding_idx", None)
        if limit is not None and padding is not None:
            limit -= padding + 1
        if limit is not None and max_length > limit:
            raise ValueError(
                f"The 'max_length' parameter of {_OWNER} must be at most {limit} tokens, which is "
                f"all that this model can read. Got {max_length} instead."
            )

    def encode(self, texts, normalize, layer=None):
        """Embed texts.

        Parameters
        ----------
        texts : list of str

        normalize : bool
            Whether to scale each row to length one.

        layer : int or None, default=None
            Layer whose tokens are pooled; None for the model's own output.

        Returns
        -------
        ndarray of shape (n_texts, width), float32
        """
        rows = np.empty((len(texts), self.width), dtype=np.float32)
        with self._using, self._reading(layer):
            for group in self._equally_long(texts):
                rows[group] = self._model.encode(
                    [texts[i] for i in group],
                    batch_size=len(group),
                    show_progress_bar=False,
                    normalize_embeddings=normalize,
                    convert_to_numpy=True,
                )
        return rows

    def encode_tokens(self, texts, layer=None):
        """Embed each token of texts.

        Parameters
        ----------
        texts : list of str

        layer : int or None, default=None
            Layer to read; None means the output of the model.

        Returns
        -------
        list of ndarray of shape (n_tokens, token width), float32
        """
        self._encoder()
        rows = [None] * len(texts)
        with self._using, self._reading(layer):
            for group in self._equally_long(texts):
                tokens = self._model.encode(
                    [texts[i] for i in group],
                    batch_size=len(group),
                    show_progress_bar=False,
                    output_value="token_embeddings",
                )
                for i, own in zip(group, tokens, strict=True):
                    rows[i] = own.float().cpu().numpy()
        return rows

    def _equally_long(self, texts):
        """Cut a batch into groups of as many tokens each, which need no padding.

        Padding to a longer neighbour changes a text's last digits, and small networks make much
        of those: without it a text's numbers are its own, whatever is cached already.
        """
        if not hasattr(self._model[0], "auto_model"):
            return [list(range(len(texts)))]
        encoded = self._model.tokenizer(
            texts, truncation=True, max_length=self._model.max_seq_length
        )
        groups = {}
        for i, ids in enumerate(encoded["input_ids"]):
            groups.setdefault(len(ids), []).append(i)
        return list(groups.values())

    @property
    def token_width(self):
        """Length of one token's vector."""
        self._encoder()
        return self._model[0].get_embedding_dimension()

    def _encoder(self):
        encoder = getattr(self._model[0], "auto_model", None)
        if encoder is None:
            raise ValueError(
                f"This model has no layers of tokens (it begins with a "
                f"{type(self._model[0]).__name__}): leave the parameters 'pooling' and 'layer' of "
                f"{_OWNER} at their defaults, or take another model."
            )
        return encoder

    @contextmanager
    def _reading(self, layer):
        """Put a layer's tokens in the place of the last one's while the model runs."""
        if layer is None:
            yield
            return
        config = self._encoder().config

        def replace(module, inputs, features):
            layers = features["all_layer_embeddings"]
            if not -len(layers) <= layer < len(layers):
                raise ValueError(
                    f"The 'layer' parameter of {_OWNER} must lie between {-len(layers)} and "
                    f"{len(layers) - 1} for this model. Got {layer} instead."
                )
            features["token_embeddings"] = layers[layer]
            return features

        before = config.output_hidden_states
        hook = self._model[0].register_forward_hook(replace)
        try:
            config.output_hidden_states = True
            yield
        finally:
            config.output_hidden_states = before
            hook.remove()
