import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_mmsent import MFCC, LogMel, TfidfEmbedder, make_clips, make_extractor
from sklearn_mmsent.blocks import BlockLayout


def test_a_modality_can_have_parts_or_a_transformer_of_scikit_learn(tmp_path):
    clips = make_clips(tmp_path, 60, missing_rate=0.15, random_state=0)
    extract = make_extractor(
        text=("text", make_pipeline(TfidfVectorizer(), TruncatedSVD(4, random_state=0))),
        audio={"mfcc": MFCC(n_mfcc=3), "mel": LogMel(n_mels=4, pooling=None, max_steps=5)},
        numbers=(["speed"], StandardScaler()),
    )
    X = clips.X.assign(speed=np.arange(60.0))
    table = extract.fit_transform(X)
    assert [b.name for b in BlockLayout.of(table).blocks] == [
        "text",
        "audio__mfcc",
        "audio__mel",
        "numbers",
    ]
    missing = X["text"].isna()
    assert table.loc[missing, table.columns.str.startswith("text")].isna().all(axis=None)
    assert table["text__truncatedsvd0"].notna().equals(~missing)
    pd.testing.assert_frame_equal(
        extract.transform(X.iloc[::-1]).iloc[::-1], table, check_exact=False, atol=1e-5
    )


def test_invalid_modalities_raise():
    with pytest.raises(ValueError, match="needs at least one modality"):
        make_extractor()
    with pytest.raises(ValueError, match="modality names must not contain '__'"):
        make_extractor(te__xt=TfidfEmbedder())
    with pytest.raises(ValueError, match=r"text= must be a transformer or a \(column, transformer"):
        make_extractor(text=(TfidfEmbedder(), "text"))
