"""Text embeddings that are fitted on the training rows of a pipeline."""

from sklearn_mmsent import TfidfEmbedder
from sklearn_mmsent.compose import MultimodalExtractor


def embed_texts(widths, *, random_state=0, **options):
    """Return a transformer that embeds raw columns of texts and passes other columns through.

    Parameters
    ----------
    widths : dict of str to int
        Dimensions by raw column, whose name becomes that of the modality.
    random_state : int, default=0
        Random seed of the decomposition.
    **options
        Parameters of TfidfEmbedder.

    Returns
    -------
    MultimodalExtractor
        Unfitted transformer.
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
