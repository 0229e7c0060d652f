"""Every block of Python in the README and the docs runs, page by page, and prints what it says.

A page is one program: its blocks run in order, in one namespace, in an empty folder. A block of
``text`` right behind one of Python is what that one prints; whole numbers must be the same, decimal
ones may differ a little, for they differ from machine to machine.

A comment before a block, which no reader sees, says what else is to be known of it::

    <!-- not run: reads a table of yours -->

and the same with ``slow`` at the top of a page, for pages that take more than ten seconds.
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
TOLERANCE = 0.15  # of decimal numbers that are told

BLOCK = re.compile(
    r"(?:<!-- not run: (?P<reason>[^>]+) -->\n)?```python\n(?P<code>.*?)```"
    r"(?:\n\n```text\n(?P<told>.*?)```)?",
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
        if block["told"] is not None:
            assert agree(block["told"], printed.getvalue()), (
                f"{page.name}, line {line + 1} prints\n{printed.getvalue()}\nnot\n{block['told']}"
            )


def agree(told, printed):
    """Compare texts but for white space, decimal numbers with some tolerance."""
    words = [" ".join(NUMBER.sub("#", text).split()) for text in (told, printed)]
    numbers = [[float(number) for number in NUMBER.findall(text)] for text in (told, printed)]
    return words[0] == words[1] and numbers[0] == pytest.approx(numbers[1], abs=TOLERANCE)


def test_agree_bites():
    assert agree("a  0.50\n3 rows", "a 0.53 3 rows")
    assert not agree("a 0.5", "a 0.8")
    assert not agree("3 rows", "4 rows")
    assert not agree("a 0.5", "b 0.5")


def test_blocks_that_do_not_run_say_why():
    for page in PAGES:
        for comment in re.findall(r"<!-- (.+?) -->", page.read_text("utf-8")):
            assert re.match(r"(not run|slow): \w+", comment), f"{page}: {comment}"
