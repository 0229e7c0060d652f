"""Public names in the docs: a reference page of all of them, and a link wherever one is written.

The reference is written at each build from the ``__all__`` of every public subpackage. In every
page, code that is a public name (``FillBlocks``, ``metrics.get_scorer``) becomes a link to its
entry, so that sources stay plain Markdown and numpydoc.
"""

import importlib
import inspect
import re
from pathlib import Path

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.transforms import SphinxTransform

import sklearn_mmsent
from sklearn_mmsent import nn

PACKAGE = sklearn_mmsent.__name__


def public_names(package=sklearn_mmsent):
    """Return the public names of each subpackage, by its dotted path.

    Subpackages are those that ``__all__`` of the package lists, and theirs in turn.
    """
    found = {}
    for module in (getattr(package, name) for name in package.__all__):
        if inspect.ismodule(module):
            names = [n for n in module.__all__ if not inspect.ismodule(getattr(module, n))]
            found[module.__name__] = sorted(names, key=str.lower)
            found |= public_names(module)
    return found


# every way to write a public name -> its entry: "LogMel", "audio.LogMel", ...
ENTRIES = {
    ".".join([*module.split(".")[first:], name]): f"{module}.{name}"
    for module, names in public_names().items()
    for name in names
    if callable(getattr(importlib.import_module(module), name))
    for first in range(1, module.count(".") + 2)
}


def setup(app):
    """Connect the extension to sphinx."""
    app.connect("config-inited", prepare)
    app.connect("autodoc-process-docstring", escape_shapes, priority=600)  # behind numpydoc's 500
    app.connect("missing-reference", resolve_short_name)
    app.add_transform(LinkPublicNames)
    return {"version": sklearn_mmsent.__version__, "parallel_read_safe": True}


def prepare(app, config):
    """Write the reference, and give its templates their functions."""
    config.autosummary_context = {"own_members": own_members, "import_paths": import_paths}
    write_reference(Path(app.srcdir) / "api")


def import_paths(module, name):
    """Return the paths from which examples import a name: its subpackage, and the flat one."""
    flat = [f"{PACKAGE}.{name}"] if name in sklearn_mmsent.__all__ else []
    return " ".join([f"{module}.{name}", *flat])


def own_members(path):
    """List the public methods and properties that a class does not inherit from elsewhere.

    Those of scikit-learn, such as ``get_params``, are documented on its site.
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


def write_reference(folder):
    """Write ``index.rst`` and ``networks.rst``, from which autosummary makes the entries.

    Parameters
    ----------
    folder : Path
        Folder of the reference; created if missing.
    """
    folder.mkdir(exist_ok=True)
    flat = sorted(set(sklearn_mmsent.__all__) & set(ENTRIES), key=str.lower)
    lines = [*_heading("API reference", "="), "Import a name from its subpackage. These can be"]
    lines += [f"imported from ``{PACKAGE}`` itself, too:", ", ".join(f"`{n}`" for n in flat), ""]
    for module, names in public_names().items():
        lines += _heading(_title(module), "~" if module.count(".") > 1 else "-")
        lines += [f".. module:: {module}", "", _summary(module), ""]
        if module == nn.__name__:
            lines += [".. toctree::", "", "   networks", ""]
        else:
            lines += _table(names)
    _write(folder / "index.rst", lines)
    _write(folder / "networks.rst", _networks())
    for page in (folder / "generated").glob("*.rst"):  # of an earlier build
        if page.stem not in ENTRIES.values():
            page.unlink()


def _networks():
    lines = [*_heading("Encoders and fusions", "="), f".. currentmodule:: {nn.__name__}", ""]
    lines += [inspect.getdoc(nn), ""]
    others = set(public_names()[nn.__name__]) - {"ENCODERS", "FUSIONS"}
    for title, table in (("Fusions", nn.FUSIONS), ("Encoders", nn.ENCODERS)):
        rows = [("name", "class"), *((f'``"{n}"``', f"`{c.__name__}`") for n, c in table.items())]
        lines += [*_heading(title, "-"), ".. list-table::", "   :header-rows: 1", ""]
        lines += [f"   * - {name}\n     - {cls}" for name, cls in rows]
        lines += [""]
        classes = list(dict.fromkeys(cls.__name__ for cls in table.values()))
        lines += _table(classes)
        others -= set(classes)
    return [*lines, *_heading("Base classes, heads, network", "-"), *_table(sorted(others))]


def _title(module):
    return module.removeprefix(f"{PACKAGE}.")


def _summary(module):
    return inspect.getdoc(importlib.import_module(module)).splitlines()[0]


def _heading(text, line):
    return [text, line * len(text), ""]


def _table(names):
    entries = [f"   {name}" for name in names]
    return [".. autosummary::", "   :toctree: generated", "   :nosignatures:", "", *entries, ""]


def _write(file, lines):
    text = "\n".join(lines) + "\n"
    # a new time stamp would make sphinx read all of it again
    if not file.exists() or file.read_text(encoding="utf-8") != text:
        file.write_text(text, encoding="utf-8")


def escape_shapes(app, what, name, thing, options, lines):
    """Escape "of shape (n_features_in_, *shape)", else a link and emphasis in reStructuredText."""
    for number, line in enumerate(lines):
        if "shape (" in line:
            lines[number] = re.sub(r"(?<=\w)_(?=[,)])|\*(?=\w)", r"\\\g<0>", line)


def resolve_short_name(app, env, node, contnode):
    """Find the entry of a public name that a "See Also" of another subpackage gives by itself."""
    entry = ENTRIES.get(node.get("reftarget", ""))
    if node.get("refdomain") != "py" or entry is None:
        return None
    return env.domains["py"].resolve_xref(
        env, node["refdoc"], app.builder, "obj", entry, node, contnode
    )


class LinkPublicNames(SphinxTransform):
    """Turn code that is a public name into a link to its entry in the reference."""

    default_priority = 400

    def apply(self, **kwargs):
        """Replace the literals of a document."""
        for code in list(self.document.findall(nodes.literal)):
            entry = ENTRIES.get(code.astext().removeprefix(f"{PACKAGE}.").rstrip("()"))
            linked = isinstance(code.parent, nodes.reference | pending_xref | nodes.title)
            if entry is None or linked or self.env.docname.endswith(f"/{entry}"):
                continue
            link = pending_xref(
                "",
                refdomain="py",
                reftype="obj",
                reftarget=entry,
                refdoc=self.env.docname,
                refexplicit=True,
                refwarn=True,
            )
            code.replace_self(link)
            link += code
