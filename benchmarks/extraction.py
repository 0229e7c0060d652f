"""Compare extractors with their peers: what they compute, how fast, and what it is good for.

Each section measures one extractor beside its peer in one run and writes its part of
OUTPUT/extraction.md (and a csv where there is more to tell); the other parts stay as they are.

    python benchmarks/extraction.py --data FOLDER --only acoustic
    python benchmarks/extraction.py --data FOLDER --only acoustic --limit 100

A new section is a module with ``TITLE`` and ``run(folder, options)``, which gives a `Section`;
name it in ``SECTIONS``.
"""

import argparse
import importlib
import re
from pathlib import Path

from common.data import data_folder

SECTIONS = {  # name on the command line -> module
    "table": "sections.extraction_table",
    "acoustic": "sections.extraction_acoustic",
    "spectral": "sections.extraction_spectral",
    "store": "sections.extraction_store",
    "memory": "sections.extraction_memory",
}

ABOUT = """\
# Extraction

What extractors compute beside their peers, how fast, and what it is good for. Written by
`benchmarks/extraction.py`, which `--help` explains; each section was measured in one run, both
sides in turn on the same machine."""


def main(arguments=None):
    """Run the benchmark.

    Parameters
    ----------
    arguments : list of str or None, default=None
        Command line; None takes the process's own.
    """
    options = _parse(arguments)
    folder = data_folder(options.data)
    for name in options.only:
        module = importlib.import_module(SECTIONS[name])
        section = module.run(folder, options)
        print(f"\n## {module.TITLE}\n\n{section.text}")
        if options.limit is None:
            write(options.output, name, module.TITLE, section)


def write(output, name, title, section):
    """Put a section in the place of its older self, and its table beside the page.

    Parameters
    ----------
    output : Path
        Folder of extraction.md.
    name, title : str
        Of the section.
    section : Section
        What was measured.
    """
    output.mkdir(parents=True, exist_ok=True)
    page = output / "extraction.md"
    parts = {}
    if page.exists():
        _, *sections = re.split(r"^## ", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
        parts = {part.partition("\n")[0]: part.partition("\n")[2].strip() for part in sections}
    parts[title] = section.text.strip()
    known = [importlib.import_module(module).TITLE for module in SECTIONS.values()]
    order = [title for title in known if title in parts]
    texts = [ABOUT, *(f"## {title}\n\n{parts[title]}" for title in order)]
    page.write_text("\n\n".join(texts) + "\n", encoding="utf-8")
    if section.table is not None:
        section.table.to_csv(output / f"extraction_{name}.csv", index=False, float_format="%.4g")


def _parse(arguments):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", help="folder of the real data (default: MMSENT_DATA)")
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=list(SECTIONS))
    parser.add_argument("--jobs", type=int, default=2, help="processes of each side (default: 2)")
    parser.add_argument(
        "--limit", type=int, help="about so many files, spread evenly; nothing is written then"
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path(__file__).parents[1] / "docs" / "benchmarks",
        help="folder of the results (default: docs/benchmarks)",
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
