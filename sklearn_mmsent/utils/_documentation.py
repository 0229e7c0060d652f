"""Documentation of the parameters and attributes that several estimators share."""

import inspect
import re

_TITLES = (
    r"^(Parameters|Attributes|Methods|Returns|Raises|Warns|See Also|Notes|References|Examples)"
    r"\n-+\n"
)


def document_shared_parameters(*sources):
    """Decorate a class or function to add parameters that others document to its docstring.

    Parameters
    ----------
    *sources : type or function
        Their docstrings have the parameters; later ones have priority. Fitted attributes of a
        base class are added as well.

    Returns
    -------
    callable
        From the class or function to the same one, with all parameters of its signature
        documented in their order.
    """

    def decorate(target):
        if target.__doc__ is None:  # python -OO
            return target
        summary, own = _sections(target)
        parameters, fitted = {}, {}
        for source in sources:
            shared = _sections(source)[1]
            attributes = _entries(shared.get("Attributes", ""))
            parameters |= attributes | _entries(shared.get("Parameters", ""))
            if inspect.isclass(source) and issubclass(target, source):
                fitted |= {name: e for name, e in attributes.items() if name.endswith("_")}
        parameters |= _entries(own.pop("Parameters", ""))
        attributes = _entries(own.pop("Attributes", ""))
        attributes |= {name: entry for name, entry in fitted.items() if name not in attributes}
        documented = {
            name: entry for names, entry in parameters.items() for name in names.split(", ")
        }
        names = inspect.signature(target).parameters
        sections = {  # names that share an entry are neighbours
            "Parameters": "".join(dict.fromkeys(documented[name] for name in names)),
            "Attributes": "".join(attributes.values()),
            **own,
        }
        target.__doc__ = summary + "\n".join(
            f"{title}\n{'-' * len(title)}\n{body}" for title, body in sections.items() if body
        )
        return target

    return decorate


def _sections(target):
    """Return the text before the sections of a docstring, and the sections by title."""
    summary, *parts = re.split(_TITLES, inspect.cleandoc(target.__doc__), flags=re.MULTILINE)
    bodies = (f"{body.rstrip()}\n" for body in parts[1::2])
    return summary, dict(zip(parts[::2], bodies, strict=True))


def _entries(section):
    """Return the entries of a section by name: an unindented line and those below it."""
    entries, name = {}, None
    for line in section.splitlines(keepends=True):
        if not line.startswith((" ", "\n")):
            name = line.partition(" : ")[0]
            entries[name] = ""
        entries[name] += line
    return {name: entry.rstrip() + "\n" for name, entry in entries.items()}
