"""Imports of packages that belong to an optional extra."""

import importlib

from sklearn_mmsent.exceptions import MissingDependencyError


def import_optional(module, *, extra, needed_by):
    """Import a module of an optional extra.

    Parameters
    ----------
    module : str
        Dotted module name, such as ``"skimage.feature"``.
    extra : str
        The extra of this package that installs it, such as ``"image"``.
    needed_by : str
        Name used in error messages.

    Returns
    -------
    module
        The imported module.

    Raises
    ------
    MissingDependencyError
        If the module's top-level package is not installed; names the extra.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        package = module.partition(".")[0]
        if error.name is None or error.name.partition(".")[0] != package:
            raise  # the package is installed but broken
        raise MissingDependencyError(
            f"{needed_by} needs the package {package!r}, which is not installed. "
            f"Install it with: pip install 'sklearn-mmsent[{extra}]'"
        ) from error
