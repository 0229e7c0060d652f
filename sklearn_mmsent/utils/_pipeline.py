"""The structure of scikit-learn's pipelines."""

from sklearn.pipeline import Pipeline


def pipeline_steps(transformer):
    """Return the steps of a pipeline in order.

    Parameters
    ----------
    transformer : transformer or Pipeline
        Pipelines inside it are flattened; steps that do nothing are left out.

    Returns
    -------
    list of transformer
        The transformer itself if it is no pipeline, or one without steps.
    """
    if not isinstance(transformer, Pipeline):
        return [transformer]
    steps = [step for _, step in transformer.steps if step not in (None, "passthrough")]
    return [inner for step in steps for inner in pipeline_steps(step)] or [transformer]
