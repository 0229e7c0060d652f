import pytest

from sklearn_mmsent import FillBlocks
from sklearn_mmsent.compose import SelectModalities
from sklearn_mmsent.exceptions import BlockError


def test_selects_blocks_with_indicators_and_dtypes(named_table):
    X, _, _ = named_table(missing=0.2)
    filled = FillBlocks().fit_transform(X)
    select = SelectModalities(["audio"]).fit(filled)
    chosen = select.transform(filled)
    assert chosen.columns.tolist() == select.get_feature_names_out().tolist()
    assert {name.split("__")[0] for name in chosen.columns} == {"audio"}
    assert "audio__length" in chosen
    assert (chosen.dtypes == "float32").all()


def test_an_unknown_modality_raises(named_table):
    X, _, _ = named_table()
    with pytest.raises(BlockError, match="modality 'smell'; the table has text, audio, image"):
        SelectModalities(["smell"]).fit(X)
