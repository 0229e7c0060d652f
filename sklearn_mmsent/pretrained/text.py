"""Sentence embedding models of the sentence-transformers library."""

import json
import os
import threading
from contextlib import contextmanager

import numpy as np

from sklearn_mmsent.exceptions import DataFormatError
from sklearn_mmsent.pretrained import loading
from sklearn_mmsent.utils._optional import import_optional


def width(model, device, max_length, owner):
    """Return the length of a sentence embedding, read from the config if possible."""
    return _width_from_folder(model, owner) or load(model, device, max_length, owner).width


def token_width(model, device, max_length, owner):
    """Return the length of a token embedding, read from the config if possible."""
    return _width_from_folder(model, owner) or load(model, device, max_length, owner).token_width


def _width_from_folder(model, owner):
    """Read the width of a Transformer + Pooling [+ Normalize] model; None for any other."""
    folder = loading.find_folder(model, owner, "text")
    if folder is None:
        return None
    try:
        modules = json.loads((folder / "modules.json").read_text(encoding="utf-8"))
        kinds = [module["type"].rpartition(".")[2] for module in modules]
        if kinds not in (["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"]):
            return None
        config = json.loads((folder / modules[1]["path"] / "config.json").read_text("utf-8"))
        modes = [name for name, on in config.items() if name.startswith("pooling_mode_") and on]
        return int(config["word_embedding_dimension"]) if len(modes) == 1 else None
    except (OSError, ValueError, KeyError, TypeError):
        return None  # the width, or an error, follows from loading the model


def load(model, device, max_length, owner):
    """Return the model from the cache of this process, or load it."""
    return loading.load(TextModel, model, device, max_length, owner, owner=owner, extra="text")


class TextModel:
    """A loaded sentence-transformers model, from a local folder or the hub."""

    def __init__(self, source, device, max_length, owner):
        library = import_optional("sentence_transformers", extra="text", needed_by=owner)
        self._owner = owner
        try:
            with loading.quiet():
                self._model = library.SentenceTransformer(
                    source,
                    device=None if device == "auto" else device,
                    local_files_only=os.path.isdir(source),
                )
        except (OSError, ValueError, RuntimeError, KeyError, AttributeError) as error:
            raise DataFormatError(
                f"{owner} cannot load the model {source!r} on device {device!r}: "
                f"{type(error).__name__}: {error}. Check the name or folder, the device and, for "
                "a model that is not on this machine yet, the network."
            ) from error
        if max_length is not None:
            self._check_length(max_length)
            self._model.max_seq_length = max_length
        self.width = self._model.get_embedding_dimension()
        self._lock = threading.Lock()  # fast tokenizers are not thread-safe

    def _check_length(self, max_length):
        backbone = getattr(self._model[0], "auto_model", None)
        limit = getattr(getattr(backbone, "config", None), "max_position_embeddings", None)
        # RoBERTa models count positions from the index of the padding token
        padding = getattr(getattr(backbone, "embeddings", None), "padding_idx", None)
        if limit is not None and padding is not None:
            limit -= padding + 1
        if limit is not None and max_length > limit:
            raise ValueError(
                f"The 'max_length' parameter of {self._owner} must be at most {limit} tokens, the "
                f"limit of this model. Got {max_length} instead."
            )

    def encode(self, texts, normalize, layer=None):
        """Embed texts from the output or a hidden layer; return float32 rows (n_texts, width)."""
        rows = np.empty((len(texts), self.width), dtype=np.float32)
        with self._lock, self._hidden_layer(layer):
            for group in self._groups_of_equal_length(texts):
                rows[group] = self._model.encode(
                    [texts[i] for i in group],
                    batch_size=len(group),
                    show_progress_bar=False,
                    normalize_embeddings=normalize,
                    convert_to_numpy=True,
                )
        return rows

    def encode_tokens(self, texts, layer=None):
        """Embed each token of texts; return a float32 array (n_tokens, token width) per text."""
        self._encoder()
        rows = [None] * len(texts)
        with self._lock, self._hidden_layer(layer):
            for group in self._groups_of_equal_length(texts):
                tokens = self._model.encode(
                    [texts[i] for i in group],
                    batch_size=len(group),
                    show_progress_bar=False,
                    output_value="token_embeddings",
                )
                for i, embeddings in zip(group, tokens, strict=True):
                    rows[i] = embeddings.float().cpu().numpy()
        return rows

    def _groups_of_equal_length(self, texts):
        """Group texts by number of tokens, so that none is padded.

        Padding changes the last digits of an embedding, which small networks amplify. Without it,
        embeddings do not depend on the other texts of a batch.
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
        """Length of a token embedding."""
        self._encoder()
        return self._model[0].get_embedding_dimension()

    def _encoder(self):
        encoder = getattr(self._model[0], "auto_model", None)
        if encoder is None:
            raise ValueError(
                f"This model has no token layers (it starts with a "
                f"{type(self._model[0]).__name__}): leave the parameters 'pooling' and 'layer' of "
                f"{self._owner} at their defaults, or use another model."
            )
        return encoder

    @contextmanager
    def _hidden_layer(self, layer):
        """Replace the output tokens by those of a hidden layer while the model runs."""
        if layer is None:
            yield
            return
        config = self._encoder().config

        def replace(module, inputs, features):
            layers = features["all_layer_embeddings"]
            features["token_embeddings"] = loading.select_layer(layers, layer, self._owner)
            return features

        before = config.output_hidden_states
        hook = self._model[0].register_forward_hook(replace)
        try:
            config.output_hidden_states = True
            yield
        finally:
            config.output_hidden_states = before
            hook.remove()
