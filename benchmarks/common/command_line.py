"""The command line that benchmarks share: each common option is worded and checked once."""

import argparse
from pathlib import Path

from common.data import data_folder

PAGES = Path(__file__).parents[2] / "docs" / "benchmarks"
COUNTS = ("seeds", "jobs", "repeats", "draws", "candidates")


def make_parser(
    description,
    *,
    only=None,
    seeds=None,
    repeats=None,
    jobs=None,
    data=False,
    cache=False,
    part=False,
    machine=False,
    quick=None,
    writes=None,
    output=PAGES,
):
    """Build a parser with the common options that a benchmark has; it adds its own.

    Parameters
    ----------
    description : str
        Documentation of the script, shown by ``--help``.
    only : sequence of str or None, default=None
        Names that ``--only`` accepts, and its default.
    seeds, repeats, jobs : int or None, default=None
        Default of the option of that name; None leaves the option out.
    data, cache, part, machine : bool, default=False
        Whether the benchmark has the option of that name.
    quick : str or None, default=None
        What ``--quick`` reduces the benchmark to; such runs write nothing.
    writes : str or None, default=None
        Files that the benchmark writes to the folder of ``--output``.
    output : Path or None, default=PAGES
        Default of ``--output``; None prints results only.

    Returns
    -------
    ArgumentParser
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    if data:
        add("--data", metavar="FOLDER", help="folder of all data sets (default: $MMSENT_DATA)")
    if only is not None:
        add(
            "--only",
            nargs="+",
            metavar="NAME",
            choices=only,
            default=list(only),
            help=f"any of {', '.join(only)} (default: all)",
        )
    counts = {"seeds": (seeds, "random states"), "repeats": (repeats, "rounds")}
    for name, (default, meaning) in {**counts, "jobs": (jobs, "processes")}.items():
        if default is not None:
            add(f"--{name}", type=int, default=default, help=f"number of {meaning} ({default})")
    if part:
        add(
            "--part",
            choices=["test", "val"],
            default="test",
            help="val scores validation rows, to choose settings by, and writes nothing (test)",
        )
    if cache:
        add("--cache", metavar="FOLDER", help="keeps features for the next run")
    if machine:
        add("--machine", metavar="NAME", help="name of the processor, for the page")
    if quick is not None:
        add("--quick", action="store_true", help=f"trial run: {quick}; writes nothing")
    if writes is not None:
        default = "none, results are printed" if output is None else "docs/benchmarks"
        add(
            "--output",
            metavar="FOLDER",
            type=Path,
            default=output,
            help=f"folder of {writes} (default: {default})",
        )
    return parser


def parse(parser, arguments, *, without_data=()):
    """Parse a command line and check the common options.

    Parameters
    ----------
    parser : ArgumentParser
        From :func:`make_parser`.
    arguments : list of str or None
        Command line; None reads that of the process.
    without_data : sequence of str, default=()
        Names of ``--only`` that need no data sets.

    Returns
    -------
    Namespace
        Options; ``data`` is an existing folder, and ``--quick`` sets one seed and one repeat.

    Raises
    ------
    SystemExit
        If a count is below 1, or the folder of data sets is missing.
    """
    options = parser.parse_args(arguments)
    for name in COUNTS:
        value = getattr(options, name, 1)
        if value < 1:
            parser.error(f"--{name} must be at least 1; got {value}.")
    if "data" in options and set(getattr(options, "only", ["all"])) - set(without_data):
        try:
            options.data = data_folder(options.data)
        except FileNotFoundError as error:
            parser.error(str(error))
    if getattr(options, "quick", False):
        for name in ("seeds", "repeats"):
            if name in options:
                setattr(options, name, 1)
    return options
