"""Public names in the docs: a reference page of all of them, and links wherever one is written.

The reference is written anew by each build from ``sklearn_mmsent._EXPORTS``, so that a new public
name is in it by itself. In every page, code that is a public name (```FillBlocks``) becomes a link
to its entry, so that sources stay plain Markdown and numpydoc.
"""

import importlib
import inspect
import re
from pathlib import Path

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.transforms import SphinxTransform

import sklearn_mmsent
from sklearn_mmsent import _EXPORTS, nn

PACKAGE = sklearn_mmsent.__name__


def setup(app):
    """Connect the extension to sphinx."""
    app.connect("config-inited", prepare)
    app.connect("autodoc-process-docstring", escape_shapes, priority=600)  # behind numpydoc's 500
    app.add_transform(LinkPublicNames)
    return {"version": sklearn_mmsent.__version__, "parallel_read_safe": True}


def prepare(app, config):
    """Write the reference, and lend its templates the members that are to be told."""
    config.autosummary_context = {"own_members": own_members}
    write_reference(Path(app.srcdir) / "api")


def own_members(path):
    """List the public methods and properties that a class does not have from elsewhere.

    scikit-learn's own, such as ``get_params``, are told on its site.
    """
    module, _, name = path.rpartition(".")
    cls = getattr(importlib.import_module(module), name)
    homes = {
        member: home
        for home in reversed(cls.__mro__)
        for member, thing in vars(home).items()
        if hasattr(thing, "__get__") and not re.match(r"_|set_\w+_request$", member)
    }
    return ", ".join(m for m, home in homes.items() if home.__module__.startswith(PACKAGE))


def groups_of_names():
    """Group public names by the module that exports them, and by its folders if it has such.

    Returns
    -------
    dict of str to dict of str to list of str
        Module -> folder in it ("" for none) -> sorted names.
    """
    groups = {}
    for name, module in _EXPORTS.items():
        home = getattr(sklearn_mmsent, name).__module__.removeprefix(f"{PACKAGE}.{module}")
        parts = home.strip(".").split(".")
        folder = parts[0] if len(parts) > 1 else ""
        groups.setdefault(module, {}).setdefault(folder, []).append(name)
    return {
        module: {folder: sorted(names, key=str.lower) for folder, names in sorted(folders.items())}
        for module, folders in groups.items()
    }


def write_reference(folder):
    """Write ``index.rst`` and ``networks.rst``, from which autosummary makes the entries.

    Parameters
    ----------
    folder : Path
        Folder of the reference; made if it is not there.
    """
    folder.mkdir(exist_ok=True)
    lines = ["API reference", "=============", "", "All of these can be imported from"]
    lines += ["``sklearn_mmsent`` itself.", "", f".. currentmodule:: {PACKAGE}", ""]
    for module, folders in groups_of_names().items():
        lines += _heading(_title(module), "-")
        lines += [_summary(f"{PACKAGE}.{module}"), ""]
        for subfolder, names in folders.items():
            if subfolder:
                lines += _heading(_title(subfolder), "~")
            lines += _table(names)
    lines += _heading("Parts of networks", "-")
    lines += ["What `fusion=` and `encoders=` name, with their options.", ""]
    lines += [".. toctree::", "", "   networks", ""]
    _write(folder / "index.rst", lines)

    lines = [*_heading("Parts of networks", "="), f".. module:: {PACKAGE}.nn", ""]
    lines += [inspect.getdoc(nn), ""]
    for title, table in (("Fusions", nn.FUSIONS), ("Encoders", nn.ENCODERS)):
        rows = [("name", "class"), *((f'``"{n}"``', f"`{c.__name__}`") for n, c in table.items())]
        lines += [*_heading(title, "-"), ".. list-table::", "   :header-rows: 1", ""]
        lines += [f"   * - {name}\n     - {cls}" for name, cls in rows]
        lines += [""]
        lines += _table([cls.__name__ for cls in table.values()])
    _write(folder / "networks.rst", lines)


def _title(module):
    return module.replace("_", " ").capitalize()


def _summary(module):
    return inspect.getdoc(importlib.import_module(module)).splitlines()[0]


def _heading(text, line):
    return [text, line * len(text), ""]


def _table(names):
    entries = [f"   {name}" for name in names]
    return [".. autosummary::", "   :toctree: generated", "   :nosignatures:", "", *entries, ""]


def _write(file, lines):
    text = "\n".join(lines) + "\n"
    if not file.exists() or file.read_text(encoding="utf-8") != text:  # else all is read anew
        file.write_text(text, encoding="utf-8")


def escape_shapes(app, what, name, thing, options, lines):
    """Keep reStructuredText from reading the names in "of shape (n_features_in_,)" as links."""
    for number, line in enumerate(lines):
        if "shape (" in line:
            lines[number] = re.sub(r"(\w)_(?=[,)])", r"\1\\_", line)


class LinkPublicNames(SphinxTransform):
    """Turn code that is a public name into a link to its entry in the reference."""

    default_priority = 400
    targets = {name: f"{PACKAGE}.{name}" for name in _EXPORTS} | {
        cls.__name__: f"{PACKAGE}.nn.{cls.__name__}"
        for table in (nn.FUSIONS, nn.ENCODERS)
        for cls in table.values()
    }

    def apply(self, **kwargs):
        """Go through the literals of a document."""
        for code in list(self.document.findall(nodes.literal)):
            target = self.targets.get(code.astext().removeprefix(f"{PACKAGE}.").rstrip("()"))
            linked = isinstance(code.parent, nodes.reference | pending_xref | nodes.title)
            if target is None or linked or self.env.docname.endswith(f"/{target}"):
                continue
            link = pending_xref(
                "",
                refdomain="py",
                reftype="obj",
                reftarget=target,
                refdoc=self.env.docname,
                refexplicit=True,
                refwarn=True,
            )
            code.replace_self(link)
            link += code
