"""Markdown tables and pages, csv files that keep rows of earlier runs, and the machine's name."""

import os
import platform
import re
from importlib.metadata import version
from pathlib import Path

import pandas as pd


def markdown_table(heads, rows):
    """Write sequences of cells as a table."""
    texts = [
        "".join(f"| {cell} " if cell != "" else "| " for cell in row) for row in [heads, *rows]
    ]
    head, *body = [f"{text}|" for text in texts]
    return "\n".join([head, "|" + "---|" * len(heads), *body])


def update_csv(path, rows, *, keys, order=None):
    """Write rows to a csv file in place of those that have the same keys.

    Parameters
    ----------
    path : Path
        File; it need not exist.
    rows : DataFrame
        New rows.
    keys : list of str
        Columns whose values identify rows that are replaced together.
    order : dict of str to sequence, default=None
        Order of the values of some columns, by which rows are sorted; values that it lacks are
        left out.

    Returns
    -------
    DataFrame
        All rows of the file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        old = pd.read_csv(path)
        new = set(rows[keys].itertuples(index=False, name=None))
        kept = [row not in new for row in old[keys].itertuples(index=False, name=None)]
        rows = pd.concat([old[kept], rows], ignore_index=True)
    for column, values in reversed((order or {}).items()):
        place = rows[column].map({value: i for i, value in enumerate(values)})
        rows = rows.loc[place.dropna().sort_values(kind="stable").index].reset_index(drop=True)
    rows.to_csv(path, index=False, float_format="%.5g")
    return rows


def replace_sections(page, sections, *, head, order):
    """Replace sections of a page; the others keep their text.

    Parameters
    ----------
    page : str
        Markdown as it is, possibly empty.
    sections : dict of str to str
        New text by title.
    head : str or None
        Text above the first section; None keeps that of the page.
    order : sequence of str
        Titles of all sections.

    Returns
    -------
    str
        Markdown.
    """
    old_head, *parts = re.split(r"^## ", page, flags=re.MULTILINE)
    texts = {part.partition("\n")[0]: part.partition("\n")[2].strip() for part in parts}
    texts |= {title: text.strip() for title, text in sections.items()}
    written = [f"## {title}\n\n{texts[title]}" for title in order if title in texts]
    return "\n\n".join([(head or old_head).strip(), *written]) + "\n"


def write_page(path, text):
    """Write a page, and its folder where there is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text.rstrip() + "\n", encoding="utf-8")


def versions(*libraries):
    """Return the names and versions of installed packages, such as "torch 2.8, numpy 2.3"."""
    return ", ".join(f"{name} {version(name)}" for name in libraries)


def machine_name(given=None):
    """Return a given name of the processor, or that which the system reports."""
    if given:
        return given
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def machine_and_load():
    """Return the number of cores, the processor and the load of the last minute."""
    load = f", load {os.getloadavg()[0]:.1f} at the end" if hasattr(os, "getloadavg") else ""
    return f"{os.cpu_count()} cores of {machine_name()}{load}"
