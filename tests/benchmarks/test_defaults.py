"""The benchmark of default networks, on files in the layout of the real data."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

TINY = ["--text-model", "tfidf", "--jobs", "1"]


@pytest.fixture
def defaults(script):
    return script("defaults")


@pytest.fixture
def folder(utterances):
    """Thirty tweets with photos, next to the utterances."""
    _write_tweets(utterances / "mvsa_single", np.random.default_rng(0))
    return utterances


def _write_tweets(folder, rng, n=30):
    (folder / "images").mkdir(parents=True)
    labels = np.array(["negative", "neutral", "positive"])[np.arange(n) % 3]
    shade = {"negative": 40, "neutral": 120, "positive": 200}
    for i, label in enumerate(labels):
        pixels = rng.integers(0, 40, (8, 8, 3)) + shade[label]
        Image.fromarray(pixels.astype(np.uint8)).save(folder / "images" / f"{i}.jpg")
    split = np.repeat(["train", "val", "test"], [18, 6, 6])
    pd.DataFrame(
        {
            "id": np.arange(n),
            "image": [f"images/{i}.jpg" for i in range(n)],
            "text": [f"{label} words number {i}" for i, label in enumerate(labels)],
            "label": labels,
            "split": split,
            "split_qmf": np.where(np.arange(n) % 10 == 9, "", split),
            "split_clmlf": split,
            "dup_group": np.arange(n) // 2,
        }
    ).to_csv(folder / "labels.csv", index=False)


def test_page_and_csv_keep_other_data_sets(defaults, folder, tmp_path, capsys):
    output = tmp_path / "scores"
    common = ["--data", str(folder), "--output", str(output), *TINY]
    defaults.main([*common, "--only", "mvsa_single:split_qmf", "--seeds", "2"])
    defaults.main([*common, "--only", "mosi", "--seeds", "1"])
    first = pd.read_csv(output / "defaults.csv")
    defaults.main([*common, "--only", "mosi", "--seeds", "1"])
    again = pd.read_csv(output / "defaults.csv")
    untimed = [c for c in first if not c.endswith("seconds")]
    pd.testing.assert_frame_equal(first[untimed], again[untimed])

    assert first.groupby("data", sort=False).size().to_dict() == {
        "mvsa_single:split_qmf": 1 + 6 * 2,  # only the constant is deterministic
        "mosi": 1 + 1 + 5,
    }
    tweets = first[first["data"] == "mvsa_single:split_qmf"]
    assert (tweets["fit_rows"] + tweets["test_rows"] == 27).all()
    assert tweets["accuracy"].between(0, 1).all()
    assert tweets["mae"].isna().all()
    assert first.loc[first["model"] == "linear, all", "corr"].notna().sum() == 1

    page = (output / "defaults.md").read_text()
    assert page.index("## mvsa_single:split_qmf") < page.index("## mosi")
    assert "| gated fusion |" in page
    assert "27 rows in" in page
    assert "--only mosi --seeds 1" in page
    assert "| nan |" not in page
    assert str(folder) not in page + (output / "defaults.csv").read_text()
    assert "Tables and the scores of each fit are in" in capsys.readouterr().out


def test_folds_share_no_speaker(defaults):
    from sklearn.utils import Bunch

    data = Bunch(X=np.zeros(24), groups=np.arange(24) // 2, split=np.repeat("test", 24))
    splits = defaults.make_splits(defaults.BENCHMARKS[3], data, "test")
    assert len(splits) == 6
    for fitted, scored in splits:
        assert not set(data.groups[fitted]) & set(data.groups[scored])
    assert sorted(np.concatenate([scored for _, scored in splits])) == list(range(24))


def test_validation_does_not_read_the_test_part(defaults, folder, tmp_path, capsys):
    data = defaults.load_dataset("mosi", folder)
    ((fitted, scored),) = defaults.make_splits(defaults.BENCHMARKS[5], data, "val")
    assert set(data.split[fitted]) == {"train"}
    assert set(data.split[scored]) == {"val"}
    output = tmp_path / "scores"
    arguments = ["--part", "val", "--seeds", "1", "--output", str(output), *TINY]
    defaults.main(["--data", str(folder), "--only", "mosi", *arguments])
    assert "| weighted fusion |" in capsys.readouterr().out
    assert not output.exists()


def test_quick_writes_nothing(defaults, folder, tmp_path, capsys):
    output = tmp_path / "scores"
    defaults.main(
        ["--data", str(folder), "--only", "mosi", "--quick", "--output", str(output), *TINY]
    )
    assert "| weighted fusion |" in capsys.readouterr().out
    assert not output.exists()


def test_only_accepts_the_name_before_the_colon(defaults, folder):
    options = defaults._parse(["--data", str(folder), "--only", "ravdess", "mosi"])
    assert [b.name for b in options.only] == ["ravdess:speech", "ravdess:song", "mosi"]


def test_texts_fall_back_to_tfidf_with_a_note(defaults, monkeypatch, capsys):
    monkeypatch.setattr("common.features.find_spec", lambda name: None)
    assert defaults.find_text_model(None) == ("tf-idf", None)
    assert "sentence_transformers is not installed" in capsys.readouterr().out


@pytest.mark.slow
def test_real_data(defaults, real_data, tmp_path, capsys):
    defaults.main(["--data", str(real_data), "--quick", "--cache", str(tmp_path), "--jobs", "1"])
    out = capsys.readouterr().out
    for benchmark in defaults.BENCHMARKS:
        assert f"\n{benchmark.name}: " in out
