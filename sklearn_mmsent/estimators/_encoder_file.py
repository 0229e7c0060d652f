"""Encoders in a file: tensors and a description, nothing that could run.

The format is safetensors, whose reader checks that all tensors lie inside the file before any
is read. Its metadata has one entry, since the order of several would be another each time:
``sklearn_mmsent.encoders``, in JSON ``format_version``, ``package_version`` and ``blocks``, a list
of name, shape, encoder, options and width. The tensors of block i are named ``i.encoder.*`` and
``i.standardizer.*``.
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
    """A block's trained encoder, as it is handed on.

    Parameters
    ----------
    name : str
        Name of the block.
    shape : list of int
        Shape of one row of it.
    encoder : str
        Name of the encoder's class: the key of ENCODERS, or that of a class of one's own.
    options : dict
        Those of its options that JSON can tell, defaults included.
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
    """Write blocks to a file, wholly or not at all.

    Parameters
    ----------
    path : str or Path
        Where; a file that is there is replaced.
    blocks : list of TrainedBlock
        What.
    """
    tensors = {
        f"{i}.{part}.{name}": value
        for i, block in enumerate(blocks)
        for part, state in block.states.items()
        for name, value in state.items()
    }
    told = {
        "format_version": _VERSION,
        "package_version": __version__,
        "blocks": [{field: getattr(block, field) for field in _FIELDS} for block in blocks],
    }
    content = save(tensors, {_ENTRY: json.dumps(told)})
    path = Path(path).expanduser()

    def write(draft):
        with open(draft, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())

    write_atomically(path, write)


def read_encoders(path, *, owner):
    """Read blocks that `write_encoders` wrote.

    Parameters
    ----------
    path : str or Path
        Where.
    owner : str
        Who asks, for messages.

    Returns
    -------
    list of TrainedBlock
        In the order of the table that they were trained on.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    DataFormatError
        If it is broken, or something else.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise FileNotFoundError(
            f"{owner}: there is no file {str(path)!r} to take encoders from. Write one with "
            "save_encoders of a fitted estimator."
        )
    who = f"{owner}: the file {str(path)!r}"
    try:
        with safe_open(path, framework="pt") as file:
            told = _read_description(file.metadata(), who)
            keys = {field: set() for field in range(len(told))}
            for key in file.keys():  # noqa: SIM118 - it is no mapping
                number, part = _take_apart(key, len(told), who)
                keys[number].add((part, key))
            return [_read_block(file, told[i], keys[i], who) for i in keys]
    except SafetensorError as error:
        raise DataFormatError(
            f"{who} is broken, or not in the format safetensors ({error}). Expected one that "
            "save_encoders wrote: write it again."
        ) from error


def _read_description(metadata, who):
    """Return the list of blocks in the metadata, every field of the right type."""
    if not metadata or _ENTRY not in metadata:
        raise DataFormatError(
            f"{who} holds tensors, but was not written by save_encoders: its metadata has no entry "
            f"{_ENTRY!r}. Weights of other models are read by encoders of your own."
        )
    try:
        told = json.loads(metadata[_ENTRY])
    except (ValueError, RecursionError):
        told = None
    told = told if isinstance(told, dict) else {}
    version, blocks = told.get("format_version"), told.get("blocks")
    if isinstance(version, int) and version > _VERSION:
        raise DataFormatError(
            f"{who} has the format version {version}, written by version "
            f"{told.get('package_version')!r:.40} of the package; this is version "
            f"{__version__}, which reads {_VERSION}. Update the package."
        )
    fits = isinstance(blocks, list) and all(_is_description(block) for block in blocks)
    if version != _VERSION or not fits or len({b["name"] for b in blocks}) < len(blocks):
        raise DataFormatError(
            f"{who} does not tell its blocks as save_encoders does: a list of "
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


def _take_apart(key, n_blocks, who):
    """Return the number of a tensor's block and the part of it."""
    number, _, rest = key.partition(".")
    part, _, name = rest.partition(".")
    known = {str(i) for i in range(n_blocks)}
    if number not in known or part not in _PARTS or not name:
        raise DataFormatError(
            f"{who} holds the tensor {key[:80]!r}, which belongs to none of its {n_blocks} "
            "blocks. Expected names such as '0.encoder.weight': write it again."
        )
    return int(number), part


def _read_block(file, told, keys, who):
    states = {part: {} for part in _PARTS}
    for part, key in sorted(keys):
        value = file.get_tensor(key)
        if value.is_complex() or (value.is_floating_point() and not value.isfinite().all()):
            raise DataFormatError(
                f"{who} holds numbers that are not finite, or not real, in the tensor "
                f"{key[:80]!r}. Train the encoder of the block {told['name'][:80]!r} again."
            )
        # a copy: what is mapped from the disk would vanish with the file
        states[part][key.split(".", 2)[2]] = value.clone(memory_format=torch.contiguous_format)
    return TrainedBlock(**told, states=states)
