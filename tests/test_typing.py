"""Editors and type checkers see the public names through the lazy namespaces."""

import subprocess
import sys
from pathlib import Path

import jedi
import pytest

import sklearn_mmsent

ROOT = Path(sklearn_mmsent.__file__).parents[1]
# only this package is analysed: the packages it imports would take mypy most of a minute
SETTINGS = """
[mypy]
follow_imports = skip
[mypy-sklearn_mmsent.*]
follow_imports = silent
[mypy-av.*,matplotlib.*,numpy.*,PIL.*,torch.*]
follow_imports_for_stubs = True
"""
SCRIPT = """
from sklearn_mmsent import FusionClassifier, compare, make_clips, make_extractor, make_pipeline
from sklearn_mmsent.feature_extraction.audio import LogMel

clips = make_clips("clips", 60, random_state=0)
model = make_pipeline(
    make_extractor(text="text", audio=LogMel(n_mels=20)),
    FusionClassifier(fusion="gated", max_epochs=3, random_state=0),
)
model.fit(clips.X, clips.y)
labels = model.predict(clips.X)
print(compare({"fusion": model}, clips.X, clips.y, groups=clips.groups).to_markdown())
"""


@pytest.mark.parametrize(
    ("statement", "name", "begun", "keyword", "file"),
    [
        (
            "from sklearn_mmsent import FusionClassifier",
            "FusionClassifier",
            "fus",
            "fusion=",
            "estimators/_classifier.py",
        ),
        (
            "from sklearn_mmsent.feature_extraction.audio import LogMel",
            "LogMel",
            "n_m",
            "n_mels=",
            "feature_extraction/audio/log_mel.py",
        ),
    ],
)
def test_an_editor_completes_keywords_and_finds_the_definition(
    statement, name, begun, keyword, file
):
    project = jedi.Project(ROOT, added_sys_path=[str(ROOT)])
    script = jedi.Script(f"{statement}\n{name}({begun}", project=project)
    assert keyword in [completion.name for completion in script.complete()]
    (signature,) = script.get_signatures()
    assert keyword.rstrip("=") in [parameter.name for parameter in signature.params]
    (definition,) = script.goto(1, statement.index(name), follow_imports=True)
    assert definition.module_path == ROOT / "sklearn_mmsent" / file
    assert definition.get_line_code().startswith(f"class {name}(")


def test_a_type_checker_finds_misspelt_names_and_nothing_else(tmp_path):
    wrong = SCRIPT + "from sklearn_mmsent import FusoinClassifier\n"
    for name, misspelt in [
        ("fusion=", "fusoin="),
        ("n_mels=", "n_mel="),
        ("groups=", "group="),
        ("to_markdown", "to_markdwn"),
    ]:
        wrong = wrong.replace(name, misspelt)
    (tmp_path / "mypy.ini").write_text(SETTINGS)
    (tmp_path / "right.py").write_text(SCRIPT)
    (tmp_path / "wrong.py").write_text(wrong)
    command = [sys.executable, "-m", "mypy", "right.py", "wrong.py"]
    run = subprocess.run(
        command, cwd=tmp_path, env={"MYPYPATH": str(ROOT)}, capture_output=True, text=True
    )
    errors = [line for line in run.stdout.splitlines() if ": error:" in line]
    for expected in (
        'argument "fusoin" for "FusionClassifier"; did you mean "fusion"?',
        'argument "n_mel" for "LogMel"; did you mean "n_mels"?',
        'argument "group" for "compare"; did you mean "groups"?',
        '"Comparison" has no attribute "to_markdwn"',
        'has no attribute "FusoinClassifier"',
    ):
        (error,) = [error for error in errors if expected in error]
        errors.remove(error)
        assert error.startswith("wrong.py")
    assert not errors, run.stdout + run.stderr
