"""Extraction, cross-validation, searches and comparisons on a Dask cluster of two processes."""

import os

import numpy as np
import pytest
from joblib import effective_n_jobs, parallel_config
from sklearn.model_selection import GridSearchCV, cross_val_score

from sklearn_mmsent import (
    MFCC,
    FusionClassifier,
    TfidfEmbedder,
    compare,
    make_clips,
    make_extractor,
    make_pipeline,
)
from sklearn_mmsent.exceptions import CellError

distributed = pytest.importorskip("distributed")

pytestmark = pytest.mark.filterwarnings(
    # workers of a cluster that closes are asked for their last word; nothing is lost by it
    "ignore:.*:ResourceWarning",
    # of Dask's own threads and sockets, on a busy machine
    "ignore:Event loop was unresponsive:UserWarning",
    "ignore:Sending large graph:UserWarning",
)


@pytest.fixture(scope="module")
def client():
    """Two worker processes on loopback, without a dashboard."""
    with (
        distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address=None,
            silence_logs=50,
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    return make_clips(folder, 24, modalities=("text", "audio"), n_groups=6, random_state=0)


@pytest.fixture
def pipe():
    extract = make_extractor(text=TfidfEmbedder(n_components=4), audio=("audio", MFCC()))
    return make_pipeline(extract, FusionClassifier(max_epochs=2, random_state=0))


def run_on(client):
    """Return the processes of the workers that computed something, and reset the record."""
    logs = client.run(lambda dask_worker: (os.getpid(), len(dask_worker.state.log)))
    return {pid for pid, n_events in logs.values() if n_events}


def test_extraction_uses_all_workers_and_gives_local_results(client, clips):
    local = MFCC(batch_size=4).fit_transform(clips.X[["audio"]])
    with parallel_config("dask"):
        assert effective_n_jobs(None) == 2
        remote = MFCC(batch_size=4, n_jobs=-1).fit_transform(clips.X[["audio"]])
    np.testing.assert_array_equal(remote, local)
    assert len(run_on(client) - {os.getpid()}) == 2


def test_a_broken_file_raises_the_usual_error(client, clips):
    broken = clips.X[["audio"]].copy()
    broken.iloc[13, 0] = "nowhere.wav"
    with parallel_config("dask"), pytest.raises(CellError, match="row 13"):
        MFCC(batch_size=4, n_jobs=-1).fit_transform(broken)


def test_cross_validation_of_a_pipeline(client, clips, pipe):
    local = cross_val_score(pipe, clips.X, clips.y, cv=2)
    with parallel_config("dask"):
        remote = cross_val_score(pipe, clips.X, clips.y, cv=2, n_jobs=-1)
    np.testing.assert_array_equal(remote, local)


def test_grid_search_gives_local_results(client, clips, pipe):
    grid = {"fusionclassifier__hidden_size": [4, 8]}
    local = GridSearchCV(pipe, grid, cv=2).fit(clips.X, clips.y)
    with parallel_config("dask"):
        remote = GridSearchCV(pipe, grid, cv=2, n_jobs=-1).fit(clips.X, clips.y)
    for key in ("mean_test_score", "params"):
        assert list(remote.cv_results_[key]) == list(local.cv_results_[key])
    assert (remote.predict(clips.X) == local.predict(clips.X)).all()


def test_compare_gives_local_results(client, clips, pipe):
    scoring = ["accuracy", "f1_macro"]
    options = {"groups": clips.groups, "cv": 2, "scoring": scoring, "seeds": (0, 1)}
    local = compare({"pipe": pipe}, clips.X, clips.y, batched=False, **options)
    with parallel_config("dask"):  # where there are workers, they are used
        remote = compare({"pipe": pipe}, clips.X, clips.y, error_score="raise", **options)
    assert remote.results[scoring].equals(local.results[scoring])
