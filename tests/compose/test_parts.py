import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import FeatureUnion
from sklearn.preprocessing import StandardScaler

from sklearn_mmsent import Cached, LogMel, TfidfEmbedder, make_extractor, make_pipeline
from sklearn_mmsent.compose.parts import column_readers, final_step
from sklearn_mmsent.feature_extraction.audio import AudioDenoiser, Waveform
from sklearn_mmsent.feature_extraction.text import TextCleaner


@pytest.fixture
def extractor(tmp_path):
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {"said": ["good fun", "bad", "fun"], "clip": list(rng.normal(size=(3, 8000))), "head": 1.0}
    )
    denoised = make_pipeline(AudioDenoiser(), LogMel())
    return make_extractor(
        text=("said", make_pipeline(TextCleaner(), TfidfEmbedder(n_components=2))),
        voice=("clip", {"mel": Cached(denoised, tmp_path), "raw": Waveform()}),
        motion=(["head"], StandardScaler()),
        dropped=("said", "drop"),
    ).fit(X)


def test_parts_name_modalities_columns_and_fitted_transformers(extractor):
    parts = extractor.parts()
    assert [(part.name, part.column) for part in parts] == [
        ("text", "said"),
        ("voice__mel", "clip"),
        ("voice__raw", "clip"),
        ("motion", ["head"]),
    ]
    assert isinstance(parts[1].transformer, Cached)
    assert parts[1].transformer.modality == "audio"
    assert parts[3].transformer.n_features_in_ == 1


def test_positions_become_names():
    extract = make_extractor(text=(0, TfidfEmbedder(n_components=1)))
    assert extract.fit(pd.DataFrame({"said": ["good", "bad"]})).parts()[0].column == "said"


def test_a_union_with_weights_is_one_part():
    union = FeatureUnion([("a", Waveform()), ("b", Waveform())], transformer_weights={"a": 2.0})
    extract = make_extractor(clip=union).fit(pd.DataFrame({"clip": [np.ones(9000)]}))
    assert [part.name for part in extract.parts()] == ["clip"]
    assert len(column_readers(extract)["clip"]) == 2


def test_an_extractor_without_fit_has_no_parts():
    with pytest.raises(NotFittedError):
        make_extractor(text=TfidfEmbedder()).parts()


def test_readers_are_taken_out_of_pipelines_unions_and_stores(extractor):
    readers = column_readers(extractor)
    assert {name: [type(t).__name__ for t in found] for name, found in readers.items()} == {
        "said": ["TextCleaner", "TfidfEmbedder"],
        "clip": ["AudioDenoiser", "LogMel", "Waveform"],
        "head": ["StandardScaler"],
    }


def test_the_final_step_is_found_in_nested_pipelines():
    last = StandardScaler()
    assert final_step(make_pipeline(make_pipeline(StandardScaler(), last))) is last
    assert final_step(last) is last
