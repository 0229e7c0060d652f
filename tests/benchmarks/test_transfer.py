"""The transfer benchmark, on files in the layout of the real data."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image


@pytest.fixture
def transfer(script, monkeypatch):
    """The script as a module, with short training."""
    module = script("transfer")
    for settings in (module.FIRST, module.SECOND):
        monkeypatch.setitem(settings, "max_epochs", 1)
    return module


@pytest.fixture
def folder(tmp_path):
    """Thirty faces per data set, two or three per person."""
    rng = np.random.default_rng(0)
    for name, labels, ending in [
        ("ck48", ["anger", "happy"], "png"),
        ("fer2013", ["angry", "happy", "neutral"], "jpg"),
    ]:
        home = tmp_path / "data" / name
        (home / "images").mkdir(parents=True)
        table = pd.DataFrame({"id": np.arange(30)})
        table["image"] = [f"images/{i}.{ending}" for i in range(30)]
        table["text"] = ""
        table["label"] = [labels[i % len(labels)] for i in range(30)]
        table["split"] = np.repeat(["train", "val", "test"], [18, 6, 6])
        if name == "ck48":
            table["subject"] = [f"S{i // 3:03}" for i in range(30)]
        table.to_csv(home / "labels.csv", index=False)
        for file in table["image"]:
            pixels = rng.integers(0, 255, (48, 48)).astype(np.uint8)
            Image.fromarray(pixels).save(home / file)
    return tmp_path / "data"


def test_page(transfer, folder, tmp_path, capsys):
    arguments = ["--data", str(folder), "--output", str(tmp_path / "page")]
    transfer.main([*arguments, "--seeds", "2"])
    page = (tmp_path / "page" / "transfer.md").read_text()
    for model in transfer.MODELS:
        assert f"| {model} |" in page
    assert (
        "test part: 6 images of 2 persons; the network is fitted on 24\nimages of 8 other persons"
        in page
    )
    assert "18 images for training and 6 for validation" in page
    assert "max_epochs=1" in page
    assert str(folder) not in page
    assert "{" not in page.replace('{"channels', "").replace("{'", "")
    assert "Wrote" in capsys.readouterr().out


def test_validation_does_not_read_the_test_part(transfer, folder, tmp_path, capsys, monkeypatch):
    data = transfer.load_dataset("ck48", folder)
    splits = transfer.make_splits(data, "val")
    assert len(splits) == 3
    for fitted, scored in splits:
        assert not set(data.groups[fitted]) & set(data.groups[scored])
        assert "test" not in set(data.split[np.concatenate([fitted, scored])])
    ((fitted, scored),) = transfer.make_splits(data, "test")
    assert set(data.split[scored]) == {"test"}
    assert len(fitted) + len(scored) == 30
    output, encoders = tmp_path / "page", tmp_path / "faces.safetensors"
    arguments = ["--data", str(folder), "--part", "val", "--seeds", "1", "--output", str(output)]
    transfer.main([*arguments, "--encoders", str(encoders)])
    first = capsys.readouterr().out
    assert "fer2013, validation part" in first
    monkeypatch.delattr(transfer, "pretrain")  # the file has the encoder
    transfer.main([*arguments, "--encoders", str(encoders)])
    second = capsys.readouterr().out
    assert first == second
    assert not output.exists()


def test_copies_are_mirrored_and_shifted(transfer):
    corner = np.zeros((1, 48, 48), dtype=np.uint8)
    corner[0, 20:24, 8:12] = 200
    copies = list(transfer._moved(pd.DataFrame(corner.reshape(1, -1)), 40))
    places = [np.argwhere(copy.to_numpy().reshape(48, 48) > 0).min(0) for copy in copies]
    assert all((copy.to_numpy() > 0).sum() == 16 for copy in copies)
    rows, columns = np.array(places).T
    assert set(rows) <= set(range(16, 25))
    assert set(columns) <= set(range(4, 13)) | set(range(32, 41))
    assert len(set(rows)) > 5
    assert {column > 24 for column in columns} == {True, False}


def test_quick_writes_nothing(transfer, folder, tmp_path, capsys):
    output = tmp_path / "page"
    transfer.main(["--data", str(folder), "--quick", "--output", str(output)])
    assert "| from scratch |" in capsys.readouterr().out
    assert not output.exists()


@pytest.mark.slow
def test_real_data(transfer, real_data, capsys):
    transfer.main(["--data", str(real_data), "--quick"])
    assert "| pretrained, frozen |" in capsys.readouterr().out
