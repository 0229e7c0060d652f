"""Section of a page."""

from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class Section:
    """Markdown of a section, and the full table where the section summarises one."""

    text: str
    table: pd.DataFrame | None = None
