"""All Python blocks of the README and the docs run and print the documented output.

The blocks of a page run in order, in one namespace, in an empty folder. A ``text`` block directly
after a Python block is its expected output; integers must match, decimal numbers approximately.

A comment before a block excludes it::

    <!-- not run: reads your own table -->

``<!-- slow: reason -->`` marks a page that takes more than ten seconds.
"""

import contextlib
import io
import re
from pathlib import Path

import matplotlib
import pytest

matplotlib.use("Agg")

from matplotlib import pyplot as plt

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
TOLERANCE = 0.15  # for decimal numbers

BLOCK = re.compile(
    r"(?:<!-- not run: (?P<reason>[^>]+) -->\n)?```python\n(?P<code>.*?)```"
    r"(?:\n\n```text\n(?P<expected>.*?)```)?",
    re.S,
)
NUMBER = re.compile(r"-?\d*\.\d+|-?\d+\.(?!\d)")


def pages():
    for page in PAGES:
        if "_build" in page.parts or "```python" not in (source := page.read_text("utf-8")):
            continue
        slow = re.search(r"<!-- slow: .+ -->", source)
        name = str(page.relative_to(ROOT))
        yield pytest.param(page, id=name, marks=[pytest.mark.slow] if slow else [])


@pytest.mark.parametrize("page", list(pages()))
def test_blocks_run_and_print_what_they_say(page, tmp_path, monkeypatch, request):
    monkeypatch.chdir(tmp_path)
    request.addfinalizer(lambda: plt.close("all"))
    source = page.read_text("utf-8")
    namespace = {"__name__": "__main__"}
    for block in BLOCK.finditer(source):
        if block["reason"]:
            compile(block["code"], str(page), "exec")
            continue
        line = source[: block.start("code")].count("\n")
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile("\n" * line + block["code"], str(page), "exec"), namespace)
        if (expected := block["expected"]) is not None:
            found = printed.getvalue()
            assert agree(expected, found), (
                f"{page.name}, line {line + 1} prints\n{found}\nnot\n{expected}"
            )


def agree(expected, printed):
    """Compare texts up to white space, and decimal numbers up to a tolerance."""
    words = [" ".join(NUMBER.sub("#", text).split()) for text in (expected, printed)]
    numbers = [[float(number) for number in NUMBER.findall(text)] for text in (expected, printed)]
    return words[0] == words[1] and numbers[0] == pytest.approx(numbers[1], abs=TOLERANCE)


def test_agree_detects_differences():
    assert agree("a  0.50\n3 rows", "a 0.53 3 rows")
    assert not agree("a 0.5", "a 0.8")
    assert not agree("3 rows", "4 rows")
    assert not agree("a 0.5", "b 0.5")


def test_blocks_that_do_not_run_say_why():
    for page in PAGES:
        for comment in re.findall(r"<!-- (.+?) -->", page.read_text("utf-8")):
            assert re.match(r"(not run|slow): \w+", comment), f"{page}: {comment}"
