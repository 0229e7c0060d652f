"""A photo with distinct corners."""

import numpy as np
import pytest


@pytest.fixture
def photo():
    """A smooth image of 40 x 60 pixels with distinct corners."""
    y, x = np.mgrid[0:40, 0:60]
    return np.stack([x * 4, y * 6, 255 - x * 2 - y * 3], axis=-1).astype(np.uint8)
