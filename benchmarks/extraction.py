"""Compare extractors with librosa and openSMILE; measure the speed and memory of all extractors.

Each section runs both sides in turn on the same recordings and writes its part of
docs/benchmarks/extraction.md, with a csv for long tables; other sections keep their text.

    python benchmarks/extraction.py --data FOLDER --only acoustic
    python benchmarks/extraction.py --data FOLDER --only acoustic --limit 100

A section is a module in ``SECTIONS`` with ``TITLE`` and ``run(folder, options)``, which returns a
`Section`.
"""

import importlib

from common.command_line import make_parser, parse
from common.report import replace_sections, write_page

SECTIONS = {  # name on the command line -> module
    "table": "sections.extraction_table",
    "acoustic": "sections.extraction_acoustic",
    "spectral": "sections.extraction_spectral",
    "store": "sections.extraction_store",
    "memory": "sections.extraction_memory",
}

ABOUT = """\
# Extraction

Values, speed and memory of extractors, compared with librosa and openSMILE. Written by
`benchmarks/extraction.py`; each section was measured in one run, with both sides in turn on the
same machine."""


def main(arguments=None):
    """Run the benchmark.

    Parameters
    ----------
    arguments : list of str or None, default=None
        Command line; None takes the process's own.
    """
    options = _parse(arguments)
    for name in options.only:
        module = importlib.import_module(SECTIONS[name])
        section = module.run(options.data, options)
        print(f"\n## {module.TITLE}\n\n{section.text}")
        if options.limit is None:
            write(options.output, name, module.TITLE, section)


def write(output, name, title, section):
    """Replace a section of the page, and its csv.

    Parameters
    ----------
    output : Path
        Folder of extraction.md.
    name, title : str
        Name and title of the section.
    section : Section
        New contents.
    """
    path = output / "extraction.md"
    page = path.read_text(encoding="utf-8") if path.exists() else ""
    order = [importlib.import_module(module).TITLE for module in SECTIONS.values()]
    write_page(path, replace_sections(page, {title: section.text}, head=ABOUT, order=order))
    if section.table is not None:
        section.table.to_csv(output / f"extraction_{name}.csv", index=False, float_format="%.4g")


def _parse(arguments):
    parser = make_parser(
        __doc__, data=True, only=list(SECTIONS), jobs=2, writes="extraction.md and its csv files"
    )
    parser.add_argument(
        "--limit", type=int, help="approximate number of files, spread evenly; writes nothing"
    )
    return parse(parser, arguments)


if __name__ == "__main__":
    main()
