"""Image embeddings from pretrained models."""

from numbers import Integral
from pathlib import Path

import numpy as np

from sklearn_mmsent.blocks import indexed_names, numbered_names
from sklearn_mmsent.feature_extraction._base import BaseExtractor
from sklearn_mmsent.feature_extraction.image.io import read_image
from sklearn_mmsent.pretrained import image as vision
from sklearn_mmsent.pretrained import loading
from sklearn_mmsent.utils._documentation import document_shared_parameters
from sklearn_mmsent.utils._sklearn import Interval, StrOptions


@document_shared_parameters(BaseExtractor)
class ImageEmbedder(BaseExtractor):
    """Embeddings of images or of their patches from a pretrained model.

    Pretrained on millions of images, the model needs little training data. `fit` learns nothing;
    the weights are loaded on first use, or in `fit` if the config of the model does not give its
    output size. Each process holds a model once: clones, folds and unpickled copies share it, and
    pickles do not contain it.

    Parameters
    ----------
    model : str or Path, default="google/siglip-base-patch16-224"
        Local folder, which never accesses the network, or name on the Hugging Face hub, from where
        it is downloaded once and then read from disk. A vision encoder of the transformers library
        such as ViT, DINOv2, BEiT, Swin, ResNet or ConvNeXT, a vision-language model such as CLIP
        [1]_ or SigLIP [2]_, or a model of timm (with the extra ``timm``).
    pooling : {"auto", "cls", "mean"} or None, default="auto"
        "auto" returns the vector that the model itself uses: for CLIP and SigLIP the one that is
        compared with texts, for others the output of the pooling layer. Without a trained pooling
        layer, or with `layer`, it is the class token if there is one, else the mean. "cls" is the
        class token of the layer, "mean" the mean of the patches. None returns a sequence block
        with one patch per step, in row-major order.
    layer : int or None, default=None
        Hidden layer to use: 0 is the first (usually the input of the first block), -1 the last.
        None uses the output of the model.
    max_steps : int, default=49
        With ``pooling=None``, number of steps of the sequence block. If the model has more
        patches, neighbours are averaged to a coarser grid, so that the steps always cover the
        whole image; smaller grids are padded with NaN.
    normalize : bool, default=True
        Whether to scale each row, or each step of a sequence, to unit norm.
    device : str, default="auto"
        Device such as "cpu", "cuda" or "cuda:1"; "auto" uses a GPU if available.
    max_pixels : int, default=50_000_000
        Largest accepted width times height of an image; see `Pixels`.
    batch_size : int, default=32
        Number of images encoded at a time. They are held in memory at the input size of the
        model.
    n_jobs : int or None, default=None
        Number of batches processed in parallel; None means 1. Each process loads the model, which
        is itself multi-threaded, so more than 1 is rarely faster.

    Attributes
    ----------
    n_features_out_ : int
        Hidden size of the model, times `max_steps` for a sequence.

    See Also
    --------
    ColorTexture : Colour and texture features without a model.
    Cached : Stores embeddings on disk for reuse across folds and scripts.
    FaceCropper : Crops to the largest face first.
    Pixels : For networks that train the image encoder itself.

    Notes
    -----
    See the Notes of `Pixels` for supported image cells. The image processor of the model resizes,
    crops and scales them; large JPEG files are decoded at a reduced scale of at least twice the
    input size. If a processor keeps the aspect ratio, images more than eight times as long as wide
    are cropped to their centre first, since resizing them could exhaust memory.

    Weights are only read from safetensors files, and code of a model is never executed. Weights
    that do not match the config are an error; a pooling layer that is missing in the checkpoint,
    as in classifiers, is not used. Models compute in float32. Results may differ by rounding,
    less than 1e-5, with the order of rows and `batch_size`.

    References
    ----------
    .. [1] A. Radford et al., "Learning transferable visual models from natural language
       supervision", ICML, 2021.
    .. [2] X. Zhai, B. Mustafa, A. Kolesnikov and L. Beyer, "Sigmoid loss for language image
       pre-training", ICCV, 2023.

    Examples
    --------
    A model with random weights stands in for a pretrained one:

    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> from transformers import ViTConfig, ViTImageProcessorPil, ViTModel
    >>> from sklearn_mmsent import ImageEmbedder
    >>> config = ViTConfig(
    ...     hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
    ... )
    >>> folder = TemporaryDirectory()
    >>> ViTModel(config).save_pretrained(folder.name)
    >>> paths = ViTImageProcessorPil().save_pretrained(folder.name)
    >>> photo = np.zeros((30, 40, 3), dtype=np.uint8)
    >>> ImageEmbedder(folder.name, device="cpu").fit_transform([photo, None]).shape
    (2, 16)
    >>> patches = ImageEmbedder(folder.name, pooling=None, max_steps=4, device="cpu")
    >>> patches.fit_transform([photo]).shape
    (1, 64)
    >>> folder.cleanup()
    """

    modality = "image"

    _libraries = ("transformers", "timm", "torch", "torchvision", "pillow", "numpy")
    _parameter_constraints: dict = {
        **BaseExtractor._parameter_constraints,
        "model": [str, Path],
        "pooling": [StrOptions({"auto", "cls", "mean"}), None],
        "layer": [Integral, None],
        "max_steps": [Interval(Integral, 1, None, closed="left")],
        "normalize": ["boolean"],
        "device": [str],
        "max_pixels": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        model="google/siglip-base-patch16-224",
        *,
        pooling="auto",
        layer=None,
        max_steps=49,
        normalize=True,
        device="auto",
        max_pixels=50_000_000,
        on_error="raise",
        batch_size=32,
        n_jobs=None,
    ):
        self.model = model
        self.pooling = pooling
        self.layer = layer
        self.max_steps = max_steps
        self.normalize = normalize
        self.device = device
        self.max_pixels = max_pixels
        self.on_error = on_error
        self.batch_size = batch_size
        self.n_jobs = n_jobs

    def _load(self, cell):
        model = vision.load(self.model, self.device, type(self).__name__)
        image = read_image(
            cell,
            max_pixels=self.max_pixels,
            draft_size=model.draft_size,
            owner=type(self).__name__,
        )
        return model.prepare(image)  # smaller than the photo

    def _encode(self, loaded):
        model = vision.load(self.model, self.device, type(self).__name__)
        encoded = model.encode(loaded, self.pooling, self.layer)
        if self.pooling is not None:
            return self._scaled(np.stack(encoded))
        steps = np.full((len(loaded), self.max_steps, encoded[0].shape[-1]), np.nan, np.float32)
        for row, grid in zip(steps, encoded, strict=True):
            patches = self._scaled(_coarsen(grid, self.max_steps))
            row[: len(patches)] = patches
        return steps.reshape(len(loaded), -1)

    def _scaled(self, vectors):
        if not self.normalize:
            return vectors
        return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)

    def _feature_names(self):
        names = numbered_names("emb", self._width())
        if self.pooling is not None:
            return names
        return indexed_names(names, self.max_steps)

    def _width(self):
        owner = type(self).__name__
        return vision.width(self.model, self.device, self.pooling, self.layer, owner)

    def _fingerprint(self):
        return loading.fingerprint(self.model, type(self).__name__, "image")


def _coarsen(grid, max_steps):
    """Average neighbours of a grid (rows, columns, D) until it has at most `max_steps` steps."""
    n_rows, n_columns = grid.shape[:2]
    if n_rows * n_columns > max_steps:
        n_rows = max(1, round(n_rows * (max_steps / (n_rows * n_columns)) ** 0.5))
        n_rows = min(n_rows, max_steps)
        n_columns = min(n_columns, max_steps // n_rows)
    for axis, n in enumerate((n_rows, n_columns)):
        edges = np.linspace(0, grid.shape[axis], n + 1)
        parts = zip(np.floor(edges[:-1]).astype(int), np.ceil(edges[1:]).astype(int), strict=True)
        grid = np.stack([grid.take(range(*part), axis).mean(axis) for part in parts], axis)
    return grid.reshape(-1, grid.shape[-1])
