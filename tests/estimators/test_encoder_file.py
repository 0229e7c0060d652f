"""Files of encoders: written atomically, and read without executing code."""

import json
import pickle
import struct

import numpy as np
import pytest
import torch
from safetensors.torch import save

from sklearn_mmsent import FusionClassifier, __version__
from sklearn_mmsent.estimators._encoder_file import TrainedBlock, read_encoders, write_encoders
from sklearn_mmsent.exceptions import DataFormatError

ENTRY = "sklearn_mmsent.encoders"
BLOCK = {"name": "text", "shape": [3], "encoder": "mlp", "options": {}, "width": 4}


def states():
    generator = torch.Generator().manual_seed(0)
    return {
        "encoder": {
            "layers.0.weight": torch.randn(4, 3, generator=generator),
            "count": torch.tensor(7),
            "table": torch.randn(2, 2, generator=generator).double(),
        },
        "standardizer": {"mean": torch.zeros(3), "inverse_scale": torch.ones(3)},
    }


def described(blocks=(BLOCK,), **changes):
    description = {"format_version": 1, "package_version": "0", "blocks": list(blocks), **changes}
    return {ENTRY: json.dumps(description)}


def read(path):
    return read_encoders(path, owner="Reader")


def test_round_trip(tmp_path):
    blocks = [TrainedBlock(**{**BLOCK, "name": name}, states=states()) for name in ("a", "b__c/.d")]
    write_encoders(tmp_path / "file", blocks)
    again = read(tmp_path / "file")
    assert [block.name for block in again] == ["a", "b__c/.d"]
    for block, origin in zip(again, blocks, strict=True):
        assert vars(block) | {"states": 0} == vars(origin) | {"states": 0}
        for part, state in origin.states.items():
            assert block.states[part].keys() == state.keys()
            for name, value in state.items():
                assert block.states[part][name].dtype == value.dtype
                assert torch.equal(block.states[part][name], value)
    # the same again, byte by byte
    write_encoders(tmp_path / "second", again)
    assert (tmp_path / "second").read_bytes() == (tmp_path / "file").read_bytes()


def test_encoders_do_not_depend_on_the_file_after_reading(tmp_path):
    write_encoders(tmp_path / "file", [TrainedBlock(**BLOCK, states=states())])
    (block,) = read(tmp_path / "file")
    (tmp_path / "file").write_bytes(b"")
    assert torch.equal(block.states["encoder"]["table"], states()["encoder"]["table"])


def test_a_file_is_replaced_as_a_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_encoders(path, [TrainedBlock(**BLOCK, states=states())])
    before = path.read_bytes()

    def fail(*_):
        raise OSError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr("os.replace", fail)
        with pytest.raises(OSError, match="no space left"):
            write_encoders(path, [])
    assert path.read_bytes() == before
    write_encoders(path, [])
    assert read(path) == []
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


def test_the_file_describes_its_contents(tmp_path):
    X = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    clf = FusionClassifier(modalities={"text": 3}, max_epochs=1, hidden_size=4, random_state=0)
    clf.fit(X, np.arange(20) % 2).save_encoders(tmp_path / "file")
    content = (tmp_path / "file").read_bytes()
    (size,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + size])
    description = json.loads(header.pop("__metadata__")[ENTRY])
    assert description["format_version"] == 1
    assert description["package_version"] == __version__
    assert description["blocks"] == [BLOCK | {"options": {"hidden": None}}]
    assert {tensor["dtype"] for tensor in header.values()} == {"F32"}  # as they were in training
    assert {name.split(".")[1] for name in header} == {"encoder", "standardizer"}


def test_a_missing_file_is_named(tmp_path):
    for path in (tmp_path / "nothing", tmp_path):
        with pytest.raises(FileNotFoundError, match=r"Reader: there is no file .* save_encoders"):
            read(path)


def header(content, length=None):
    content = content if isinstance(content, bytes) else json.dumps(content).encode()
    return struct.pack("<Q", len(content) if length is None else length) + content


TENSOR = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
BROKEN = {
    "empty": b"",
    "short": b"\x08\x00",
    "text": b"once upon a time there was a file of text",
    "pickle": pickle.dumps({"a": [1, 2, 3]}),
    "zip": b"PK\x03\x04" + bytes(200),
    "huge header": header(b"{}", 1 << 62),
    "no json": header(b"{nope"),
    "no mapping": header([1, 2]),
    "not utf-8": header(b'{"\xff\xfe": 1}'),
    "beyond the end": header({"0.encoder.w": TENSOR | {"data_offsets": [0, 1 << 40]}}) + bytes(8),
    "huge shape": header({"0.encoder.w": TENSOR | {"shape": [1 << 40]}}) + bytes(8),
    "overflowing shape": header({"0.encoder.w": TENSOR | {"shape": [1 << 63, 4]}}) + bytes(8),
    "negative shape": header({"0.encoder.w": TENSOR | {"shape": [-2]}}) + bytes(8),
    "backwards": header({"0.encoder.w": TENSOR | {"data_offsets": [8, 0]}}) + bytes(8),
    "overlap": header({"0.encoder.w": TENSOR, "0.encoder.v": TENSOR}) + bytes(8),
    "a hole": header({"0.encoder.w": TENSOR}) + bytes(80),
    "unknown dtype": header({"0.encoder.w": TENSOR | {"dtype": "OBJECT"}}) + bytes(8),
    "deep": header(b"[" * 100_000 + b"]" * 100_000),
}


@pytest.mark.parametrize("name", BROKEN)
def test_damaged_files_are_rejected(tmp_path, name):
    (tmp_path / "file").write_bytes(BROKEN[name])
    with pytest.raises(DataFormatError, match=r"Reader: the file .*safetensors.* write it again"):
        read(tmp_path / "file")


def test_every_truncated_file_is_rejected(tmp_path):
    write_encoders(tmp_path / "file", [TrainedBlock(**BLOCK, states=states())])
    content = (tmp_path / "file").read_bytes()
    for length in range(len(content)):
        (tmp_path / "file").write_bytes(content[:length])
        with pytest.raises(DataFormatError):
            read(tmp_path / "file")


def test_files_with_changed_bytes_are_read_or_rejected(tmp_path):
    write_encoders(tmp_path / "file", [TrainedBlock(**BLOCK, states=states())])
    content = (tmp_path / "file").read_bytes()
    rng = np.random.default_rng(0)
    n_read = 0
    for _ in range(600):
        other = bytearray(content)
        for place in rng.integers(len(content), size=rng.integers(1, 4)):
            other[place] = rng.integers(256)
        (tmp_path / "file").write_bytes(other)
        try:
            read(tmp_path / "file")
            n_read += 1
        except DataFormatError:
            pass
    assert 0 < n_read < 600


GOOD = {"0.encoder.w": torch.zeros(2)}
FOREIGN = {
    "another model": (GOOD, None, "was not written by save_encoders"),
    "other metadata": (GOOD, {"format": "pt"}, "was not written by save_encoders"),
    "newer": (GOOD, described(format_version=2, package_version="9.1"), "written by version '9.1'"),
    "no version": (GOOD, described(format_version="1"), "does not describe its blocks"),
    "no json": (GOOD, {ENTRY: "{"}, "does not describe its blocks"),
    "deep json": (GOOD, {ENTRY: "[" * 100_000}, "does not describe its blocks"),
    "a list": (GOOD, {ENTRY: "[]"}, "does not describe its blocks"),
    "no blocks": (GOOD, described(blocks=[3]), "does not describe its blocks"),
    "twice": (GOOD, described(blocks=[BLOCK, BLOCK]), "does not describe its blocks"),
    "more fields": (GOOD, described(blocks=[BLOCK | {"run": "x"}]), "does not describe its blocks"),
    "fewer fields": (GOOD, described(blocks=[{"name": "text"}]), "does not describe its blocks"),
    "name": (GOOD, described(blocks=[BLOCK | {"name": 3}]), "does not describe its blocks"),
    "no shape": (GOOD, described(blocks=[BLOCK | {"shape": []}]), "does not describe its blocks"),
    "shape": (GOOD, described(blocks=[BLOCK | {"shape": [1.5]}]), "does not describe its blocks"),
    "shapes": (GOOD, described(blocks=[BLOCK | {"shape": [[1]]}]), "does not describe its blocks"),
    "a word": (GOOD, described(blocks=[BLOCK | {"shape": "3"}]), "does not describe its blocks"),
    "axes": (GOOD, described(blocks=[BLOCK | {"shape": [1] * 4}]), "does not describe its blocks"),
    "width": (GOOD, described(blocks=[BLOCK | {"width": -4}]), "does not describe its blocks"),
    "truth": (GOOD, described(blocks=[BLOCK | {"width": True}]), "does not describe its blocks"),
    "options": (GOOD, described(blocks=[BLOCK | {"options": []}]), "does not describe its blocks"),
    "block": ({"1.encoder.w": torch.zeros(2)}, described(), "'1.encoder.w', which belongs to none"),
    "part": ({"0.head.w": torch.zeros(2)}, described(), "'0.head.w', which belongs to none"),
    "plain": ({"weight": torch.zeros(2)}, described(), "'weight', which belongs to none"),
    "infinite": ({"0.encoder.w": torch.tensor([1, np.inf])}, described(), "not finite"),
    "NaN": ({"0.standardizer.mean": torch.tensor([np.nan])}, described(), "not finite"),
    "complex": ({"0.encoder.w": torch.zeros(2, dtype=torch.complex64)}, described(), "not real"),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_files_of_other_origin_are_rejected(tmp_path, name):
    tensors, metadata, message = FOREIGN[name]
    (tmp_path / "file").write_bytes(save(tensors, metadata))
    with pytest.raises(DataFormatError, match=f"Reader: the file .*{message}"):
        read(tmp_path / "file")


def test_a_file_without_all_weights_is_rejected_by_the_estimator(tmp_path):
    (tmp_path / "file").write_bytes(save(GOOD, described([BLOCK | {"options": {"hidden": None}}])))
    X = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    clf = FusionClassifier(
        modalities={"text": 3}, max_epochs=1, hidden_size=4, encoders_from=tmp_path / "file"
    )
    with pytest.raises(ValueError, match="'inverse_scale' is missing in the source and has shape"):
        clf.fit(X, np.arange(20) % 2)


def test_state_that_is_no_tensor_is_rejected():
    class Odd(torch.nn.Linear):
        def get_extra_state(self):
            return {"note": 1}

    from sklearn_mmsent.training.encoder_start import plain_state

    with pytest.raises(ValueError, match="Odd keeps '_extra_state', of type dict"):
        plain_state(Odd(2, 2))


def test_what_float32_would_round_stays_in_float64():
    from sklearn_mmsent.training.encoder_start import plain_state

    layer = torch.nn.Linear(2, 2).double()
    layer.weight.data[0, 0] = 1 / 3
    layer.bias.data[:] = 0.5
    state = plain_state(layer)
    assert state["weight"].dtype == torch.float64
    assert state["bias"].dtype == torch.float32
