"""Predict the sentiment of an audio file as a live stream.

A pipeline is fitted on single clips. The recording is then pushed in chunks of 50 ms, as from a
sound card, and every 250 ms its last second is predicted.

    python examples/streaming_wav.py                  # clips and recording are generated
    python examples/streaming_wav.py speech.wav --live
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile

from sklearn_mmsent import (
    MFCC,
    FusionClassifier,
    LogMel,
    StreamingPredictor,
    make_clips,
    make_extractor,
    make_pipeline,
)

CHUNK = 0.05  # seconds


def main(arguments=None):
    """Run the example; return the table that it prints."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("wav", nargs="?", type=Path, help="audio file (default: generated)")
    parser.add_argument("--live", action="store_true", help="play in real time")
    options = parser.parse_args(arguments)

    with tempfile.TemporaryDirectory() as folder:
        # the sentiment of these clips is in the voice as well as in text and image
        clips = make_clips(folder, 120, random_state=0)
        pipe = make_pipeline(
            make_extractor(audio={"mel": LogMel(n_mels=32), "mfcc": MFCC()}),
            FusionClassifier(random_state=0),
        ).fit(clips.X[["audio"]], clips.y)
        recording = options.wav or join(clips, Path(folder) / "recording.wav")

        # the generated recording is a positive, a negative and a positive clip
        stream = StreamingPredictor(pipe, window=1.0, hop=0.25, method="predict_proba")
        found = list(stream.run(chunks(recording, live=options.live)))

    # one row per window: its time, the probability of each class, and the latency
    table = pd.DataFrame(
        {
            "from": [p.start for p in found],
            "to": [p.end for p in found],
            **{str(c): [p.value[i] for p in found] for i, c in enumerate(pipe.classes_)},
            "latency (ms)": [1000 * p.latency for p in found],
        }
    )
    print(table.round(3).to_string(index=False))
    report = stream.statistics()
    print(
        f"{report.seconds:.1f} s of sound in {report.busy_seconds:.2f} s: real-time factor "
        f"{report.real_time_factor:.3f}, latency p50 {1000 * report.latency_p50:.1f} ms, "
        f"p99 {1000 * report.latency_p99:.1f} ms"
    )
    return table


def chunks(path, *, live):
    """Yield chunks of an audio file for `StreamingPredictor.run`."""
    with soundfile.SoundFile(path) as sound:
        size = round(CHUNK * sound.samplerate)
        for block in sound.blocks(size, dtype="float32"):
            yield "audio", (block, sound.samplerate)
            if live:
                time.sleep(len(block) / sound.samplerate)


def join(clips, path):
    """Write three clips to one file."""
    labels = ["positive", "negative", "positive"]
    cells = [clips.X["audio"][(clips.y == label) & clips.X["audio"].notna()] for label in labels]
    sounds = [soundfile.read(cell.iloc[i]) for i, cell in enumerate(cells)]
    soundfile.write(path, np.concatenate([samples for samples, _ in sounds]), sounds[0][1])
    return path


if __name__ == "__main__":
    main()
