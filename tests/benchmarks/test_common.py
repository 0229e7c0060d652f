"""The command line, csv files and pages that benchmarks share."""

import importlib

import pandas as pd
import pytest


@pytest.fixture
def common(script):
    """Load a module of the package."""
    script("extraction")  # makes the package importable
    return lambda name: importlib.import_module(f"common.{name}")


def parse(command_line, arguments, **options):
    parser = command_line.make_parser(
        "A benchmark.", data=True, only=["a", "b"], seeds=5, jobs=1, quick="few rows", **options
    )
    return command_line.parse(parser, arguments, without_data=["b"])


def test_quick_runs_use_one_seed(common, tmp_path):
    options = parse(common("command_line"), ["--data", str(tmp_path), "--quick"])
    assert (options.seeds, options.only, options.data) == (1, ["a", "b"], tmp_path)


def test_generated_rows_need_no_folder(common, monkeypatch):
    monkeypatch.delenv("MMSENT_DATA", raising=False)
    assert parse(common("command_line"), ["--only", "b"]).data is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", "/no/such/folder"], "does not exist"),
        ([], "set the variable MMSENT_DATA"),
        (["--seeds", "0"], "--seeds must be at least 1; got 0."),
        (["--jobs", "-1"], "--jobs must be at least 1; got -1."),
        (["--only", "imagenet"], "invalid choice: 'imagenet'"),
    ],
)
def test_invalid_command_lines(common, monkeypatch, capsys, arguments, message):
    monkeypatch.delenv("MMSENT_DATA", raising=False)
    with pytest.raises(SystemExit):
        parse(common("command_line"), arguments)
    assert message in capsys.readouterr().err


def test_csv_rows_replace_rows_with_the_same_keys(common, tmp_path):
    path = tmp_path / "folder" / "scores.csv"
    for data, score in (("a", 0.1), ("b", 0.2), ("a", 0.3)):
        rows = pd.DataFrame({"data": [data, data], "score": [score, score]})
        table = common("report").update_csv(path, rows, keys=["data"], order={"data": ["b", "a"]})
    assert table["data"].tolist() == ["b", "b", "a", "a"]
    assert pd.read_csv(path)["score"].tolist() == [0.2, 0.2, 0.3, 0.3]


def test_sections_are_replaced_in_order(common):
    report = common("report")
    page = report.replace_sections("", {"two": "b"}, head="# Page\n\nAbout.", order=["one", "two"])
    page = report.replace_sections(page, {"one": "old"}, head=None, order=["one", "two"])
    page = report.replace_sections(page, {"one": "new"}, head=None, order=["one", "two"])
    assert page == "# Page\n\nAbout.\n\n## one\n\nnew\n\n## two\n\nb\n"


def test_markdown_table(common):
    table = common("report").markdown_table(["", "score"], [["model", 0.5], ["other", ""]])
    assert table == "| | score |\n|---|---|\n| model | 0.5 |\n| other | |"
