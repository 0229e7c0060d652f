"""Choice of the device."""

import pytest

from sklearn_mmsent.utils._device import resolve_device


def test_device_is_resolved_or_raises_an_error():
    assert resolve_device("cpu") == "cpu"
    assert resolve_device("auto") in {"cpu", "cuda"}
    with pytest.raises(ValueError, match="device='abacus' cannot be used"):
        resolve_device("abacus")
