"""Texts embedded inside a pipeline, by what its training rows teach."""

from sklearn_mmsent import TfidfEmbedder
from sklearn_mmsent.compose import MultimodalExtractor


def embed_texts(widths, *, random_state=0, **options):
    """Build a transformer that embeds raw columns of texts and passes all other columns.

    Parameters
    ----------
    widths : dict of str to int
        Columns that each raw column becomes, by its name, which becomes that of the modality.
    random_state : int, default=0
        Seed of the decomposition.
    **options
        Of TfidfEmbedder.

    Returns
    -------
    MultimodalExtractor
        From a table with raw cells to one of blocks.
    """
    embedders = [
        (name, TfidfEmbedder(width, random_state=random_state, **options), name)
        for name, width in widths.items()
    ]
    return MultimodalExtractor(
        embedders, remainder="passthrough", verbose_feature_names_out=_name_feature
    )


def _name_feature(transformer, feature):
    return feature if transformer == "remainder" else f"{transformer}__{feature}"
