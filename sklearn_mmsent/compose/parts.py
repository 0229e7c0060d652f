"""The end of a pipeline."""


def final_step(estimator):
    """Return the estimator at the end of a pipeline, nested ones too, or the estimator itself."""
    while hasattr(estimator, "steps"):
        estimator = estimator.steps[-1][1]
    return estimator
