import pytest

from sklearn_mmsent.utils._messages import did_you_mean, first_line


def test_similar_names_are_suggested():
    known = ["gated", "gates", "concat"]
    assert did_you_mean("gatd", known) == " Did you mean 'gated'?"
    assert did_you_mean("gatd", known, n=3) == " Did you mean 'gated' or 'gates'?"
    assert did_you_mean("zzz", known) == ""


@pytest.mark.parametrize("message", ["no room", "no room\nand more", "\n no room\n"])
def test_only_the_first_line_of_an_error_is_shown(message):
    assert first_line(OSError(message)) == "OSError: no room"
