"""The package as a whole: public names, docstrings, and files that must agree."""

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
from sklearn_mmsent import exceptions
from sklearn_mmsent.utils._moved import MOVED

ROOT = Path(__file__).parents[1]


def subpackages(package):
    """Yield the public subpackages of a package, and theirs in turn."""
    for module in filter(inspect.ismodule, (getattr(package, name) for name in package.__all__)):
        yield module
        yield from subpackages(module)


PUBLIC = {
    name: thing
    for package in subpackages(sklearn_mmsent)
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


def test_parts_without_networks_load_no_torch():
    statements = [
        "from sklearn_mmsent import Cached, FillBlocks, make_extractor, make_pipeline",
        "from sklearn_mmsent import MFCC, ColorTexture, TextEmbedder, make_clips, read_table",
        "from sklearn_mmsent.feature_extraction.audio import STFT, Waveform",
        "from sklearn_mmsent.feature_extraction.image import FaceCropper, ImageDenoiser",
        "from sklearn_mmsent.feature_extraction.text import TextCleaner, TokenIds",
        "from sklearn_mmsent.metrics import get_scorer, intensity_scores",
        "from sklearn_mmsent.sampling import ModalityBalancer, ModalityMixup, OutlierRemover",
        "from sklearn_mmsent.sampling import AudioAugmenter, ImageAugmenter, TextAugmenter",
    ]
    assert not imported_by("; ".join(statements)) & HEAVY


def test_the_flat_namespace_is_listed_and_small():
    assert dir(sklearn_mmsent) == sorted(sklearn_mmsent.__all__)
    things = {name: getattr(sklearn_mmsent, name) for name in sklearn_mmsent.__all__}
    flat = {name: thing for name, thing in things.items() if not inspect.ismodule(thing)}
    assert flat.items() <= PUBLIC.items()
    assert len(flat) <= 39
    with pytest.raises(AttributeError, match="No sklearn_mmsent attribute Nothing"):
        _ = sklearn_mmsent.Nothing


@pytest.mark.parametrize(
    ("package", "names"),
    [
        ("blocks", ["Block", "BlockLayout", "indexed_names", "numbered_names", "segment_names"]),
        ("exceptions", [n for n, e in vars(exceptions).items() if isinstance(e, type)]),
        ("feature_extraction", ["BaseExtractor", "Cached", "CellTransformer", "is_missing"]),
        ("nn", ["ENCODERS", "FUSIONS", "Encoder", "Fusion"]),
    ],
)
def test_base_classes_and_helpers_for_extensions_are_public(package, names):
    assert set(names) <= set(getattr(sklearn_mmsent, package).__all__)


@pytest.mark.parametrize(
    ("package", "name"), [(package, name) for package, names in MOVED.items() for name in names]
)
def test_a_name_that_moved_raises_an_error_with_the_new_import(package, name):
    with pytest.raises(ImportError, match=f"^'{name}' is not importable from") as caught:
        getattr(importlib.import_module(package), name)
    statement = re.search(r"Use '(.*)'\.$", str(caught.value))[1]
    namespace = {}
    exec(statement, namespace)
    new = statement.rpartition(" ")[2]
    assert namespace[new] is PUBLIC[new]


# -- docstrings ----------------------------------------------------------------------------------

# rules of numpydoc that count as errors here
RULES = {
    "GL07": "sections are in the usual order",
    "GL08": "has a docstring",
    "SS01": "has a summary",
    "SS02": "summary starts with a capital letter",
    "SS03": "summary ends with a period",
    "SS05": "summary starts with an infinitive",
    "SS06": "summary fits on one line",
    "PR01": "parameters are documented",
    "PR02": "documented parameters exist",
    "PR03": "in the same order",
    "PR04": "with a type",
    "PR07": "with a description",
    "PR08": "that starts with a capital letter",
    "PR09": "and ends with a period",
    "RT01": "the return value is documented",
    "RT04": "in a description that starts with a capital letter",
    "RT05": "and ends with a period",
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
    rules = RULES.keys()
    if path.endswith((".Encoder", ".Fusion")):  # the constructor is torch's, which takes anything
        rules -= {"PR01", "PR02"}
    assert not [(code, text) for code, text in validate(path)["errors"] if code in rules]


def parameters_of(thing):
    doc = (ClassDoc if inspect.isclass(thing) else FunctionDoc)(thing)
    return {name: p.type for p in doc["Parameters"] for name in re.split(r",\s*", p.name)}


EXCEPTIONS = set(exceptions.__all__)
ABSTRACT = {name for name, thing in PUBLIC.items() if inspect.isabstract(thing)}
NETWORKS = set(sklearn_mmsent.nn.__all__)  # used by name, as in FusionClassifier(fusion="gated")


@pytest.mark.parametrize("name", sorted(PUBLIC.keys() - EXCEPTIONS))
def test_documented_defaults_match_the_signature(name):
    thing = PUBLIC[name]
    documented = parameters_of(thing)
    for parameter in inspect.signature(thing).parameters.values():
        if parameter.default is parameter.empty or parameter.kind is parameter.VAR_KEYWORD:
            continue
        stated = re.search(r"default=(.+)$", documented[parameter.name])
        assert stated, f"{name}({parameter.name}) has no documented default"
        real = eval(stated[1].strip(), {})
        same = real == parameter.default or repr(real) == repr(parameter.default)  # NaN
        assert same, f"{name}({parameter.name})"


@pytest.mark.parametrize("name", sorted(PUBLIC.keys() - EXCEPTIONS - ABSTRACT - NETWORKS))
def test_every_estimator_and_function_has_an_example(name):
    assert ">>>" in (inspect.getdoc(PUBLIC[name]) or ""), f"{name} has no example"


# -- files that must agree -----------------------------------------------------------------------


@pytest.fixture(name="project", scope="module")
def _project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_constraints_pin_all_requirements(project):
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


def test_readme_states_the_minimum_versions(project):
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
