"""The benchmark of extractors, on files in the layout of the real data."""

import re
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pandas as pd
import pytest


@pytest.fixture
def extraction(script):
    return script("extraction")


@pytest.fixture
def folder(tmp_path):
    """Tones of twelve speakers in the layout of RAVDESS; the emotions differ in pitch."""
    soundfile = pytest.importorskip("soundfile")
    rows = []
    (tmp_path / "ravdess").mkdir()
    for i in range(48):
        emotion = "happy" if i % 4 < 2 else "sad"
        pitch = (240 if emotion == "happy" else 120) + i
        time = np.arange(4800) / 16_000
        sound = sum(np.sin(2 * np.pi * k * pitch * time) / k for k in range(1, 12)) / 8
        soundfile.write(tmp_path / "ravdess" / f"{i}.flac", sound, 16_000)
        rows.append(
            {
                "path": f"{i}.flac",
                "speaker": f"A{i // 4}",
                "channel": ("speech", "song")[i % 2],
                "transcript": "x",
                "emotion": emotion,
                "split": "train",
            }
        )
    pd.DataFrame(rows).to_csv(tmp_path / "ravdess" / "labels.csv", index=False)
    return tmp_path


@pytest.fixture
def smile(monkeypatch):
    """A fake opensmile, whose licence excludes it from the tests."""

    class Smile:
        def __init__(self, **settings):
            assert settings["multiprocessing"]
            assert settings["num_workers"] == 1

        def process_files(self, files):
            from sklearn_mmsent import AcousticFunctionals

            extractor = AcousticFunctionals().set_output(transform="pandas")
            return extractor.fit_transform(files).fillna(0)

    module = ModuleType("opensmile")
    module.Smile = Smile
    module.FeatureSet = SimpleNamespace(eGeMAPSv02=0)
    module.FeatureLevel = SimpleNamespace(Functionals=0)
    monkeypatch.setitem(sys.modules, "opensmile", module)


@pytest.mark.filterwarnings("ignore:Skipping features without any observed values")
@pytest.mark.filterwarnings("ignore:An input array is constant")
def test_acoustic_section(extraction, folder, smile, monkeypatch):
    module = extraction.importlib.import_module("sections.extraction_acoustic")
    monkeypatch.setattr("common.report.version", lambda name: "0")
    output = folder / "results"
    command = ["--data", str(folder), "--only", "acoustic", "--jobs", "1", "--output", str(output)]
    extraction.main([*command, "--limit", "24"])
    assert not output.exists()
    extraction.main(command)
    page = (output / "extraction.md").read_text()
    assert page.startswith("# Extraction\n")
    assert "48 recordings" in page
    assert "| speech | 1.000 | 1.000 |" in page
    table = pd.read_csv(output / "extraction_acoustic.csv")
    assert len(table) == 88
    groups = [table["feature"].str.match(start).sum() for start in module.GROUPS.values()]
    assert sum(groups) == 88
    pitch = table.set_index("feature").loc["F0semitoneFrom27.5Hz_sma3nz_amean"]
    assert pitch["rank_correlation"] == pytest.approx(1)


def test_spectral_section(extraction, folder, monkeypatch):
    module = extraction.importlib.import_module("sections.extraction_spectral")
    monkeypatch.setattr("common.report.version", lambda name: "0")
    monkeypatch.setattr(module, "REPEATS", 1)
    threads = module.torch.get_num_threads()
    output = folder / "results"
    command = ["--data", str(folder), "--only", "spectral", "--jobs", "1", "--output", str(output)]
    extraction.main([*command, "--limit", "3"])
    assert not output.exists()
    extraction.main(command)
    assert module.torch.get_num_threads() == threads
    page = (output / "extraction.md").read_text()
    assert "24 recordings" in page
    table = pd.read_csv(output / "extraction_spectral.csv").set_index("extractor")
    assert table.index.tolist() == ["STFT", "LogMel", "MFCC"]
    assert (table["difference_cpu"] < 1e-4).all()
    speeds = table.filter(regex="^(ours|librosa).*(arrays|files)$")
    assert speeds.shape[1] >= 6
    assert (speeds > 0).all(axis=None)
    for name, row in table.iterrows():
        found = re.search(rf"\| `{name}` \| (\S+) \| files \| (\d+) \|", page)
        # csv and page round the same numbers to different digits
        assert float(found[1]) == pytest.approx(row["difference_cpu"], rel=0.1)
        assert float(found[2]) == pytest.approx(row["ours_cpu_files"], rel=0.01, abs=1)


def test_writing_a_section_keeps_the_others(extraction, tmp_path, monkeypatch):
    for name in ("one", "two"):
        module = ModuleType(name)
        module.TITLE = name
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(extraction, "SECTIONS", {"one": "one", "two": "two"})
    table = pd.DataFrame({"feature": ["a"]})
    for name, text in (("two", "b"), ("one", "old"), ("one", "new\n\nlines")):
        extraction.write(tmp_path, name, name, SimpleNamespace(text=text, table=table))
    page = (tmp_path / "extraction.md").read_text()
    assert page == f"{extraction.ABOUT}\n\n## one\n\nnew\n\nlines\n\n## two\n\nb\n"
    assert (tmp_path / "extraction_two.csv").exists()
