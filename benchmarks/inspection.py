"""Validate the inspection tools on generated rows, contradicting tweets and long clips.

All scores are on rows that were not fitted on. The experts of conflicts are chosen on tweets
outside the test part with shuffled pairs of texts and images. Prints the sections of
docs/benchmarks/inspection.md, and writes them to the folder of `--output`.

    python benchmarks/inspection.py --data FOLDER --cache FEATURES --output docs/benchmarks
    python benchmarks/inspection.py --only importance
"""

import tempfile
import time

from common.command_line import make_parser, parse
from common.report import replace_sections, versions, write_page
from sections import inspection_conflict, inspection_importance, inspection_voice

HEAD = """# Inspection

Validation of `modality_importance`, `ConflictDetector`, `agreement_report` and `predict_timeline`.
Written by `benchmarks/inspection.py`; the data are not part of this project.
"""

SECTIONS = {  # by name: title, description and function
    "importance": (
        inspection_importance.TITLE,
        inspection_importance.ABOUT,
        inspection_importance.run,
    ),
    "conflict": (inspection_conflict.TITLE, inspection_conflict.ABOUT, inspection_conflict.run),
    "intensity": (
        inspection_voice.INTENSITY_TITLE,
        inspection_voice.INTENSITY_ABOUT,
        inspection_voice.run_intensity,
    ),
    "timeline": (
        inspection_voice.TIMELINE_TITLE,
        inspection_voice.TIMELINE_ABOUT,
        inspection_voice.run_timeline,
    ),
}


def main(arguments=None):
    """Run the benchmark.

    Parameters
    ----------
    arguments : list of str or None, default=None
        Command line; None takes the process's own.
    """
    options = _parse(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        options.cache = options.cache or scratch
        for name in options.only:
            start = time.perf_counter()
            text = SECTIONS[name][2](options)
            print(f"\n{text}\n\n({name}: {time.perf_counter() - start:.0f} s)", flush=True)
            if options.output is not None:
                write_section(options.output / "inspection.md", name, text)
    print(versions("scikit-learn", "torch"))


def write_section(page, name, text):
    """Replace a section of the page.

    Parameters
    ----------
    page : Path
        Page; it need not exist.
    name : str
        One of SECTIONS.
    text : str
        Tables of the section.
    """
    old = page.read_text("utf-8") if page.exists() else ""
    title, about, _ = SECTIONS[name]
    order = [title for title, _, _ in SECTIONS.values()]
    write_page(page, replace_sections(old, {title: f"{about}\n\n{text}"}, head=HEAD, order=order))


def _parse(arguments):
    parser = make_parser(
        __doc__,
        data=True,
        only=list(SECTIONS),
        seeds=3,
        cache=True,
        writes="inspection.md",
        output=None,
    )
    parser.add_argument("--speakers", type=int, default=2, help="speakers per fold (2)")
    return parse(parser, arguments, without_data=["importance"])


if __name__ == "__main__":
    main()
