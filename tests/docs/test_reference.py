"""The reference is generated from the public names and lists each of them."""

import importlib
import importlib.util
from pathlib import Path

import pytest

from sklearn_mmsent import nn

EXTENSION = Path(__file__).parents[2] / "docs" / "_extensions" / "public_names.py"


@pytest.fixture(scope="module")
def public_names():
    spec = importlib.util.spec_from_file_location("public_names", EXTENSION)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def entries(file):
    lines = file.read_text().splitlines()
    return {line.strip() for line in lines if line.startswith("   ") and ":" not in line}


def test_every_public_name_is_in_the_reference(public_names, tmp_path):
    public_names.write_reference(tmp_path / "api")
    names = public_names.public_names()
    assert {"LogMel", "MFCC"} <= set(names["sklearn_mmsent.feature_extraction.audio"])
    modules = set(names.pop("sklearn_mmsent.nn")) - {"ENCODERS", "FUSIONS"}
    assert modules <= entries(tmp_path / "api" / "networks.rst")
    listed = entries(tmp_path / "api" / "index.rst") - {"networks"}
    assert listed == {name for group in names.values() for name in group}


def test_every_fusion_and_encoder_is_in_the_reference(public_names, tmp_path):
    public_names.write_reference(tmp_path / "api")
    text = (tmp_path / "api" / "networks.rst").read_text()
    for name, cls in [*nn.FUSIONS.items(), *nn.ENCODERS.items()]:
        assert f'``"{name}"``' in text
        assert f"\n   {cls.__name__}\n" in text


def test_inherited_members_of_scikit_learn_are_left_out(public_names):
    members = public_names.own_members("sklearn_mmsent.estimators.FusionClassifier").split(", ")
    assert {"fit", "predict", "predict_proba", "save_encoders"} <= set(members)
    assert not {"get_params", "set_params", "set_fit_request"} & set(members)


@pytest.mark.parametrize("written", ["LogMel", "audio.LogMel", "feature_extraction.audio.LogMel"])
def test_a_name_is_linked_with_and_without_its_subpackage(public_names, written):
    assert public_names.ENTRIES[written] == "sklearn_mmsent.feature_extraction.audio.LogMel"


def test_an_unchanged_reference_is_not_written_again(public_names, tmp_path):
    # else sphinx would read all of it again at each build
    public_names.write_reference(tmp_path / "api")
    before = (tmp_path / "api" / "index.rst").stat().st_mtime_ns
    public_names.write_reference(tmp_path / "api")
    assert (tmp_path / "api" / "index.rst").stat().st_mtime_ns == before


def test_entries_of_removed_names_are_deleted(public_names, tmp_path):
    generated = tmp_path / "api" / "generated"
    generated.mkdir(parents=True)
    for name in ("sklearn_mmsent.compose.make_pipeline", "sklearn_mmsent.compose.gone"):
        (generated / f"{name}.rst").touch()
    public_names.write_reference(tmp_path / "api")
    assert [page.stem for page in generated.iterdir()] == ["sklearn_mmsent.compose.make_pipeline"]
