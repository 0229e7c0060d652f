"""The reference is made from the public names, and misses none."""

import importlib.util
from pathlib import Path

import pytest

import sklearn_mmsent
from sklearn_mmsent import nn

EXTENSION = Path(__file__).parents[2] / "docs" / "_extensions" / "public_names.py"


@pytest.fixture(scope="module")
def public_names():
    spec = importlib.util.spec_from_file_location("public_names", EXTENSION)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_public_name_is_in_the_reference(public_names, tmp_path):
    public_names.write_reference(tmp_path / "api")
    lines = (tmp_path / "api" / "index.rst").read_text().splitlines()
    listed = sorted(line.strip() for line in lines if line.startswith("   ") and ":" not in line)
    expected = [name for name in sklearn_mmsent.__all__ if not name.startswith("__")]
    assert listed == sorted([*expected, "networks"])


def test_every_fusion_and_encoder_is_in_the_reference(public_names, tmp_path):
    public_names.write_reference(tmp_path / "api")
    text = (tmp_path / "api" / "networks.rst").read_text()
    for name, cls in [*nn.FUSIONS.items(), *nn.ENCODERS.items()]:
        assert f'``"{name}"``' in text
        assert f"\n   {cls.__name__}\n" in text


def test_a_class_tells_its_own_members_alone(public_names):
    members = public_names.own_members("sklearn_mmsent.FusionClassifier").split(", ")
    assert {"fit", "predict", "predict_proba", "save_encoders"} <= set(members)
    assert not {"get_params", "set_params", "set_fit_request"} & set(members)


def test_an_unchanged_reference_is_not_written_again(public_names, tmp_path):
    # else sphinx would read all of it anew at each build
    public_names.write_reference(tmp_path / "api")
    before = (tmp_path / "api" / "index.rst").stat().st_mtime_ns
    public_names.write_reference(tmp_path / "api")
    assert (tmp_path / "api" / "index.rst").stat().st_mtime_ns == before
