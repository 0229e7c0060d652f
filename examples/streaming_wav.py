"""Hear a sound file as if it were live, and tell its mood as it goes.

A pipeline is fitted on single clips; the recording is then pushed in chunks of 50 ms, as a sound
card would give them, and every quarter of a second the last second of it is predicted.

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
    parser.add_argument("wav", nargs="?", type=Path, help="a sound file; none: one is generated")
    parser.add_argument("--live", action="store_true", help="as slow as it was spoken")
    options = parser.parse_args(arguments)

    with tempfile.TemporaryDirectory() as folder:
        # clips of one speaker each, whose mood is in the voice as well as in text and picture
        clips = make_clips(folder, 120, random_state=0)
        pipe = make_pipeline(
            make_extractor(audio={"mel": LogMel(n_mels=32), "mfcc": MFCC()}),
            FusionClassifier(random_state=0),
        ).fit(clips.X[["audio"]], clips.y)
        recording = options.wav or join(clips, Path(folder) / "recording.wav")

        # without a recording of your own: a positive clip, a negative one, a positive one
        stream = StreamingPredictor(pipe, window=1.0, hop=0.25, method="predict_proba")
        found = list(stream.run(chunks(recording, live=options.live)))

    # one row a window: when, how likely each class is, and how long after the sound it was known
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
        f"{report.seconds:.1f} s of sound in {report.busy_seconds:.2f} s of work: real-time factor "
        f"{report.real_time_factor:.3f}, latency p50 {1000 * report.latency_p50:.1f} ms, "
        f"p99 {1000 * report.latency_p99:.1f} ms"
    )
    return table


def chunks(path, *, live):
    """Give a sound file piece by piece, as `StreamingPredictor.run` takes it."""
    with soundfile.SoundFile(path) as sound:
        size = round(CHUNK * sound.samplerate)
        for block in sound.blocks(size, dtype="float32"):
            yield "audio", (block, sound.samplerate)
            if live:
                time.sleep(len(block) / sound.samplerate)


def join(clips, path):
    """Write three clips one after another."""
    moods = ["positive", "negative", "positive"]
    cells = [clips.X["audio"][(clips.y == mood) & clips.X["audio"].notna()] for mood in moods]
    sounds = [soundfile.read(cell.iloc[i]) for i, cell in enumerate(cells)]
    soundfile.write(path, np.concatenate([samples for samples, _ in sounds]), sounds[0][1])
    return path


if __name__ == "__main__":
    main()
