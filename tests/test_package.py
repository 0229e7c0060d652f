"""The package as a whole: its front door, its docstrings, and what its files say of each other."""

import importlib
import inspect
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from numpydoc.docscrape import ClassDoc, FunctionDoc
from numpydoc.validate import validate
from sklearn.base import BaseEstimator

import sklearn_mmsent

ROOT = Path(__file__).parents[1]
PACKAGES = ["feature_extraction", "feature_extraction.audio", "feature_extraction.image"]
PACKAGES += ["feature_extraction.text", "feature_extraction.video", "blocks", "compose", "datasets"]
PACKAGES += ["ensemble", "estimators", "exceptions", "inspection", "metrics", "model_selection"]
PACKAGES += ["sampling", "spaces", "streaming"]
PUBLIC = {
    name: thing
    for package in map(importlib.import_module, (f"sklearn_mmsent.{name}" for name in PACKAGES))
    for name in package.__all__
    if callable(thing := getattr(package, name))
}
HEAVY = {
    "torch",
    "gensim",
    "ftfy",
    "emoji",
    "skorch",
    "sentence_transformers",
    "skimage",
    "soundfile",
    "PIL",
    "matplotlib",
}


def imported_by(statement):
    code = f"{statement}; import sys; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in run.stdout.split()}


def test_importing_the_package_loads_nothing():
    assert not imported_by("import sklearn_mmsent") & (HEAVY | {"sklearn", "pandas", "numpy"})


@pytest.mark.parametrize(
    "statement",
    [
        "from sklearn_mmsent import FillBlocks, make_extractor, make_pipeline",
        "from sklearn_mmsent.metrics import get_scorer, intensity_scores",
        "from sklearn_mmsent import make_clips, read_table",
        "from sklearn_mmsent import TextEmbedder, MFCC, ColorTexture, Cached",
        "from sklearn_mmsent.feature_extraction.image import FaceCropper, ImageDenoiser",
        "from sklearn_mmsent.feature_extraction.text import TextCleaner, TokenIds",
        "from sklearn_mmsent.sampling import ModalityBalancer, ModalityMixup, OutlierRemover",
        "from sklearn_mmsent.sampling import AudioAugmenter, ImageAugmenter, TextAugmenter",
    ],
)
def test_parts_without_networks_load_no_torch(statement):
    assert not imported_by(statement) & HEAVY


def test_every_public_name_is_there_and_listed():
    assert dir(sklearn_mmsent) == sorted(sklearn_mmsent.__all__)
    for name in set(sklearn_mmsent.__all__) - {"__version__"}:
        thing = getattr(sklearn_mmsent, name)
        assert thing.__name__.rpartition(".")[2] == name
        assert inspect.ismodule(thing) or PUBLIC[name] is thing
    with pytest.raises(AttributeError, match="No sklearn_mmsent attribute Nothing"):
        _ = sklearn_mmsent.Nothing


# -- docstrings ----------------------------------------------------------------------------------

# what numpydoc counts as an error here, with its own names of the rules
RULES = {
    "GL08": "has a docstring",
    "SS01": "has a summary",
    "SS03": "summary ends with a period",
    "PR01": "parameters are documented",
    "PR02": "documented parameters exist",
    "PR03": "in the same order",
    "PR04": "with a type",
    "PR07": "with a description",
    "RT01": "what it returns is documented",
}


def public_objects():
    for thing in PUBLIC.values():
        path = f"{thing.__module__}.{thing.__qualname__}"
        yield path
        if inspect.isclass(thing) and issubclass(thing, BaseEstimator):
            for method, function in vars(thing).items():
                if not method.startswith("_") and inspect.isfunction(function):
                    yield f"{path}.{method}"


@pytest.mark.parametrize("path", sorted(public_objects()))
def test_docstring_is_complete(path):
    found = [(code, text) for code, text in validate(path)["errors"] if code in RULES]
    assert not found


def parameters_of(thing):
    doc = (ClassDoc if inspect.isclass(thing) else FunctionDoc)(thing)
    return {name: p.type for p in doc["Parameters"] for name in re.split(r",\s*", p.name)}


@pytest.mark.parametrize("name", PUBLIC)
def test_documented_defaults_are_the_real_ones(name):
    thing = PUBLIC[name]
    if inspect.isclass(thing) and issubclass(thing, Exception):
        pytest.skip("an exception has no parameters of its own")
    documented = parameters_of(thing)
    for parameter in inspect.signature(thing).parameters.values():
        if parameter.default is parameter.empty or parameter.kind is parameter.VAR_KEYWORD:
            continue
        told = re.search(r"default=(.+)$", documented[parameter.name])
        assert told, f"{name}({parameter.name}) does not tell its default"
        real = eval(told[1].strip(), {}) if told[1] != "None" else None
        same = real == parameter.default or repr(real) == repr(parameter.default)  # NaN
        assert same, f"{name}({parameter.name})"


@pytest.mark.parametrize("name", PUBLIC)
def test_every_estimator_and_function_has_an_example(name):
    thing = PUBLIC[name]
    if not (inspect.isclass(thing) and (inspect.isabstract(thing) or issubclass(thing, Exception))):
        assert ">>>" in (inspect.getdoc(thing) or ""), f"{name} has no example"


# -- files that must agree -----------------------------------------------------------------------


@pytest.fixture(name="project", scope="module")
def _project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_constraints_pin_what_the_project_asks_for(project):
    pins = dict(
        line.split("==")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if "==" in line
    )
    assert pins["torch"] == "2.13.0"
    asked = [*project["dependencies"]]
    for requirements in project["optional-dependencies"].values():
        asked += requirements
    names = {re.match(r"[\w.-]+", requirement)[0].lower() for requirement in asked}
    missing = names - {name.lower().replace("_", "-") for name in pins} - {"sklearn-mmsent"}
    assert not missing


def test_readme_tells_the_minimum_versions(project):
    readme = (ROOT / "README.md").read_text()
    for requirement in project["dependencies"]:
        name, version = requirement.partition(",")[0].split(">=")
        assert f"{name} ≥ {version}" in readme, requirement
    assert f"Python ≥ {project['requires-python'].removeprefix('>=')}" in readme


def test_changelog_has_this_version():
    assert f"## {sklearn_mmsent.__version__}" in (ROOT / "CHANGELOG.md").read_text()


def test_modules_import_on_their_own():
    for file in (ROOT / "sklearn_mmsent").rglob("*.py"):
        module = ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        importlib.import_module(module)
