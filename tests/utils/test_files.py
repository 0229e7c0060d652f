import pytest

from sklearn_mmsent.utils._files import write_atomically


def test_a_complete_file_replaces_the_old_one(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    write_atomically(path, lambda draft: draft.write_text("new"))
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_an_interrupted_write_leaves_the_old_file(tmp_path, error):
    def write(draft):
        draft.write_text("half")
        raise error

    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(error):
        write_atomically(path, write)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
