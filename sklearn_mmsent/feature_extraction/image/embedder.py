"""Embeddings of pictures by a pretrained model."""

from numbers import Integral
from pathlib import Path

import numpy as np

from sklearn_mmsent.blocks import indexed_names, numbered_names
from sklearn_mmsent.feature_extraction._base import BaseExtractor
from sklearn_mmsent.feature_extraction.image.io import read_image
from sklearn_mmsent.pretrained import image as vision
from sklearn_mmsent.pretrained import loading
from sklearn_mmsent.utils._sklearn import Interval, StrOptions


class ImageEmbedder(BaseExtractor):
    """Embeddings of pictures or of their patches by a pretrained model.

    The model brings along what it has seen in millions of pictures, so that little training data
    goes far. `fit` learns nothing, and loads nothing where the model's config tells how wide it
    is; the model loads when the first picture comes. A process holds each model once: clones,
    folds and unpickled copies share it, and pickles do not carry it.

    Parameters
    ----------
    model : str or Path, default="google/siglip-base-patch16-224"
        A local folder, which never touches the network, or the name of a model on the Hugging
        Face hub, which is downloaded once and then read from the disk without asking the hub
        again. A vision encoder of the transformers library such as ViT, DINOv2, BEiT, Swin,
        ResNet or ConvNeXT, one that joins pictures and texts such as CLIP or SigLIP, or a model
        of timm (the extra ``timm``).

    pooling : {"auto", "cls", "mean"} or None, default="auto"
        "auto" gives one vector per picture, in the model's own way: CLIP and SigLIP the vector
        that they compare with texts, others what their pooling layer gives. Where there is no
        trained one, or `layer` is set, it is the class token, and without that the mean. "cls"
        is the class token as it leaves the layer, "mean" the mean of the patches. None gives a
        sequence block of one patch per step, row by row.

    layer : int or None, default=None
        Layer that is read: 0 is the first that the model gives out (mostly what lies below the
        first block), -1 the last. None means the model's own output.

    max_steps : int, default=49
        Steps of a sequence. Where the model has more patches, neighbours are averaged until the
        grid has no more than that, so that the steps always cover the whole picture; a smaller
        grid is padded with NaN. Has no effect with another `pooling`.

    normalize : bool, default=True
        Whether to scale each row, or each step of a sequence, to length one.

    device : str, default="auto"
        A torch device such as ``"cpu"`` or ``"cuda:0"``; ``"auto"`` takes an accelerator if
        there is one.

    max_pixels : int, default=50_000_000
        Largest width times height of a picture that is read at all; see `Pixels`.

    on_error : {"raise", "missing"}, default="raise"
        For a cell that cannot be used: raise a `CellError`, or count it as missing and warn
        once with the number.

    batch_size : int, default=32
        Pictures that pass through the model at a time. They are held in memory at the size that
        the model reads.

    n_jobs : int or None, default=None
        Processes that work on batches at the same time; None means one. Each loads the model,
        which itself uses several threads: more than one rarely pays.

    Attributes
    ----------
    n_features_in_ : int
        Always 1, the column of cells.

    n_features_out_ : int
        Width of the model, times `max_steps` for a sequence.

    See Also
    --------
    ColorTexture : Needs no model; a few hundred numbers on colour and texture.
    Cached : Keeps embeddings on disk, so that folds and later scripts do not compute them
        again.
    FaceCropper : Before this one, embeds the largest face in place of the whole picture.
    Pixels : For networks that train the image encoder itself.

    Notes
    -----
    Cells are what `Pixels` takes. The model's own image processor resizes, crops and scales
    them; large JPEG files are decoded at a reduced scale before, never under twice the size that
    the model reads. Where a processor keeps proportions, a picture longer than eight times its
    breadth is first cut to its middle, since enlarging it could fill the memory.

    Weights are read from safetensors files only, and code that comes with a model is not run. A
    model whose weights do not fit its config is refused; a pooling layer that the checkpoint
    lacks, as classifiers' do, is not used. Models compute in float32. With another order of rows
    or another `batch_size` results may differ by rounding, under 1e-5.

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
        model = vision.load(self.model, self.device)
        image = read_image(
            cell,
            max_pixels=self.max_pixels,
            draft_size=model.draft_size,
            owner=type(self).__name__,
        )
        return model.prepare(image)  # not the photo itself: a batch of those would be large

    def _encode(self, loaded):
        model = vision.load(self.model, self.device)
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
        names = numbered_names(
            "emb", vision.width(self.model, self.device, self.pooling, self.layer)
        )
        if self.pooling is not None:
            return names
        return indexed_names(names, self.max_steps)

    def _fingerprint(self):
        return loading.fingerprint(self.model, "ImageEmbedder", "image")


def _coarsen(grid, max_steps):
    """Average neighbours of a grid (rows, columns, D) until it has at most that many steps."""
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
