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
from sklearn_mmsent import FusionClassifier, make_clips, make_extractor, make_pipeline
from sklearn_mmsent.feature_extraction.audio import LogMel
from sklearn_mmsent.nn import Fusion

clips = make_clips("clips", 60, random_state=0)
model = make_pipeline(
    make_extractor(text="text", audio=LogMel(n_mels=20)),
    FusionClassifier(fusion="gated", max_epochs=3, random_state=0),
)
model.fit(clips.X, clips.y)
labels = model.predict(clips.X)
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


@pytest.fixture(scope="module")
def check_types(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mypy")
    (folder / "mypy.ini").write_text(SETTINGS)

    def run(script):
        (folder / "script.py").write_text(script)
        command = [sys.executable, "-m", "mypy", "--no-error-summary", "script.py"]
        environment = {"MYPYPATH": str(ROOT), "PATH": ""}
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
        return done.stdout + done.stderr

    return run


def test_a_type_checker_accepts_the_right_script_and_no_misspelt_keyword(check_types):
    assert check_types(SCRIPT) == ""
    found = check_types(SCRIPT.replace("fusion=", "fusoin="))
    assert 'Unexpected keyword argument "fusoin" for "FusionClassifier"' in found
    assert 'did you mean "fusion"?' in found


def test_a_type_checker_finds_a_name_that_is_not_exported(check_types):
    found = check_types("from sklearn_mmsent import FusionClasifier\n")
    assert 'has no attribute "FusionClasifier"' in found
