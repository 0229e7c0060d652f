import pytest

from sklearn_mmsent.utils._device import resolve_device


def test_devices():
    assert resolve_device("cpu") == "cpu"
    assert resolve_device("auto") in {"cpu", "cuda"}
    with pytest.raises(ValueError, match="device='abacus' cannot be used"):
        resolve_device("abacus")
