from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from sklearn_mmsent.utils._pipeline import pipeline_steps


def test_nested_pipelines_are_flattened():
    first, last = StandardScaler(), MinMaxScaler()
    assert pipeline_steps(make_pipeline(make_pipeline(first, "passthrough"), last)) == [first, last]
    assert pipeline_steps(first) == [first]


def test_a_pipeline_of_passthrough_steps_is_returned_itself():
    pipeline = make_pipeline("passthrough")
    assert pipeline_steps(pipeline) == [pipeline]
