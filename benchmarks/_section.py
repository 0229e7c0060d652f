"""What a section of the extraction benchmark gives back."""

from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class Section:
    """Markdown for the page, and the whole table where the page tells only its outlines."""

    text: str
    table: pd.DataFrame | None = None
