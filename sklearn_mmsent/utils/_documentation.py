"""Documentation of the parameters that several estimators share."""

import inspect


def document_shared_parameters(source):
    """Decorate a class to add to its docstring the parameters that another class documents.

    Parameters
    ----------
    source : type
        Class whose docstring has the parameters.

    Returns
    -------
    callable
        From the class to the same class, with all parameters of its signature documented in
        their order.
    """

    def decorate(cls):
        if cls.__doc__ is None:  # python -OO
            return cls
        head, own, tail = _sections(cls)
        documented = {**_entries(_sections(source)[1]), **_entries(own)}
        names = inspect.signature(cls).parameters
        cls.__doc__ = head + "".join(documented[name] for name in names) + tail
        return cls

    return decorate


def _sections(cls):
    """Cut a docstring into what precedes the parameters, the parameters, and the rest."""
    head, title, rest = inspect.cleandoc(cls.__doc__).partition("Parameters\n----------\n")
    parameters, next_title, tail = rest.partition("\nAttributes\n----------\n")
    return head + title, parameters, next_title + tail


def _entries(parameters):
    """Return the entries of a section by parameter: an unindented line and those below it."""
    entries, name = {}, None
    for line in parameters.splitlines(keepends=True):
        if not line.startswith((" ", "\n")):
            name = line.partition(" : ")[0]
            entries[name] = ""
        entries[name] += line
    return {name: entry.rstrip() + "\n" for name, entry in entries.items()}
