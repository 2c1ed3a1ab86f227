"""The same stages on a Ray cluster of several nodes and on a Slurm, both started here: the same bytes, and nothing told.

`local` is held to the same promises in test_runner.py and test_build.py.
"""

import importlib.util
import json
import multiprocessing
import os
import shutil
import signal
import tempfile
import threading
from pathlib import Path

import polars as pl
import pytest

from clinicorpus_errors import UserError
from corpus.cluster import cluster_engine
from corpus.keys import NO_KEYS, purpose_keys, release_key
from corpus.recipe import Cluster
from corpus.worker import dump, fingerprint, job_file, load, result_file, run_job, started_file
from tests import slurm
from tests.command import run_command

CANARY = "Quillworth"
ROOT = Path(__file__).parents[2]


def _rows():
    drugs = ["lisinopril 10 mg daily", "metformin 500 mg BID", "atorvastatin 40 mg nightly", "albuterol as needed"]
    for i in range(48):
        text = (
            f"Patient: {CANARY}, Anna\nMRN: {4410000 + i}\nCHIEF COMPLAINT: cough\nHPI: She has had it for {2 + i} days, "
            f"rated {i % 10} of 10, and denies other complaints number {i * 7919 % 1000} on this visit {i}.\n"
            f"MEDICATIONS:\n- {drugs[i % 4]}\n- aspirin {i} mg\nPLAN: Recheck in {i + 1} weeks with labs {i * 31}.\n"
        )
        yield {"note_id": f"n{i}", "patient_id": f"p{i // 3}", "text": text, "charted_at": f"2019-03-{1 + i % 28:02d}"}
    yield {"note_id": "copy", "patient_id": "p0", "text": text.upper(), "charted_at": "2019-04-01"}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with notes and a release key: nothing of the demonstration, whose key everybody knows."""
    folder = tmp_path_factory.mktemp("place")
    with (folder / "notes.jsonl").open("w") as file:
        file.writelines(json.dumps(row) + "\n" for row in _rows())
    (folder / "keys").mkdir(mode=0o700)
    # A key and nonces of its own, but the same for every build here: the bytes are compared.
    recipe = {
        "name": "ward", "source": {"kind": "jsonl", "path": str(folder / "notes.jsonl"), "public": True},
        "crosswalk_seed": 3, "shards": 2, "workers": 2, "stages": {"deid.detect": {"ner": "none"}},
        "measure": {"attack": False, "selfcheck": False},
    }  # fmt: skip
    (folder / "recipe.yaml").write_text(json.dumps(recipe))
    return folder


def _build(place, root, *settings):
    root.mkdir()
    sets = [part for setting in settings for part in ("--set", setting)]
    done = run_command(
        root, "corpus", "build", place / "recipe.yaml", *sets, "--json", CLINICORPUS_KEYS=str(place / "keys"),
        PYTHONPATH=str(ROOT),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    return {f["path"]: f["sha256"] for f in result["files"] if f["path"].endswith(".parquet")}


@pytest.fixture(scope="module")
def here(place, tmp_path_factory):
    """Digests of what `local` releases."""
    return _build(place, tmp_path_factory.mktemp("here") / "root")


# --- the two clusters ----------------------------------------------------------------------------------------


def _leave_out(why):
    """Skip, but not where `make test-engines` asked for these tests."""
    (pytest.fail if os.environ.get("ENGINES") == "required" else pytest.skip)(why)


@pytest.fixture(scope="module")
def ray_cluster():
    if importlib.util.find_spec("ray") is None:
        _leave_out("ray is not installed (pip install -c constraints.txt -e '.[ray]')")
    # Short, whatever a test before has made the folder of temporary files: Ray's sockets lie in it, and the path of a socket has 107
    # characters at most.
    folder = tempfile.mkdtemp(prefix="ray", dir="/tmp")
    Path(folder, "ray").mkdir()  # Ray writes its address to the folder of this name and does not make it
    # Ray lowers the priority of its workers by 15: on a busy machine a test would wait for minutes.
    settings = {
        "RAY_USAGE_STATS_ENABLED": "0", "RAY_DEDUP_LOGS_SKIP_REGEX": ".", "RAY_worker_niceness": "0",
        "RAY_raylet_start_wait_time_s": "180", "PYTHONPATH": str(ROOT), "RAY_TMPDIR": folder,
    }  # fmt: skip
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    from ray.cluster_utils import Cluster as Nodes

    node = {"num_cpus": 1, "memory": 2 * 2**30, "object_store_memory": 80 * 2**20}
    nodes = Nodes(
        initialize_head=True, head_node_args={**node, "include_dashboard": False, "temp_dir": folder},
    )  # fmt: skip
    nodes.add_node(**node)
    yield f"cluster.address={nodes.address}", Path(folder)
    nodes.shutdown()
    shutil.rmtree(folder, ignore_errors=True)
    for name, value in before.items():
        os.environ.pop(name) if value is None else os.environ.update({name: value})


@pytest.fixture(scope="module")
def slurm_cluster():
    if importlib.util.find_spec("datatrove") is None:
        _leave_out("datatrove is not installed (pip install -c constraints.txt -e '.[ray]')")
    if why := slurm.missing():
        _leave_out(why)
    folder = Path(tempfile.mkdtemp(prefix="slurm", dir="/tmp"))  # short, as Ray's
    with slurm.running(folder) as config:
        os.environ["SLURM_CONF"] = str(config)
        yield "cluster.partition=main", folder
        del os.environ["SLURM_CONF"]
    shutil.rmtree(folder, ignore_errors=True)


ENGINES = [pytest.param(name, marks=[pytest.mark.slow, pytest.mark.xdist_group(name)]) for name in ("ray", "slurm")]


@pytest.fixture(params=ENGINES)
def engine(request):
    """Name of an engine, the setting that leads to its cluster, and the folder of the cluster's own files."""
    return request.param, *request.getfixturevalue(f"{request.param}_cluster")


def _settings(engine):
    name, setting, _ = engine
    return [f"engine={name}", setting, "cluster.memory_gb=1"]


@pytest.fixture
def shards(engine, tmp_path):
    """run_shards on the cluster, and the folder that nodes and we see."""
    name, setting, _ = engine
    key, value = setting.removeprefix("cluster.").split("=")
    cluster = Cluster(**{key: value, "memory_gb": 1})
    folder = tmp_path / "engine"
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = str(ROOT)
    if name == "ray":
        from corpus.engine_ray import RayScheduler

        scheduler = RayScheduler(cluster, 2)
    else:
        from corpus.engine_slurm import SlurmScheduler

        scheduler = SlurmScheduler(cluster, 2, "test", folder)
    try:
        with cluster_engine(scheduler, 2, folder) as found:
            yield found.run_shards
    finally:
        os.environ.pop("PYTHONPATH") if before is None else os.environ.update(PYTHONPATH=before)


# --- what is promised ----------------------------------------------------------------------------------------


class _Killer(threading.Thread):
    """Kills the first process that works on a shard, once it is certain that it had not finished."""

    def __init__(self, engine_folder):
        super().__init__(daemon=True)
        self.folder, self.killed, self.stop = engine_folder, None, threading.Event()

    def run(self):
        while not self.stop.wait(0.005):
            for started in self.folder.glob("*-run_segment/started-*"):
                _, pid = started.read_text().split()
                result = started.with_name(started.name.replace("started", "result"))
                os.kill(int(pid), signal.SIGSTOP)
                if result.exists():
                    os.kill(int(pid), signal.SIGCONT)
                    continue
                os.kill(int(pid), signal.SIGKILL)
                self.killed = started.name, int(pid)
                return


def test_a_killed_worker_changes_no_byte(engine, place, here, tmp_path):
    root = tmp_path / "root"
    killer = _Killer(root / "work" / "ward" / "engine")
    killer.start()
    try:
        assert _build(place, root, *_settings(engine)) == here
    finally:
        killer.stop.set()
        killer.join()
    assert killer.killed, "no worker was killed"
    assert not (root / "work" / "ward" / "engine").exists()


def _say_and_raise(job):
    import ctypes

    print(f"{CANARY} printed")  # noqa: T201
    os.write(2, f"{CANARY} written below Python\n".encode())
    ctypes.CDLL(None).puts(f"{CANARY} by a library".encode())
    raise ValueError(f"Mrs. {CANARY} lives here")


def _texts(*folders):
    for folder in folders:
        for path in folder.rglob("*"):
            if path.is_file() and not path.is_symlink():
                yield path, path.read_bytes()


def test_what_a_job_holds_says_or_raises_reaches_no_file_of_the_cluster(engine, shards, tmp_path):
    with pytest.raises(UserError) as error:
        shards(_say_and_raise, [pl.DataFrame({"text": [f"Mrs. {CANARY}"]})])
    assert error.value.what == "a stage failed"
    assert "ValueError at test_engines.py" in str(error.value.value)
    assert CANARY not in repr(vars(error.value))
    files = dict(_texts(engine[2], tmp_path))
    assert {path.name for path, text in files.items() if CANARY.encode() in text} == {"job-00000"}
    assert len(files) > 10


def _user_error(job):
    raise UserError("told", value=job, next="this")


def test_an_error_for_the_user_arrives_whole(shards):
    with pytest.raises(UserError) as error:
        shards(_user_error, ["v"])
    assert (error.value.what, error.value.value, error.value.next) == ("told", "v", "this")


def _kill(mark):
    if mark is None or not mark.exists():
        if mark:
            mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return "done"


def _square(job):
    return job * job, pl.thread_pool_size(), os.umask(0o077)


def test_results_come_in_the_order_of_jobs(shards):
    seen = []
    assert shards(_square, [3, 1, 2], lambda: seen.append(1)) == [(j * j, 1, 0o077) for j in (3, 1, 2)]
    assert len(seen) == 3


def test_a_job_that_kills_its_worker_is_tried_three_times(shards, tmp_path):
    assert shards(_kill, [tmp_path / "mark"]) == ["done"]
    with pytest.raises(UserError, match="did not come back") as error:
        shards(_kill, [None])
    assert os.uname().nodename in error.value.value


# --- without a cluster ---------------------------------------------------------------------------------------


def test_keys_are_named_in_a_spool_and_never_written(tmp_path, monkeypatch):
    monkeypatch.setenv("CLINICORPUS_KEYS", str(tmp_path / "keys"))
    keys = purpose_keys(release_key("ward", root=tmp_path / "root")[0], "release")
    data = dump(("job", keys, NO_KEYS))
    assert not any(secret in data for secret in keys[2:])
    assert load(data) == ("job", keys, NO_KEYS)
    monkeypatch.setenv("CLINICORPUS_KEYS", str(tmp_path / "elsewhere"))
    with pytest.raises(UserError, match="cannot read the release key"):
        load(data)


def _never_end(job):
    while True:
        signal.pause()


def _run_apart(spool, fn, job, seconds=None, **header):
    """`run_job` in a process of its own, for it silences its process; how that ended."""
    spool.mkdir(exist_ok=True)
    job_file(spool, 0).write_bytes(dump((fn, job)))
    known = {"fingerprint": fingerprint(), "cwd": str(spool), "environment": {}}
    (spool / "header.json").write_text(json.dumps({**known, **header}))
    process = multiprocessing.get_context("fork").Process(target=run_job, args=(spool, 0, seconds))
    process.start()
    process.join()
    return process.exitcode


def test_a_shard_over_its_time_is_ended_by_the_kernel_and_leaves_no_result(tmp_path):
    assert _run_apart(tmp_path / "spool", _never_end, None, 0.2) == -signal.SIGALRM
    assert started_file(tmp_path / "spool", 0).exists()
    assert not result_file(tmp_path / "spool", 0).exists()


def test_a_node_with_other_code_refuses_and_says_so(tmp_path):
    assert _run_apart(tmp_path / "spool", _square, 3, fingerprint="another") == 0
    answer = load(result_file(tmp_path / "spool", 0).read_bytes())
    assert isinstance(answer, UserError)
    assert "another version" in answer.what


def test_a_result_that_stands_is_not_computed_again(tmp_path):
    (tmp_path / "spool").mkdir()
    result_file(tmp_path / "spool", 0).write_bytes(dump("first"))
    assert _run_apart(tmp_path / "spool", _square, 3) == 0
    assert not started_file(tmp_path / "spool", 0).exists()
    assert load(result_file(tmp_path / "spool", 0).read_bytes()) == "first"


class _Deaf:
    """A scheduler whose tasks never reach a node."""

    def start(self, spool, indexes):
        self.started = getattr(self, "started", 0) + 1

    def running(self):
        return False

    def cancel(self):
        self.cancelled = True

    close = cancel


def test_shards_that_never_come_back_end_the_build_with_the_likely_cause(tmp_path):
    scheduler = _Deaf()
    with (
        pytest.raises(UserError, match="did not come back") as error,
        cluster_engine(scheduler, 2, tmp_path / "engine") as engine,
    ):
        engine.run_shards(_square, [1, 2])
    assert scheduler.started == 3
    assert scheduler.cancelled
    assert error.value.cause.startswith("no node sees the workspace")
    assert (tmp_path / "engine").is_dir()


@pytest.fixture
def stand_ins(tmp_path, monkeypatch):
    """Slurm's commands as scripts that write down how they were called; squeue says and returns what it is told."""
    pytest.importorskip("datatrove", reason="datatrove is not installed (pip install -c constraints.txt -e '.[ray]')")
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("sbatch", "squeue", "scancel"):
        (folder / name).write_text(f'#!/bin/sh\necho "{name} $*" >> {tmp_path}/called\n. {tmp_path}/{name}.says\n')
        (folder / name).chmod(0o755)
        (tmp_path / f"{name}.says").write_text("")
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return tmp_path


def test_tasks_that_a_killed_build_left_in_the_queue_are_cancelled(stand_ins):
    from corpus.engine_slurm import SlurmScheduler

    (stand_ins / "engine").mkdir()
    (stand_ins / "engine" / "arrays").write_text("7 8")
    SlurmScheduler(Cluster(), 2, "clinicorpus-ward", stand_ins / "engine")
    assert (stand_ins / "called").read_text() == "scancel --name=clinicorpus-ward 7 8\n"


def test_a_controller_that_does_not_answer_has_not_said_that_the_queue_is_empty(stand_ins, monkeypatch):
    from corpus import engine_slurm

    monkeypatch.setattr(engine_slurm, "POLL_SECONDS", (0, 0))
    (stand_ins / "engine" / "spool").mkdir(parents=True)
    (stand_ins / "sbatch.says").write_text("echo Submitted batch job 41 on cluster north2")
    scheduler = engine_slurm.SlurmScheduler(Cluster(), 2, "ward", stand_ins / "engine")
    scheduler.start(stand_ins / "engine" / "spool", [0, 1])
    for says, queued in (("exit 1", True), ("echo 41", True), ("echo 40", False)):
        (stand_ins / "squeue.says").write_text(says)
        assert scheduler.running() is queued
    assert (stand_ins / "called").read_text().count("sbatch") == 1
    (stand_ins / "sbatch.says").write_text("exit 1")
    with pytest.raises(UserError, match="refused"):
        scheduler.start(stand_ins / "engine" / "spool", [0])


def test_a_missing_ray_or_slurm_is_told_with_the_next_command(place, tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "corpus.engine_slurm", raising=False)
    monkeypatch.setitem(sys.modules, "datatrove.executor.slurm", None)
    for engine in ("ray", "slurm"):
        done = run_command(
            tmp_path, "corpus", "build", place / "recipe.yaml", "--set", f"engine={engine}",
            CLINICORPUS_KEYS=str(place / "keys"),
        )  # fmt: skip
        assert done.returncode == 2
        assert f"engine: {engine} needs the package" in done.stderr
        assert "pip install" in done.stderr
