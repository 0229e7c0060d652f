import sys

import pytest

from sklearn_mmsent.exceptions import MissingDependencyError
from sklearn_mmsent.utils._optional import import_optional


def test_a_missing_package_names_the_extra_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "skimage", None)
    with pytest.raises(MissingDependencyError, match=r"Me needs the package 'skimage'.*\[image\]"):
        import_optional("skimage", extra="image", needed_by="Me")


def test_an_error_inside_an_installed_package_is_raised_as_it_is(monkeypatch, tmp_path):
    (tmp_path / "broken_package.py").write_text("import no_such_package_at_all")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="no_such_package_at_all") as caught:
        import_optional("broken_package", extra="image", needed_by="Me")
    assert not isinstance(caught.value, MissingDependencyError)
