"""The demo on few generated clips and on a table of the user."""

import contextlib
import io

import joblib
import numpy as np
import pandas as pd
import pytest

from sklearn_mmsent import demo, make_clips


def run(output, *arguments):
    demo.main([*arguments, "--folds", "2", "--jobs", "1", "--output", str(output)])
    return output


@pytest.fixture(scope="module")
def generated(tmp_path_factory):
    """Return the output folder and the printed text of a run on generated clips."""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        output = run(tmp_path_factory.mktemp("demo"), "--rows", "60")
    return output, printed.getvalue()


def test_on_generated_clips(generated):
    output, printed = generated
    scores = pd.read_csv(output / "scores.csv")
    assert set(scores["model"]) == {
        "constant",
        "text alone",
        "image alone",
        "audio alone",
        "logistic regression, all",
        *demo.FUSIONS,
    }
    assert scores.groupby("model").size().eq(2).all()
    assert scores[demo.METRICS].apply(lambda column: column.between(0, 1)).all(axis=None)
    table = (output / "scores.md").read_text()
    assert table.strip() in printed
    assert printed.count("true: ") == 3
    for picture in ("scores.png", "confusion.png"):
        assert (output / picture).read_bytes().startswith(b"\x89PNG")
    assert not list(output.glob("features*"))
    pipeline = joblib.load(output / "pipeline.joblib")
    assert "Cached" not in repr(pipeline)
    assert pipeline.predict({"text": "what a joy"})[0] in pipeline.classes_


def test_on_a_table_of_the_user(tmp_path, capsys):
    clips = make_clips(tmp_path / "clips", 60, modalities=("text", "image"), random_state=0)
    table = pd.DataFrame({"caption": clips.X["text"], "photo": clips.X["image"], "mood": clips.y})
    table["photo"] = [f"images/{path.rpartition('/')[2]}" for path in table["photo"]]
    table.to_csv(tmp_path / "clips" / "posts.csv", index=False)
    own = ["--data", str(tmp_path / "clips" / "posts.csv"), "--target", "mood"]
    output = run(tmp_path / "out", *own, "--text", "caption", "--image", "photo")
    assert "57 rows of text, image" in capsys.readouterr().out
    assert "audio alone" not in set(pd.read_csv(output / "scores.csv")["model"])


def test_a_table_without_a_modality_raises_an_error(tmp_path, capsys):
    with pytest.raises(SystemExit):
        demo.main(["--data", "posts.csv"])
    assert "requires at least one of --text, --image, --audio" in capsys.readouterr().err


def test_the_same_seed_gives_the_same_scores(generated, tmp_path):
    first, second = (
        pd.read_csv(output / "scores.csv")[demo.METRICS]
        for output in (generated[0], run(tmp_path, "--rows", "60"))
    )
    np.testing.assert_array_equal(first, second)
