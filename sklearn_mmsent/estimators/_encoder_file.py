"""Trained encoders in a file: tensors and a description, no executable code.

The format is safetensors, whose reader checks that all tensors lie inside the file before reading
one. The metadata has a single entry, since the order of several is not reproducible:
``sklearn_mmsent.encoders``, JSON with ``format_version``, ``package_version`` and ``blocks``, a
list of name, shape, encoder, options and width. The tensors of block i are named ``i.encoder.*``
and ``i.standardizer.*``.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from sklearn_mmsent import __version__
from sklearn_mmsent.exceptions import DataFormatError
from sklearn_mmsent.utils._files import write_atomically

_ENTRY, _VERSION = "sklearn_mmsent.encoders", 1
_FIELDS = {"name": str, "shape": list, "encoder": str, "options": dict, "width": int}
_PARTS = ("encoder", "standardizer")


@dataclass(frozen=True)
class TrainedBlock:
    """The trained encoder of a block.

    Parameters
    ----------
    name : str
        Name of the block.
    shape : list of int
        Shape of one row of the block.
    encoder : str
        Name of the encoder's class: the key in ENCODERS, or the name of a custom class.
    options : dict
        Options of the encoder that JSON can represent, including defaults.
    width : int
        Hidden width D.
    states : dict of str to dict of str to Tensor
        Weights of the "encoder" and of the "standardizer".
    """

    name: str
    shape: list
    encoder: str
    options: dict
    width: int
    states: dict


def write_encoders(path, blocks):
    """Write trained encoders to a file, as a whole or not at all.

    Parameters
    ----------
    path : str or Path
        Path of the file; an existing file is replaced.
    blocks : list of TrainedBlock
        The encoders.
    """
    tensors = {
        f"{i}.{part}.{name}": value
        for i, block in enumerate(blocks)
        for part, state in block.states.items()
        for name, value in state.items()
    }
    description = {
        "format_version": _VERSION,
        "package_version": __version__,
        "blocks": [{field: getattr(block, field) for field in _FIELDS} for block in blocks],
    }
    content = save(tensors, {_ENTRY: json.dumps(description)})
    path = Path(path).expanduser()

    def write(draft):
        with open(draft, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())

    write_atomically(path, write)


def read_encoders(path, *, owner):
    """Read the encoders of a file from `write_encoders`.

    Parameters
    ----------
    path : str or Path
        Path of the file.
    owner : str
        Name used in error messages.

    Returns
    -------
    list of TrainedBlock
        In the order of the blocks in the training table.

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    DataFormatError
        If the file is damaged, or was not written by `write_encoders`.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise FileNotFoundError(
            f"{owner}: there is no file {str(path)!r} to read encoders from. Write one with "
            "save_encoders of a fitted estimator."
        )
    source = f"{owner}: the file {str(path)!r}"
    try:
        with safe_open(path, framework="pt") as file:
            blocks = _read_description(file.metadata(), source)
            keys = {i: set() for i in range(len(blocks))}
            for key in file.keys():  # noqa: SIM118 - not a mapping
                number, part = _parse_key(key, len(blocks), source)
                keys[number].add((part, key))
            return [_read_block(file, blocks[i], keys[i], source) for i in keys]
    except SafetensorError as error:
        raise DataFormatError(
            f"{source} is damaged, or not in the safetensors format ({error}). Expected a file "
            "from save_encoders: write it again."
        ) from error


def _read_description(metadata, source):
    """Return the descriptions of the blocks in the metadata, with fields of the right types."""
    if not metadata or _ENTRY not in metadata:
        raise DataFormatError(
            f"{source} holds tensors, but was not written by save_encoders: its metadata has no "
            f"entry {_ENTRY!r}. For weights of other models, write a custom encoder."
        )
    try:
        description = json.loads(metadata[_ENTRY])
    except (ValueError, RecursionError):
        description = None
    description = description if isinstance(description, dict) else {}
    version, blocks = description.get("format_version"), description.get("blocks")
    if isinstance(version, int) and version > _VERSION:
        raise DataFormatError(
            f"{source} has the format version {version}, written by version "
            f"{description.get('package_version')!r:.40} of the package; this is version "
            f"{__version__}, which reads {_VERSION}. Update the package."
        )
    fits = isinstance(blocks, list) and all(_is_description(block) for block in blocks)
    if version != _VERSION or not fits or len({b["name"] for b in blocks}) < len(blocks):
        raise DataFormatError(
            f"{source} does not describe its blocks as save_encoders does: a list of "
            f"{', '.join(_FIELDS)}, each name once. Write it again."
        )
    return blocks


def _is_description(block):
    if not isinstance(block, dict) or block.keys() != _FIELDS.keys():
        return False
    numbers = [block["width"], *(block["shape"] if isinstance(block["shape"], list) else [None])]
    return (
        all(isinstance(block[field], kind) for field, kind in _FIELDS.items())
        and 1 <= len(block["shape"]) <= 3
        and all(type(n) is int and n > 0 for n in numbers)
    )


def _parse_key(key, n_blocks, source):
    """Return the number of a tensor's block and the part that it belongs to."""
    number, _, rest = key.partition(".")
    part, _, name = rest.partition(".")
    known = {str(i) for i in range(n_blocks)}
    if number not in known or part not in _PARTS or not name:
        raise DataFormatError(
            f"{source} holds the tensor {key[:80]!r}, which belongs to none of its {n_blocks} "
            "blocks. Expected names such as '0.encoder.weight': write it again."
        )
    return int(number), part


def _read_block(file, description, keys, source):
    states = {part: {} for part in _PARTS}
    for part, key in sorted(keys):
        value = file.get_tensor(key)
        if value.is_complex() or (value.is_floating_point() and not value.isfinite().all()):
            raise DataFormatError(
                f"{source} holds numbers that are not finite, or not real, in the tensor "
                f"{key[:80]!r}. Train the encoder of the block {description['name'][:80]!r} again."
            )
        # a copy: a mapped tensor would become invalid with the file
        states[part][key.split(".", 2)[2]] = value.clone(memory_format=torch.contiguous_format)
    return TrainedBlock(**description, states=states)
