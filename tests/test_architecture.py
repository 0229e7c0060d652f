"""Which package may import which: two towers on one ground, and models built from both."""

import ast
import functools
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import sklearn_mmsent

PACKAGE = Path(sklearn_mmsent.__file__).parent
NAME = PACKAGE.name

GROUND = {"exceptions", "utils", "blocks", "pretrained"}
LEFT_TOWER = {"nn", "training", "estimators"}
RIGHT_TOWER = {"feature_extraction", "compose", "sampling"}
ALLOWED = {
    # ground
    "exceptions": set(),
    "utils": {"exceptions"},
    "blocks": {"exceptions", "utils"},
    "pretrained": {"exceptions", "utils"},
    "metrics": {"exceptions", "utils"},
    "spaces": {"exceptions", "utils"},
    # left tower
    "nn": {"exceptions", "utils", "pretrained"},
    "training": {"exceptions", "utils", "blocks", "nn"},
    "estimators": {"exceptions", "utils", "blocks", "spaces", "nn", "training"},
    # right tower
    "feature_extraction": {"exceptions", "utils", "blocks", "pretrained"},
    "compose": {"exceptions", "utils", "blocks", "feature_extraction"},
    "sampling": {"exceptions", "utils", "blocks", "feature_extraction", "compose"},
    # above both
    "datasets": {"exceptions", "utils", "blocks"},
    "streaming": GROUND | {"feature_extraction", "compose", "estimators"},
    "model_selection": GROUND | LEFT_TOWER | RIGHT_TOWER | {"metrics", "spaces"},
    "ensemble": GROUND | LEFT_TOWER | RIGHT_TOWER | {"metrics", "model_selection"},
    "inspection": GROUND | LEFT_TOWER | RIGHT_TOWER | {"metrics", "model_selection"},
    "demo": {NAME, "utils", "model_selection"},  # a user's script: names of the flat namespace
}
MOST_PRIVATE_IMPORTS = 2


def imports_of(file):
    """Yield line and absolute dotted name of every import of a module, in functions, too."""
    package = [NAME, *file.relative_to(PACKAGE).parts[:-1]]
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package[: len(package) + 1 - node.level] if node.level else []
            source = ".".join([*parents, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{source}.{alias.name}") for alias in node.names)


@functools.cache
def internal_imports():
    """Return (importing package, imported package, path of the name, where) of each import."""
    found = []
    for file in sorted(PACKAGE.rglob("*.py")):
        own = file.relative_to(PACKAGE).parts[0].removesuffix(".py")
        for line, name in imports_of(file):
            root, _, path = name.partition(".")
            first = path.partition(".")[0]
            if root == NAME and first not in {own, "__version__"}:
                target = first if first in ALLOWED else NAME
                found.append((own, target, path, f"{file.relative_to(PACKAGE)}:{line}"))
    return found


@pytest.mark.parametrize("package", ALLOWED)
def test_a_package_imports_only_what_the_table_allows(package):
    forbidden = [
        f"{where} imports {path}"
        for own, target, path, where in internal_imports()
        if own == package and target not in ALLOWED[package]
    ]
    assert not forbidden


def test_the_table_lists_every_package_and_has_no_circle():
    on_disk = {path.name.removesuffix(".py") for path in PACKAGE.iterdir() if path.suffix != ".pyi"}
    assert set(ALLOWED) == on_disk - {"__init__", "__pycache__", "py.typed"}
    TopologicalSorter(ALLOWED).prepare()  # raises CycleError


def test_the_towers_share_only_the_ground():
    for tower, other in ((LEFT_TOWER, RIGHT_TOWER), (RIGHT_TOWER, LEFT_TOWER)):
        assert not any(ALLOWED[package] & other for package in tower)
    assert not any(ALLOWED[package] - GROUND for package in GROUND)


def test_nn_is_pure_torch():
    imported = {
        name.partition(".")[0]
        for file in (PACKAGE / "nn").rglob("*.py")
        for _, name in imports_of(file)
    }
    assert not imported & {"numpy", "pandas", "sklearn", "skorch", "imblearn"}


def is_private(path):
    return any(part.startswith("_") and not part.startswith("__") for part in path.split("."))


def test_few_imports_reach_into_private_modules_of_another_package():
    private = [
        f"{where} imports {path}"
        for _, target, path, where in internal_imports()
        if target != "utils" and is_private(path)
    ]
    assert len(private) <= MOST_PRIVATE_IMPORTS, "\n".join(private)
