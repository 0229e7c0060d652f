"""Vision encoders of the transformers library, which also opens those of timm.

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

_OWNER = "ImageEmbedder"
_MAX_RATIO = 8  # of a picture's sides, where the model's processor keeps proportions

_LOAD_ERRORS = (
    OSError,
    ValueError,
    TypeError,
    RuntimeError,
    KeyError,
    AttributeError,
    ImportError,
)

# where a config tells the width of (the image's own vector, a patch in whichever layer)
_NOTED = {
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


def width(model, device, pooling, layer):
    """Return the width of what `ImageModel.encode` gives, from the model's config if plain."""
    folder = loading.find_folder(model, _OWNER, "image")
    noted = None if folder is None else _noted_width(folder, pooling == "auto" and layer is None)
    return noted or load(model, device).width(pooling, layer)


def _noted_width(folder, is_own):
    try:
        notes = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        own, token = _NOTED[notes["model_type"]]
        library = import_optional("transformers", extra="image", needed_by=_OWNER)
        with loading.quiet():  # it knows the defaults, which the file may leave out
            config = library.AutoConfig.from_pretrained(
                folder, local_files_only=True, trust_remote_code=False
            )
        value = attrgetter(own if is_own else token)(config)
        return int(value[-1] if isinstance(value, list | tuple) else value)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError):
        return None  # loading the model tells, or says what is broken


def load(model, device, owner=_OWNER):
    """Return the model from this process's memory, or load it."""
    return loading.load(ImageModel, model, device, owner, owner=owner, extra="image")


class ImageModel:
    """A loaded vision encoder with its own way to prepare a picture.

    Parameters
    ----------
    source : str
        Local folder or name on the Hugging Face hub.

    device : str
        A torch device or "auto".

    owner : str
        Name used in error messages.
    """

    def __init__(self, source, device, owner=_OWNER):
        self._owner = owner
        import_optional("PIL.Image", extra="image", needed_by=owner)
        transformers = import_optional("transformers", extra="image", needed_by=owner)
        import torch

        from sklearn_mmsent.utils._device import resolve_device

        self._device = resolve_device(device)
        where = {"local_files_only": os.path.isdir(source), "trust_remote_code": False}
        try:
            # weights that a checkpoint lacks are drawn at random before they are refused
            with loading.quiet(), torch.random.fork_rng(devices=[]):
                config = _read_config(transformers, source, where, owner)
                kind = _model_class(transformers, config, owner)
                self._processor = transformers.AutoImageProcessor.from_pretrained(
                    source,
                    backend="pil",  # the other one needs torchvision
                    **where,
                )
                self._model, report = kind.from_pretrained(
                    source,
                    config=config,
                    dtype=torch.float32,
                    use_safetensors=True,  # a pickle can run code
                    output_loading_info=True,
                    **where,
                )
        except (DataFormatError, MissingDependencyError):
            raise
        except _LOAD_ERRORS as error:
            raise DataFormatError(
                f"{owner} cannot load the model {source!r}: {type(error).__name__}: {error}. "
                "Check the name or folder (it needs config.json, preprocessor_config.json and "
                "weights as model.safetensors; pickled weights are not read, since they can run "
                "code), and for a model that is not on this machine yet, the network."
            ) from error
        self._source = source
        self._has_own_vector = self._check_weights(report["missing_keys"])
        self._is_dual = hasattr(self._model, "get_image_features")
        if self._is_dual:
            self._model.text_model = None  # half of the memory
        self._model.to(self._device)
        self._n_prefix = self._count_prefix(config)
        self._using = threading.Lock()
        self._widths = {}
        self._check_repeatable()

    # -- for networks that tune it ---------------------------------------------------------------

    @property
    def network(self):
        """The module that reads pictures, without what compares them with texts."""
        return getattr(self._model, "vision_model", self._model)

    @property
    def n_prefix(self):
        """Number of tokens before those of the patches."""
        return self._n_prefix

    def preparation(self):
        """Tell what is done to a picture before the model reads it.

        A black and a white picture tell, whatever the processor calls its settings.

        Returns
        -------
        size : tuple of int
            Height and width in pixels.
        scale, shift : list of float
            Of each channel's values from 0 to 1.
        """
        image = import_optional("PIL.Image", extra="image", needed_by=self._owner)
        black, white = (
            self.prepare(image.new("RGB", (256, 256), colour))["pixel_values"].astype(float)
            for colour in ("black", "white")
        )
        size = black.shape[-2:]
        middle = (slice(None), size[0] // 2, size[1] // 2)  # a margin may be filled up
        return size, (white - black)[middle].tolist(), black[middle].tolist()

    # -- pictures ------------------------------------------------------------------------------

    @property
    def draft_size(self):
        """Smallest height and width in pixels of a picture that loses nothing here."""
        sizes = [
            int(value)
            for size in (self._size, _as_dict(getattr(self._processor, "crop_size", None)))
            for value in size.values()
        ]
        return 2 * max(sizes) if sizes else None

    def prepare(self, image):
        """Bring a picture to the form that the model reads.

        Parameters
        ----------
        image : PIL.Image.Image
            In mode RGB.

        Returns
        -------
        dict of str to ndarray
            The model's inputs, without the batch's axis.
        """
        if "shortest_edge" in self._size:
            image = _cut(image)
        try:
            inputs = self._processor(images=[image], return_tensors="pt")
        except (ValueError, TypeError, RuntimeError) as error:
            raise CellError(
                f"the model's processor cannot take a picture of {image.width} x {image.height} "
                f"pixels ({error})"
            ) from error
        return {name: value[0].numpy() for name, value in inputs.items() if hasattr(value, "numpy")}

    @property
    def _size(self):
        return _as_dict(getattr(self._processor, "size", None))

    # -- numbers -------------------------------------------------------------------------------

    def width(self, pooling, layer):
        """Return the width of what `encode` gives."""
        if (pooling, layer) not in self._widths:
            vectors = self.encode([self._blank()], pooling, layer)
            self._widths[pooling, layer] = vectors[0].shape[-1]
        return self._widths[pooling, layer]

    def encode(self, pictures, pooling, layer):
        """Embed prepared pictures, those of equal size in one batch.

        Parameters
        ----------
        pictures : list of dict of str to ndarray
            As `prepare` gives them.

        pooling : {"auto", "cls", "mean"} or None

        layer : int or None
            Layer to read; None means the output of the model.

        Returns
        -------
        list of ndarray of shape (D,), or for ``pooling=None`` of (rows, columns, D), float32
        """
        groups = {}
        for i, picture in enumerate(pictures):
            shapes = tuple((name, value.shape) for name, value in picture.items())
            groups.setdefault(shapes, []).append(i)
        results = [None] * len(pictures)
        for positions in groups.values():
            inputs = _stack([pictures[i] for i in positions], self._device)
            states, own = self._run(inputs, layer)
            values = self._pool(states, own, pooling, inputs)
            for i, value in zip(positions, values.float().cpu().numpy(), strict=True):
                results[i] = value
        return results

    def _run(self, inputs, layer):
        """Return the states of a layer, and the picture's own vector if the model has one."""
        import torch

        call = self._model.get_image_features if self._is_dual else self._model
        # TF32 would round by more than batches may differ
        exact = torch.backends.cudnn.flags(enabled=True, allow_tf32=False)
        with self._using, torch.inference_mode(), exact:
            outputs = call(**inputs, output_hidden_states=layer is not None)
        if layer is None:
            own = getattr(outputs, "image_embeds", None)
            own = getattr(outputs, "pooler_output", None) if own is None else own
            states = getattr(outputs, "last_hidden_state", None)
            timm_model = getattr(self._model, "timm_model", None)
            if getattr(timm_model, "output_fmt", "NCHW") == "NHWC" and states.ndim == 4:
                states = states.permute(0, 3, 1, 2)
            return states, own.flatten(1) if own is not None and self._has_own_vector else None
        layers = outputs.hidden_states
        if not -len(layers) <= layer < len(layers):
            raise ValueError(
                f"The 'layer' parameter of {self._owner} must lie between {-len(layers)} and "
                f"{len(layers) - 1} for this model. Got {layer} instead."
            )
        return layers[layer], None

    def _pool(self, states, own, pooling, inputs):
        if pooling == "auto" and own is not None:
            return own  # (B, D)
        if states is None or "pixel_attention_mask" in inputs:
            raise ValueError(
                f"The model {self._source!r} gives no plain tokens: leave the parameters 'pooling' "
                f"and 'layer' of {self._owner} at their defaults, or take another model."
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
        """Lay the patches out as they lie in the picture, (B, rows, columns, D)."""
        if states.ndim == 4:
            return states.permute(0, 2, 3, 1)
        patches = states[:, self._n_prefix :]  # (B, T, D)
        height, width = inputs["pixel_values"].shape[-2:]
        n_rows = max(1, round((patches.shape[1] * height / width) ** 0.5))
        if patches.shape[1] % n_rows:
            n_rows = 1
        return patches.unflatten(1, (n_rows, -1))

    # -- what is checked once ------------------------------------------------------------------

    def _check_weights(self, missing):
        """Refuse a checkpoint with gaps; tell whether the picture's own vector was trained."""
        missing = [
            name
            for name in sorted(missing)
            if not name.startswith("text_") and not name.endswith("mask_token")
        ]
        # a classifier's checkpoint brings no pooler along, and a random one says nothing
        gaps = [name for name in missing if "pooler" not in name]
        if gaps:
            raise DataFormatError(
                f"{self._owner}: the weights of the model {self._source!r} do not belong to its "
                f"config.json: {len(gaps)} parameters are missing, such as {gaps[0]!r}."
            )
        return not missing

    def _count_prefix(self, config):
        """Count the tokens before those of the patches."""
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

    def _check_repeatable(self):
        """Refuse what cannot read single pictures, or gives another result each time."""
        import torch

        try:
            with torch.random.fork_rng():
                states, own = self._run(_stack([self._blank()] * 2, self._device), None)
        except (CellError, ValueError, TypeError, RuntimeError, AttributeError) as error:
            raise DataFormatError(
                f"{self._owner}: the model {self._source!r} ({type(self._model).__name__}) does "
                f"not read single pictures: {type(error).__name__}: {error}"
            ) from error
        values = states if own is None else own
        if values is None or not torch.allclose(values[0], values[1], atol=1e-4):
            raise DataFormatError(
                f"{self._owner}: the model {self._source!r} ({type(self._model).__name__}) gives "
                "no vector of a picture, or another one each time (as models do that hide parts of "
                "a picture at random). Take another model."
            )


def _read_config(transformers, source, where, owner):
    notes, _ = transformers.PreTrainedConfig.get_config_dict(source, **where)
    if "architecture" not in notes:
        return transformers.AutoConfig.from_pretrained(source, **where)
    try:
        timm = import_optional("timm", extra="timm", needed_by=f"{owner} with a model of timm")
    except (RuntimeError, OSError) as error:
        raise DataFormatError(
            f"{owner}: the package 'timm' cannot be imported: {error}. It needs a build of "
            "torchvision that belongs to the installed torch."
        ) from error
    if not timm.is_model(notes["architecture"]):  # timm would take "hf-hub:…" and load that
        raise DataFormatError(
            f"{owner}: the installed timm {timm.__version__} knows no architecture "
            f"{notes['architecture']!r}."
        )
    config = transformers.AutoConfig.from_pretrained(source, **where)
    arguments = config.model_args or {}
    # the library sets num_classes itself; checkpoint_path would load another file, a pickle even
    unwanted = {"num_classes", "checkpoint_path", "pretrained"}
    config.model_args = {name: arguments[name] for name in arguments.keys() - unwanted}
    return config


def _model_class(transformers, config, owner):
    """Return the class that reads pictures for a config, or say that there is none."""
    name = (getattr(config, "architectures", None) or [""])[0]
    if name.endswith("VisionModelWithProjection"):
        return getattr(transformers, name)
    kind = transformers.MODEL_MAPPING.get(type(config), None)
    kind = kind[0] if isinstance(kind, tuple | list) else kind
    if kind is None or (
        kind.main_input_name != "pixel_values" and not hasattr(kind, "get_image_features")
    ):
        reads = "" if kind is None else f" ({kind.__name__}, which reads {kind.main_input_name})"
        raise DataFormatError(
            f"{owner}: the model is of type {config.model_type!r}{reads}, expected an encoder of "
            "pictures such as ViT, DINOv2, ConvNeXT, CLIP or SigLIP."
        )
    return kind


def _stack(pictures, device):
    import torch

    return {
        name: torch.from_numpy(np.stack([picture[name] for picture in pictures])).to(device)
        for name in pictures[0]
    }


def _as_dict(size):
    """Return a processor's size as a plain dict without gaps."""
    return {name: value for name, value in dict(size or {}).items() if value}


def _cut(image):
    """Cut the ends off a picture so long that enlarging its short side would fill the memory."""
    height = min(image.height, image.width * _MAX_RATIO)
    width = min(image.width, image.height * _MAX_RATIO)
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return image.crop((left, top, left + width, top + height))
