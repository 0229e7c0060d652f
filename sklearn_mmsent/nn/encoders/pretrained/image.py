"""Pretrained vision encoders that are tuned together with the rest of the network.

Dosovitskiy et al. (2021), An image is worth 16x16 words, ICLR (ViT: the class token,
and a token for each patch); Radford et al. (2021), Learning transferable visual
models from natural language supervision, ICML (CLIP); Oquab et al. (2024), DINOv2,
TMLR; He et al. (2016), Deep residual learning for image recognition, CVPR; Liu et al.
(2022), A ConvNet for the 2020s, CVPR.
"""

from numbers import Integral, Real

import torch
from torch.nn import functional as F

from sklearn_mmsent.nn.encoders.pretrained.base import PretrainedEncoder
from sklearn_mmsent.pretrained import image as vision

_SLACK = 0.5  # of the range, for noise and sharpening; another unit is far outside


class PretrainedImageEncoder(PretrainedEncoder):
    """A vision model over pixels, as `Pixels` makes them, whose last layers are tuned.

    Images are resized like by the model's image processor (bilinear, antialiased, without
    preserving proportions), grey ones are repeated in three channels, and values are normalised
    with the processor's mean and scale. Batch normalisation of a tuned CNN keeps its pretrained
    statistics, so that rows do not depend on each other.

    Weights are read once per process and copied into each network; a trained network contains
    weights and configuration, and does not need the model's folder.

    Parameters
    ----------
    shape : tuple of int
        Shape of one row: (C, H, W), with one or three channels.
    width : int
        Hidden width D of the output.
    dropout : float
        Probability with which a unit of the output is zeroed in training; tuned layers use the
        model's configuration.
    model : str or Path, default="google/siglip-base-patch16-224"
        A local folder, which never touches the network, or the name of a model on the Hugging
        Face hub: a vision transformer (ViT, DINOv2, BEiT, Swin), the vision part of CLIP or
        SigLIP, a CNN (ResNet, ConvNeXT), or a model of timm (the extra ``timm``).
    trainable_layers : int or "all", default="all"
        Number of last layers (of a CNN: stages) that are tuned; 0 freezes the model, "all" tunes
        its patch embeddings, too.
    lr : float, default=2e-5
        Learning rate of the model; the other layers use that of the estimator.
    pooling : {"mean", "cls"}, default="mean"
        Result: the mean of the patches (of a CNN: its pooled output), or the class token of a
        transformer that has one.
    pixel_range : float, default=1.0
        Value of a full channel: 1 for the output of `Pixels`, 255 for bytes. Values far outside
        raise an error.
    image_size : int, tuple of two int or None, default=None
        Height and width in pixels to which images are resized, for models that accept any; None
        uses the model's size.
    """

    takes = (3,)
    extra = "image"

    def __init__(
        self,
        shape,
        width,
        dropout,
        *,
        model="google/siglip-base-patch16-224",
        trainable_layers="all",
        lr=2e-5,
        pooling="mean",
        pixel_range=1.0,
        image_size=None,
    ):
        super().__init__()
        self._check_shape(shape)
        self._check_options(pooling, ("mean", "cls"), lr)
        if shape[0] not in (1, 3):
            raise ValueError(
                f"The encoder 'pretrained_image' reads images of one or three channels, of shape "
                f"(C, H, W), as Pixels makes them. Got a block of shape {tuple(shape)} instead."
            )
        if not isinstance(pixel_range, Real) or not pixel_range > 0:
            raise ValueError(
                f"PretrainedImageEncoder: pixel_range must be above 0. Got {pixel_range!r} instead."
            )
        self.pixel_range = float(pixel_range)
        loaded = _load(model)
        size, scale, shift = loaded.preprocessing()
        self.size = tuple(size) if image_size is None else self._check_size(image_size)
        self.n_prefix = loaded.n_prefix
        if pooling == "cls" and not self.n_prefix:
            raise ValueError(
                f"PretrainedImageEncoder: pooling='cls' needs a class token, which the model "
                f"{str(model)!r} does not have. Set pooling='mean'."
            )
        self._adopt(loaded.network, loaded.width("mean", None), width, dropout, trainable_layers)
        self.register_buffer("scale", torch.tensor(scale).view(-1, 1, 1) / self.pixel_range)
        self.register_buffer("shift", torch.tensor(shift).view(-1, 1, 1))
        if image_size is not None:
            self._try(shape, model)

    def _check_size(self, size):
        sides = (size, size) if isinstance(size, Integral) else tuple(size)
        if len(sides) != 2 or not all(isinstance(n, Integral) and n > 0 for n in sides):
            raise ValueError(
                "PretrainedImageEncoder: image_size must be a number of pixels, or a height and a "
                f"width. Got {size!r} instead."
            )
        return sides

    def _layers(self):
        inner = getattr(self.model, "timm_model", None)
        if inner is None:
            return super()._layers()
        names = ("blocks", "stages", "layers")
        found = [getattr(inner, name) for name in names if hasattr(inner, name)]
        numbered = [getattr(inner, f"layer{i}") for i in range(1, 9) if hasattr(inner, f"layer{i}")]
        return list(found[0]) if found else numbered

    def _settle(self):
        super()._settle()
        if getattr(self.model, "use_head", False):  # of SigLIP, which pools the tokens
            self.model.use_head, self.model.head = False, None

    def _try(self, shape, model):
        """Raise an error for a size that the model does not accept, before training starts."""
        self.eval()
        try:
            with torch.no_grad():
                self._run(torch.zeros(1, *shape), None)
        except (ValueError, RuntimeError) as error:
            raise ValueError(
                f"PretrainedImageEncoder: the model {str(model)!r} does not read images of "
                f"{self.size[0]} x {self.size[1]} pixels: {error}. Leave image_size at None."
            ) from error
        self.train()

    def _prepare(self, pixels):
        """Convert images (B, C, H, W) to the model's size, channels and scale."""
        low, high = pixels.amin(), pixels.amax()
        slack = _SLACK * self.pixel_range
        if low < -slack or high > self.pixel_range + slack:
            raise ValueError(
                f"PretrainedImageEncoder: pixels lie between {float(low):g} and {float(high):g}, "
                f"and pixel_range={self.pixel_range:g}. Set pixel_range=255 for bytes or 1 for the "
                "output of Pixels, and do not scale the block."
            )
        pixels = pixels.expand(-1, 3, -1, -1)
        if pixels.shape[-2:] != self.size:
            pixels = F.interpolate(
                pixels, self.size, mode="bilinear", antialias=True, align_corners=False
            )
        return pixels * self.scale + self.shift

    def _run(self, values, steps):
        output = self.model(pixel_values=self._prepare(values))
        states, vectors = output.last_hidden_state, None
        if states.ndim == 4:  # positions of a CNN, and its pooled output
            inner = getattr(self.model, "timm_model", None)
            if getattr(inner, "output_fmt", "NCHW") != "NHWC":
                states = states.movedim(1, -1)  # (B, H', W', H)
            states, vectors = states.flatten(1, 2), getattr(output, "pooler_output", None)
            vectors = None if vectors is None else vectors.flatten(1)
        elif self.pooling == "cls":
            vectors = states[:, 0]
        states = states[:, self.n_prefix :]  # (B, S, H)
        return states, torch.ones_like(states[..., 0], dtype=torch.bool), vectors


def _load(model):
    return vision.load(model, "cpu", "PretrainedImageEncoder")
