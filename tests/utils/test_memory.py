from sklearn_mmsent.utils import _memory


def test_a_table_may_take_its_share_of_the_free_memory(monkeypatch):
    monkeypatch.setattr(_memory, "free_bytes", lambda device: 2**30)
    assert _memory.fits(2**28)
    assert not _memory.fits(2**28 + 1)
    assert _memory.fits(2**29, "cuda:1")
    assert not _memory.fits(2**29 + 1, "cuda:1")
    monkeypatch.setattr(_memory, "free_bytes", lambda device: 0)
    assert _memory.fits(_memory.SMALL)  # without a query
    assert not _memory.fits(_memory.SMALL + 1)


def test_free_memory_respects_the_limit_of_a_container(tmp_path, monkeypatch):
    assert 2**26 < _memory.free_bytes() < 2**50
    monkeypatch.setattr(_memory, "_LIMIT", tmp_path / "limit")
    without = _memory.free_bytes()
    (tmp_path / "limit").write_text("max\n")
    assert _memory.free_bytes() > without / 2
    (tmp_path / "limit").write_text("12345678\n")
    assert _memory.free_bytes() == 12345678
