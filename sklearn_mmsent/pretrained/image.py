"""Vision encoders of the transformers and timm libraries.

Shapes: B batch, T tokens, D width of a token.
"""

import json
import os
import threading
from operator import attrgetter

import numpy as np

from sklearn_mmsent.exceptions import CellError, DataFormatError, MissingDependencyError
from sklearn_mmsent.pretrained import loading
from sklearn_mmsent.utils._optional import import_optional

_MAX_RATIO = 8  # of the sides of an image, if the processor keeps the aspect ratio

_LOAD_ERRORS = (
    OSError,
    ValueError,
    TypeError,
    RuntimeError,
    KeyError,
    AttributeError,
    ImportError,
)

# config keys of the width of (the pooled output, the tokens of any layer)
_WIDTH_KEYS = {
    "beit": ("hidden_size", "hidden_size"),
    "clip": ("projection_dim", "vision_config.hidden_size"),
    "convnext": ("hidden_sizes", None),
    "convnextv2": ("hidden_sizes", None),
    "deit": ("hidden_size", "hidden_size"),
    "dinov2": ("hidden_size", "hidden_size"),
    "dinov2_with_registers": ("hidden_size", "hidden_size"),
    "dinov3_vit": ("hidden_size", "hidden_size"),
    "resnet": ("hidden_sizes", None),
    "siglip": ("vision_config.hidden_size", "vision_config.hidden_size"),
    "vit": ("hidden_size", "hidden_size"),
}


def width(model, device, pooling, layer, owner):
    """Return the width of the output of `ImageModel.encode`, read from the config if possible."""
    folder = loading.find_folder(model, owner, "image")
    pooled = pooling == "auto" and layer is None
    known = None if folder is None else _width_from_config(folder, pooled, owner)
    return known or load(model, device, owner).width(pooling, layer)


def _width_from_config(folder, pooled, owner):
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        pooled_key, token_key = _WIDTH_KEYS[config["model_type"]]
        library = import_optional("transformers", extra="image", needed_by=owner)
        with loading.quiet():  # fills in the defaults that the file may omit
            config = library.AutoConfig.from_pretrained(
                folder, local_files_only=True, trust_remote_code=False
            )
        value = attrgetter(pooled_key if pooled else token_key)(config)
        return int(value[-1] if isinstance(value, list | tuple) else value)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError):
        return None  # the width, or an error, follows from loading the model


def load(model, device, owner):
    """Return the model from the cache of this process, or load it."""
    return loading.load(ImageModel, model, device, owner, owner=owner, extra="image")


class ImageModel:
    """A loaded vision encoder with its image processor, from a local folder or the hub."""

    def __init__(self, source, device, owner):
        self._owner = owner
        import_optional("PIL.Image", extra="image", needed_by=owner)
        transformers = import_optional("transformers", extra="image", needed_by=owner)
        from sklearn_mmsent.utils._device import resolve_device

        self._device = resolve_device(device)
        config, self._processor, self._model, report = _read(transformers, source, owner)
        self._source = source
        self._has_pooled_output = self._check_weights(report["missing_keys"])
        self._is_dual = hasattr(self._model, "get_image_features")
        if self._is_dual:
            self._model.text_model = None  # half of the memory
        self._model.to(self._device)
        self._n_prefix = self._count_prefix(config)
        self._lock = threading.Lock()
        self._widths = {}
        self._check_deterministic()

    # -- fine-tuning by networks -----------------------------------------------------------------

    @property
    def network(self):
        """The vision encoder, without the text encoder."""
        return getattr(self._model, "vision_model", self._model)

    @property
    def n_prefix(self):
        """Number of tokens before the patches."""
        return self._n_prefix

    def preprocessing(self):
        """Return the size, scale and shift that the image processor applies.

        Height and width in pixels; scale and shift of each channel for values from 0 to 1. They
        are measured on a black and a white image, since the settings of processors differ.
        """
        image = import_optional("PIL.Image", extra="image", needed_by=self._owner)
        black, white = (
            self.prepare(image.new("RGB", (256, 256), colour))["pixel_values"].astype(float)
            for colour in ("black", "white")
        )
        size = black.shape[-2:]
        middle = (slice(None), size[0] // 2, size[1] // 2)  # margins may be padding
        return size, (white - black)[middle].tolist(), black[middle].tolist()

    # -- images ----------------------------------------------------------------------------------

    @property
    def draft_size(self):
        """Smallest height and width in pixels at which an image can be read without loss."""
        sizes = [
            int(value)
            for size in (self._size, _as_dict(getattr(self._processor, "crop_size", None)))
            for value in size.values()
        ]
        return 2 * max(sizes) if sizes else None

    def prepare(self, image):
        """Apply the image processor to an RGB image; return arrays without the batch axis."""
        if "shortest_edge" in self._size:
            image = _crop_extreme(image)
        try:
            inputs = self._processor(images=[image], return_tensors="pt")
        except (ValueError, TypeError, RuntimeError) as error:
            raise CellError(
                f"the image processor of the model does not accept an image of {image.width} x "
                f"{image.height} pixels ({error})"
            ) from error
        return {name: value[0].numpy() for name, value in inputs.items() if hasattr(value, "numpy")}

    @property
    def _size(self):
        return _as_dict(getattr(self._processor, "size", None))

    # -- embeddings ------------------------------------------------------------------------------

    def width(self, pooling, layer):
        """Return the width of the output of `encode`."""
        if (pooling, layer) not in self._widths:
            vectors = self.encode([self._blank()], pooling, layer)
            self._widths[pooling, layer] = vectors[0].shape[-1]
        return self._widths[pooling, layer]

    def encode(self, images, pooling, layer):
        """Embed prepared images, in one batch per input size.

        Returns a list of float32 arrays (D,), or (rows, columns, D) for ``pooling=None``.
        """
        groups = {}
        for i, image in enumerate(images):
            shapes = tuple((name, value.shape) for name, value in image.items())
            groups.setdefault(shapes, []).append(i)
        results = [None] * len(images)
        for positions in groups.values():
            inputs = _stack([images[i] for i in positions], self._device)
            states, pooled = self._run(inputs, layer)
            values = self._pool(states, pooled, pooling, inputs)
            for i, value in zip(positions, values.float().cpu().numpy(), strict=True):
                results[i] = value
        return results

    def _run(self, inputs, layer):
        """Return the states of a layer, and the pooled output if the model has one."""
        import torch

        call = self._model.get_image_features if self._is_dual else self._model
        # TF32 rounding would exceed the tolerance between batches
        exact = torch.backends.cudnn.flags(enabled=True, allow_tf32=False)
        with self._lock, torch.inference_mode(), exact:
            outputs = call(**inputs, output_hidden_states=layer is not None)
        if layer is not None:
            return loading.select_layer(outputs.hidden_states, layer, self._owner), None
        pooled = getattr(outputs, "image_embeds", None)
        pooled = getattr(outputs, "pooler_output", None) if pooled is None else pooled
        states = getattr(outputs, "last_hidden_state", None)
        timm_model = getattr(self._model, "timm_model", None)
        if getattr(timm_model, "output_fmt", "NCHW") == "NHWC" and states.ndim == 4:
            states = states.permute(0, 3, 1, 2)
        use_pooled = pooled is not None and self._has_pooled_output
        return states, pooled.flatten(1) if use_pooled else None

    def _pool(self, states, pooled, pooling, inputs):
        if pooling == "auto" and pooled is not None:
            return pooled  # (B, D)
        if states is None or "pixel_attention_mask" in inputs:
            raise ValueError(
                f"The model {self._source!r} has no plain token outputs: leave 'pooling' and "
                f"'layer' of {self._owner} at their defaults, or use another model."
            )
        has_class_token = states.ndim == 3 and self._n_prefix > 0
        if pooling == "cls" and not has_class_token:
            raise ValueError(
                f"pooling='cls' of {self._owner} needs a class token, which the model "
                f"{self._source!r} does not have{'' if self._n_prefix == 0 else ' in this layer'}. "
                "Set pooling='auto' or 'mean'."
            )
        if pooling == "cls" or (pooling == "auto" and has_class_token):
            return states[:, 0]
        grid = self._grid(states, inputs)
        return grid if pooling is None else grid.flatten(1, 2).mean(dim=1)

    def _grid(self, states, inputs):
        """Arrange the patches as in the image, (B, rows, columns, D)."""
        if states.ndim == 4:
            return states.permute(0, 2, 3, 1)
        patches = states[:, self._n_prefix :]  # (B, T, D)
        height, width = inputs["pixel_values"].shape[-2:]
        n_rows = max(1, round((patches.shape[1] * height / width) ** 0.5))
        if patches.shape[1] % n_rows:
            n_rows = 1
        return patches.unflatten(1, (n_rows, -1))

    # -- checks ----------------------------------------------------------------------------------

    def _check_weights(self, missing):
        """Raise if weights are missing; return whether the pooling layer was trained."""
        missing = [
            name
            for name in sorted(missing)
            if not name.startswith("text_") and not name.endswith("mask_token")
        ]
        # classifier checkpoints have no pooler, and a random one is useless
        gaps = [name for name in missing if "pooler" not in name]
        if gaps:
            raise DataFormatError(
                f"{self._owner}: the weights of the model {self._source!r} do not match its "
                f"config.json: {len(gaps)} parameters are missing, such as {gaps[0]!r}."
            )
        return not missing

    def _count_prefix(self, config):
        """Count the tokens before the patches."""
        inner = getattr(self._model, "timm_model", None)
        if inner is not None:
            return getattr(inner, "num_prefix_tokens", 0)
        names = {name.rpartition(".")[2] for name, _ in self._model.named_parameters()}
        if not names & {"cls_token", "class_embedding"}:
            return 0
        config = getattr(config, "vision_config", config)
        n_registers = getattr(config, "num_register_tokens", 0) or 0
        return 1 + ("distillation_token" in names) + n_registers

    def _blank(self):
        image = import_optional("PIL.Image", extra="image", needed_by=self._owner)
        return self.prepare(image.linear_gradient("L").convert("RGB"))

    def _check_deterministic(self):
        """Raise if the model cannot encode single images or is not deterministic."""
        import torch

        try:
            with torch.random.fork_rng():
                states, pooled = self._run(_stack([self._blank()] * 2, self._device), None)
        except (CellError, ValueError, TypeError, RuntimeError, AttributeError) as error:
            raise DataFormatError(
                f"{self._owner}: the model {self._source!r} ({type(self._model).__name__}) does "
                f"not encode single images: {type(error).__name__}: {error}"
            ) from error
        values = states if pooled is None else pooled
        if values is None or not torch.allclose(values[0], values[1], atol=1e-4):
            raise DataFormatError(
                f"{self._owner}: the model {self._source!r} ({type(self._model).__name__}) gives "
                "no image embedding or a different one each time (as models that mask patches at "
                "random do). Use another model."
            )


def _read(transformers, source, owner):
    """Read a model; return its config, image processor, network, and a report of the loading."""
    import torch

    options = {"local_files_only": os.path.isdir(source), "trust_remote_code": False}
    try:
        # missing weights are initialised at random before they are rejected
        with loading.quiet(), torch.random.fork_rng(devices=[]):
            config = _read_config(transformers, source, options, owner)
            kind = _model_class(transformers, config, owner)
            processor = transformers.AutoImageProcessor.from_pretrained(
                source,
                backend="pil",  # the default backend requires torchvision
                **options,
            )
            model, report = kind.from_pretrained(
                source,
                config=config,
                dtype=torch.float32,
                use_safetensors=True,  # pickles can execute code
                output_loading_info=True,
                **options,
            )
        return config, processor, model, report
    except (DataFormatError, MissingDependencyError):
        raise
    except _LOAD_ERRORS as error:
        raise DataFormatError(
            f"{owner} cannot load the model {source!r}: {type(error).__name__}: {error}. "
            "Check the name or folder (it needs config.json, preprocessor_config.json and "
            "weights as model.safetensors; pickled weights are not read, since they can "
            "execute code) and, for a model that is not on this machine yet, the network."
        ) from error


def _read_config(transformers, source, options, owner):
    content, _ = transformers.PreTrainedConfig.get_config_dict(source, **options)
    if "architecture" not in content:
        return transformers.AutoConfig.from_pretrained(source, **options)
    try:
        timm = import_optional("timm", extra="timm", needed_by=f"{owner} with a model of timm")
    except (RuntimeError, OSError) as error:
        raise DataFormatError(
            f"{owner}: the package 'timm' cannot be imported: {error}. It needs a torchvision "
            "that is built for the installed torch."
        ) from error
    if not timm.is_model(content["architecture"]):  # timm would load "hf-hub:…" from the hub
        raise DataFormatError(
            f"{owner}: the installed timm {timm.__version__} knows no architecture "
            f"{content['architecture']!r}."
        )
    config = transformers.AutoConfig.from_pretrained(source, **options)
    arguments = config.model_args or {}
    # transformers sets num_classes itself; checkpoint_path would load another file, even a pickle
    unwanted = {"num_classes", "checkpoint_path", "pretrained"}
    config.model_args = {name: arguments[name] for name in arguments.keys() - unwanted}
    return config


def _model_class(transformers, config, owner):
    """Return the class of the vision encoder for a config."""
    name = (getattr(config, "architectures", None) or [""])[0]
    if name.endswith("VisionModelWithProjection"):
        return getattr(transformers, name)
    kind = transformers.MODEL_MAPPING.get(type(config), None)
    kind = kind[0] if isinstance(kind, tuple | list) else kind
    if kind is None or (
        kind.main_input_name != "pixel_values" and not hasattr(kind, "get_image_features")
    ):
        inputs = "" if kind is None else f" ({kind.__name__}, which reads {kind.main_input_name})"
        raise DataFormatError(
            f"{owner}: the model is of type {config.model_type!r}{inputs}; expected an image "
            "encoder such as ViT, DINOv2, ConvNeXT, CLIP or SigLIP."
        )
    return kind


def _stack(images, device):
    import torch

    return {
        name: torch.from_numpy(np.stack([image[name] for image in images])).to(device)
        for name in images[0]
    }


def _as_dict(size):
    """Return the size of a processor as a dict without empty entries."""
    return {name: value for name, value in dict(size or {}).items() if value}


def _crop_extreme(image):
    """Crop an extremely long image to its centre, since resizing it could exhaust memory."""
    height = min(image.height, image.width * _MAX_RATIO)
    width = min(image.width, image.height * _MAX_RATIO)
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return image.crop((left, top, left + width, top + height))
