"""The example that hears a sound file as if it were live."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

soundfile = pytest.importorskip("soundfile")
EXAMPLE = Path(__file__).parents[2] / "examples" / "streaming_wav.py"


@pytest.fixture(name="example")
def _example():
    spec = importlib.util.spec_from_file_location("streaming_wav", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_file_of_another_rate_is_heard(example, tmp_path, capsys, noise):
    path = tmp_path / "speech.wav"
    soundfile.write(path, np.stack([noise(2, rate=22050)] * 2, axis=1), 22050)
    table = example.main([str(path)])
    assert table["from"].tolist() == [0.0, 0.25, 0.5, 0.75, 1.0]
    np.testing.assert_allclose(table[["negative", "neutral", "positive"]].sum(axis=1), 1, atol=1e-5)
    assert "real-time factor" in capsys.readouterr().out
