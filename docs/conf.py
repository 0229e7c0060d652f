"""Configuration of sphinx; ``make docs`` runs it, with warnings as errors."""

import sys
from pathlib import Path

from sphinx_gallery.sorting import FileNameSortKey

HERE = Path(__file__).parent
ROOT = HERE.parent
sys.path[:0] = [str(ROOT), str(HERE / "_extensions")]

import sklearn_mmsent  # noqa: E402 - found by the path above
from sklearn_mmsent.utils._moved import MOVED  # noqa: E402

# the gallery looks for the shortest import path of a name, and expects an AttributeError, not the
# ImportError of a name that moved
for names in MOVED.values():
    names.clear()

project = "sklearn_mmsent"
version = release = sklearn_mmsent.__version__
copyright = "the sklearn_mmsent developers"

extensions = [
    "myst_parser",
    "numpydoc",
    "public_names",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "examples/GALLERY_HEADER.rst"]
templates_path = ["_templates"]

# no extensions or roles of sphinx, so that Markdown is rendered by a git host, too
myst_enable_extensions = []
myst_heading_anchors = 3
suppress_warnings = [
    "config.cache",  # the sort key of the gallery is a class, which sphinx cannot pickle
]

# docstrings
autodoc_typehints = "none"  # types are in the docstrings
default_role = "literal"  # `name` in a docstring; public_names turns names into links
autosummary_generate = True
autosummary_imported_members = True
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
numpydoc_xref_param_type = False

# every reference must resolve, except those to other packages: a build works offline
nitpicky = True
nitpick_ignore_regex = [
    (r"py:.*", r"(sklearn|imblearn|skorch|optuna|torch|pandas|numpy|scipy|matplotlib|joblib)\..*"),
]

smartquotes = False  # quoted values are copied into code

html_theme = "furo"
html_title = f"sklearn_mmsent {version}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False

sphinx_gallery_conf = {
    "filename_pattern": r"/\d\d_",
    "examples_dirs": str(ROOT / "examples"),
    "gallery_dirs": "gallery",
    "ignore_pattern": r"(^|/)(?!\d\d_)[^/]*$",  # only numbered examples
    "within_subsection_order": FileNameSortKey,
    "abort_on_example_error": True,
    "download_all_examples": False,
    "min_reported_time": 0,
    "show_memory": False,
    "show_signature": False,
    "remove_config_comments": True,
    "backreferences_dir": "api/examples",
    "doc_module": ("sklearn_mmsent",),
    "inspect_global_variables": False,
    "matplotlib_animations": False,
    "reset_modules": ("matplotlib",),
}
