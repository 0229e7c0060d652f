"""Documentation of shared parameters."""

from sklearn_mmsent.utils._documentation import document_shared_parameters


class Source:
    """First.

    Parameters
    ----------
    a : str
        One of:

        - "x": the first;
        - "y": the second.

        Other values raise an error.
    b : int
        A number.

    Attributes
    ----------
    a_ : str
        The value.
    """

    def __init__(self, a, b):
        pass


@document_shared_parameters(Source)
class Target:
    """Second.

    Parameters
    ----------
    b : float
        Another number.
    """

    def __init__(self, b, a):
        pass


def test_parameters_are_in_the_order_of_the_signature_with_their_paragraphs():
    expected = """\
Second.

Parameters
----------
b : float
    Another number.
a : str
    One of:

    - "x": the first;
    - "y": the second.

    Other values raise an error.
"""
    assert Target.__doc__.rstrip() == expected.rstrip()
