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


class Base:
    """Base class.

    Attributes
    ----------
    a : int, default=1
        Parameter of a subclass whose constructor takes it.
    n_ : int
        Number of rows.
    b_ : int
        Number of columns.
    """


@document_shared_parameters(Base)
class Subclass(Base):
    """Subclass.

    Attributes
    ----------
    b_ : int
        Always 1.

    Notes
    -----
    A note.
    """

    def __init__(self, a=1):
        pass


def test_a_subclass_inherits_fitted_attributes_and_may_redefine_them():
    expected = """\
Subclass.

Parameters
----------
a : int, default=1
    Parameter of a subclass whose constructor takes it.

Attributes
----------
b_ : int
    Always 1.
n_ : int
    Number of rows.

Notes
-----
A note.
"""
    assert Subclass.__doc__ == expected
