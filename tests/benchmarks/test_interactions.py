"""The benchmark of interactions."""


def test_quick_run_prints_both_tables_and_writes_nothing(script, tmp_path, capsys):
    script("interactions").main(["--quick", "--jobs", "1", "--output", str(tmp_path / "page")])
    printed = capsys.readouterr().out
    assert "| fusion | product | parity | order |" in printed
    assert "| encoder | order of steps |" in printed
    assert not (tmp_path / "page").exists()
