"""SpeechEmbedder with tiny random models, saved and loaded from disk."""

import pickle

import numpy as np
import pytest
import torch
import transformers

from sklearn_mmsent import SpeechEmbedder
from sklearn_mmsent.exceptions import DataFormatError
from sklearn_mmsent.pretrained import loading, speech

RATE = 16_000
SIZES = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "conv_dim": (16, 16, 16),
    "conv_stride": (8, 8, 5),
    "conv_kernel": (10, 8, 5),
    "num_conv_pos_embeddings": 8,
    "num_conv_pos_embedding_groups": 2,
}
KINDS = ["wav2vec2", "hubert", "wavlm", "data2vec", "whisper"]


def save(kind, folder):
    torch.manual_seed(0)
    if kind == "whisper":
        config = transformers.WhisperConfig(
            d_model=32,
            encoder_layers=2,
            decoder_layers=1,
            encoder_attention_heads=2,
            decoder_attention_heads=2,
            encoder_ffn_dim=32,
            decoder_ffn_dim=32,
            num_mel_bins=80,
            vocab_size=60,
            pad_token_id=0,
            bos_token_id=1,
            eos_token_id=2,
            decoder_start_token_id=1,
        )
        model, prepare = transformers.WhisperModel(config), transformers.WhisperFeatureExtractor()
    else:
        stem = {"wav2vec2": "Wav2Vec2", "hubert": "Hubert", "wavlm": "WavLM"}
        stem = stem.get(kind, "Data2VecAudio")
        sizes = SIZES | ({"conv_pos_kernel_size": 7} if kind == "data2vec" else {})
        config = getattr(transformers, f"{stem}Config")(**sizes)
        model = getattr(transformers, f"{stem}Model")(config)
        prepare = transformers.Wav2Vec2FeatureExtractor()
    model.save_pretrained(folder)
    prepare.save_pretrained(folder)
    return model.eval()


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Return a function from model kind to (folder, model), cached."""
    cache = {}

    def get(kind):
        if kind not in cache:
            folder = tmp_path_factory.mktemp(kind)
            with torch.random.fork_rng():
                cache[kind] = folder, save(kind, folder)
        return cache[kind]

    return get


def make_clips(seconds=(0.5, 0.5, 1.3, 0.8)):
    rng = np.random.default_rng(0)
    return [rng.normal(0, 0.1, int(s * RATE)).astype(np.float32) for s in seconds]


@pytest.mark.parametrize("kind", KINDS)
def test_frames_equal_the_model(kind, saved):
    folder, model = saved(kind)
    clips = make_clips()
    X = SpeechEmbedder(folder, device="cpu", layer=1).fit_transform(clips)
    assert X.shape == (4, 64)
    prepare = transformers.AutoFeatureExtractor.from_pretrained(folder)
    encoder = model.get_encoder() if kind == "whisper" else model
    for row, clip in zip(X, clips, strict=True):
        inputs = prepare(clip, sampling_rate=RATE, return_tensors="pt")
        with torch.inference_mode():
            out = encoder(inputs[prepare.model_input_names[0]], output_hidden_states=True)
        frames = out.hidden_states[1][0].double()
        if kind == "whisper":  # 50 frames per second; the rest of 30 s is padding
            frames = frames[: round(len(clip) / RATE * 50)]
        truth = torch.stack([frames.mean(0), frames.std(0, correction=0)], dim=-1)
        np.testing.assert_allclose(row, truth.flatten(), atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_embeddings_independent_of_batch(kind, saved):
    folder, _ = saved(kind)
    clips = make_clips((0.4, 0.7, 0.4, 0.4, 0.05))
    batched = SpeechEmbedder(folder, device="cpu").fit_transform(clips)
    single = SpeechEmbedder(folder, device="cpu", batch_size=1).fit_transform(clips[::-1])[::-1]
    np.testing.assert_allclose(batched, single, atol=1e-5)
    assert np.isfinite(batched).all()


def test_sequence_length_follows_the_clip(saved):
    folder, _ = saved("wav2vec2")
    embedder = SpeechEmbedder(folder, device="cpu", pooling=None, max_steps=10)
    X = embedder.fit_transform(make_clips()).reshape(4, 10, 32)
    assert (~np.isnan(X)).all(axis=2).sum(axis=1).tolist() == [5, 5, 10, 8]
    assert embedder.get_feature_names_out()[[0, 32]].tolist() == ["emb000@000", "emb000@001"]
    squeezed = embedder.set_params(long_clips="squeeze").fit_transform(make_clips())
    assert not np.isnan(squeezed[2]).any()


def test_long_clips_are_encoded_in_windows(saved):
    folder, _ = saved("wavlm")
    clip = make_clips([2.5])[0]
    settings = {"device": "cpu", "statistics": ["mean"], "window_seconds": 1.0}
    X = SpeechEmbedder(folder, **settings).fit_transform([clip, *np.array_split(clip, 3)])
    np.testing.assert_allclose(X[0], X[1:].mean(axis=0), atol=0.01)


def test_whisper_window_limit(saved):
    folder, _ = saved("whisper")
    with pytest.raises(ValueError, match=r"'window_seconds' .* must be at most 30"):
        SpeechEmbedder(folder, window_seconds=40.0).fit([])


def test_fit_and_pickle_without_weights(saved, monkeypatch):
    folder, _ = saved("hubert")
    monkeypatch.setattr(loading, "_loaded", type(loading._loaded)())
    embedder = SpeechEmbedder(folder, device="cpu").fit([])
    kinds = [key[0] for key in loading._loaded]
    assert kinds == [speech.SpeechConfig]
    clips = make_clips([0.3])
    X = embedder.transform(clips)
    assert len(pickle.dumps(embedder)) < 2000
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(embedder)).transform(clips), X)


def test_invalid_model_errors(saved, tmp_path):
    with pytest.raises(DataFormatError, match=r"SpeechEmbedder: the model folder .* not exist"):
        SpeechEmbedder(tmp_path / "none").fit([])
    with pytest.raises(DataFormatError, match="SpeechEmbedder cannot load the model"):
        SpeechEmbedder(tmp_path).fit([])
    config = transformers.ViTConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=1)
    config.save_pretrained(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text('{"image_processor_type": "ViT"}')
    with pytest.raises(DataFormatError, match="speech encoder"):
        SpeechEmbedder(tmp_path).fit([])
    folder, model = saved("wav2vec2")
    with pytest.raises(ValueError, match=r"'layer' .* must lie between -3 and 2 .* Got 7"):
        SpeechEmbedder(folder, layer=7, device="cpu").fit_transform(make_clips([0.2]))
    pickled = tmp_path / "pickled"
    model.config.save_pretrained(pickled)
    transformers.Wav2Vec2FeatureExtractor().save_pretrained(pickled)
    torch.save(model.state_dict(), pickled / "pytorch_model.bin")
    with pytest.raises(DataFormatError, match="safetensors"):
        SpeechEmbedder(pickled, device="cpu").fit_transform(make_clips([0.2]))
