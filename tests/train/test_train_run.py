"""Whole runs with the tiny model: what they leave behind, and what they leave when they are stopped."""

from __future__ import annotations

import errno
import io
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import manifests
import train
from clinicorpus_errors import UserError
from manifests.training import TrainingManifest
from train import base_model, cpt, measure, publish, stage

pytest.importorskip("torch", reason="needs the train extra")
pytestmark = pytest.mark.slow  # some forty runs of the tiny model, about a second each on a free core

WHOLE = [".lock", "README.md", "bom.cdx.json", "cpt", "report.html"]
"""What stands in models/t after `train cpt`."""


@pytest.fixture
def run(workspace: Path, recipe: dict[str, Any]) -> Callable[..., dict[str, Any]]:
    def call(name: str = "cpt", *, force: bool = False, **change: Any) -> dict[str, Any]:
        merged = recipe | {k: recipe[k] | v if isinstance(v, dict) else v for k, v in change.items()}
        function = {"cpt": train.run_cpt, "sft": train.run_sft}[name]
        return function(merged, workspace, change, force=force)

    return call


def _weights(folder: Path) -> str:
    return manifests.sha256_file(folder / "model.safetensors")


def test_same_seed_same_weights_and_another_seed_others(run: Callable[..., dict[str, Any]], workspace: Path) -> None:
    digests = []
    for change in ({}, {}, {"seed": 6}):
        for name in ("cpt", "sft"):
            run(name, force=True, **change)
            digests.append(_weights(workspace / "models/t" / name))
    assert digests[:2] == digests[2:4]
    assert len(set(digests)) == 4


def test_an_unchanged_run_is_not_trained_again(
    run: Callable[..., dict[str, Any]], workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = [run("cpt"), run("sft")]
    before = {p: p.stat().st_mtime_ns for p in (workspace / "models").rglob("*") if p.is_file() and p.name != ".lock"}

    def never(*_: Any) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr(stage, "_train", never)
    second = [run("cpt"), run("sft")]
    assert [s["up_to_date"] for s in first + second] == [False, False, True, True]
    assert [s | {"up_to_date": False} for s in second] == first
    assert before == {
        p: p.stat().st_mtime_ns for p in (workspace / "models").rglob("*") if p.is_file() and p.name != ".lock"
    }


def test_another_recipe_or_corpus_or_a_changed_file_is_trained_anew(
    run: Callable[..., dict[str, Any]], workspace: Path, seal: Callable[..., Path]
) -> None:
    run()
    old = _weights(workspace / "models/t/cpt")
    assert not run(cpt={"learning_rate": 2e-3})["up_to_date"]
    assert _weights(workspace / "models/t/cpt") != old
    assert not run()["up_to_date"]
    assert _weights(workspace / "models/t/cpt") == old
    seal(workspace, version="0.1.1", seed=2)
    assert not run()["up_to_date"]
    assert _weights(workspace / "models/t/cpt") != old
    (workspace / "models/t/cpt/config.json").write_text("{}")
    assert not run()["up_to_date"]
    assert run()["up_to_date"]


def test_tuning_starts_from_cpt_of_the_same_recipe_else_from_the_base(
    run: Callable[..., dict[str, Any]], workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("sft")["start"] == "base tiny-5"
    run("cpt")
    after = run("sft")
    assert after["start"] == "models/t/cpt"
    assert not after["up_to_date"]
    done = stage.finished(workspace / "models/t/sft")
    assert done
    assert done.parent
    assert done.parent.training_sha256 == manifests.sha256_file(workspace / "models/t/cpt/training.json")
    capsys.readouterr()
    assert run("sft", cpt={"learning_rate": 2e-3})["start"] == "base tiny-5"
    assert "made from another recipe or corpus" in " ".join(capsys.readouterr().err.split())
    (workspace / "models/t/cpt/model.safetensors").unlink()
    assert run("sft")["start"] == "base tiny-5"


def test_the_training_manifest_says_what_the_model_was_made_of(
    run: Callable[..., dict[str, Any]], workspace: Path
) -> None:
    run("cpt", cpt={"max_tokens": 1500})
    path = workspace / "models/t/cpt/training.json"
    done = TrainingManifest.model_validate_json(path.read_bytes())
    assert manifests.canonical(done.dump()) == path.read_bytes()
    corpus = workspace / "manifests/versions/demo/0.1.0/manifest.json"
    assert done.corpus.model_dump() == {
        "name": "demo", "version": "0.1.0", "manifest_sha256": manifests.sha256_file(corpus)
    }  # fmt: skip
    assert done.base.files == base_model.digests(workspace / "models/base/tiny-5")
    assert done.recipe.given == {"cpt": {"max_tokens": 1500}}
    assert done.recipe.resolved["cpt"]["max_tokens"] == 1500
    assert done.recipe.resolved["sft"]["neftune_noise_alpha"] == 5.0
    assert done.data["packing"]["tokens"] == done.data["tokens_in"] == done.run.tokens_seen <= 1500
    assert {what: score.documents > 0 for what, score in done.bits_per_byte.items()} == {
        "heldout": True, "general": True
    }  # fmt: skip
    assert {file.path for file in done.files} == {p.name for p in path.parent.iterdir()} - {"training.json"}
    assert done.bits_per_byte["heldout"].after < done.bits_per_byte["heldout"].before


def test_a_prompt_and_paths_of_the_recipe_stay_out_of_the_manifest(
    run: Callable[..., dict[str, Any]], workspace: Path
) -> None:
    where = str(workspace / "general.txt")
    run("cpt", evaluate={"prompt": "What ails Mrs Applewhite?", "general_text": where})
    text = (workspace / "models/t/cpt/training.json").read_text()
    assert "Applewhite" not in text
    assert str(workspace) not in text


def test_no_text_of_a_note_leaves_work(
    run: Callable[..., dict[str, Any]], workspace: Path, canary: str, capfd: pytest.CaptureFixture[str]
) -> None:
    summaries = [run("cpt"), run("sft")]
    assert canary in summaries[0]["answer"]["prompt"]
    out = capfd.readouterr()
    assert canary not in out.out + out.err
    left = [p for p in workspace.rglob("*") if p.is_file() and p.suffix != ".parquet"]
    for path in left:
        if (workspace / "work") not in path.parents:
            assert canary.encode() not in path.read_bytes(), path.name
    assert [p for p in (workspace / "work" / "cache").rglob("*") if p.is_file()] == []
    assert (workspace / "work").stat().st_mode & 0o077 == 0


def test_a_run_needs_no_network(
    run: Callable[..., dict[str, Any]], workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []

    def refuse(*target: Any, **_: Any) -> None:
        tried.append(target)  # telemetry swallows the error in a thread of its own
        raise OSError("no network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    run("cpt")
    run("sft")
    train.generate(workspace / "models/t/sft", "Hello?", root=workspace, max_new_tokens=2)
    assert tried == []


def test_an_unverified_corpus_is_refused_before_anything_is_written(
    run: Callable[..., dict[str, Any]], workspace: Path
) -> None:
    (workspace / "corpora/demo/0.1.0/instruct/test-00000-of-00001.parquet").unlink()
    with pytest.raises(UserError, match="does not match its manifest"):
        run()
    assert not (workspace / "models").exists()


KILLED = """
import os, signal, sys, json
from pathlib import Path
import train
from train import base_model
save = base_model.save
def save_and_die(model, tokenizer, out, *rest):
    save(model, tokenizer, out, *rest)
    if "cpt" in out.name:
        os.kill(os.getpid(), signal.SIGKILL)
base_model.save = save_and_die
train.run_cpt(json.loads(sys.argv[1]), Path(sys.argv[2]), {})
"""


def test_a_kill_before_the_rename_leaves_nothing_that_looks_finished(
    run: Callable[..., dict[str, Any]], workspace: Path, recipe: dict[str, Any]
) -> None:
    command = [sys.executable, "-c", KILLED, json.dumps(recipe), str(workspace)]
    killed = subprocess.run(command, check=False, capture_output=True)
    assert killed.returncode == -signal.SIGKILL
    assert not (workspace / "models/t/cpt").exists()
    assert any((workspace / "models/t").glob(".cpt.*"))
    run()
    assert sorted(p.name for p in (workspace / "models/t").iterdir()) == WHOLE


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_run_stopped_outside_of_training_ends_cleanly_and_keeps_the_model_that_stood_there(
    run: Callable[..., dict[str, Any]], workspace: Path, monkeypatch: pytest.MonkeyPatch, signum: int, code: int
) -> None:
    run()
    old = _weights(workspace / "models/t/cpt")
    monkeypatch.setattr(measure, "bits_per_byte", lambda *_, **__: signal.raise_signal(signum))
    # A shell starts what it puts into the background with SIGINT ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(UserError, match="no model was written") as caught:
            run(force=True)
    finally:
        signal.signal(signal.SIGINT, before)
    assert caught.value.exit_code == code
    assert _weights(workspace / "models/t/cpt") == old
    assert sorted(p.name for p in (workspace / "models/t").iterdir()) == WHOLE


@pytest.mark.parametrize(
    "error",
    [OSError(errno.ENOSPC, "No space left on device"), RuntimeError("I/O error: No space left (os error 28)")],
    ids=["system", "safetensors"],
)
def test_a_full_disk_is_told_and_the_old_model_stays(
    run: Callable[..., dict[str, Any]], workspace: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    run()
    old = _weights(workspace / "models/t/cpt")

    def full(*_: Any) -> None:
        raise error

    monkeypatch.setattr(base_model, "save", full)
    with pytest.raises(UserError, match="disk is full"):
        run(force=True)
    assert _weights(workspace / "models/t/cpt") == old


def test_too_little_room_is_told_before_training(
    run: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type("usage", (), {"free": 10_000})
    monkeypatch.setattr(publish.shutil, "disk_usage", lambda _: usage)
    monkeypatch.setattr(cpt, "train_cpt", lambda *_: pytest.fail("trained"))
    with pytest.raises(UserError, match="too full"):
        run()


def test_exhausted_memory_is_told(run: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    def no_memory(*_: Any) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes")

    monkeypatch.setattr(cpt, "train_cpt", no_memory)
    with pytest.raises(UserError, match="not enough memory"):
        run()


def test_two_runs_of_one_model_do_not_meet(run: Callable[..., dict[str, Any]], workspace: Path) -> None:
    with publish.lock(workspace / "models/t"), pytest.raises(UserError, match="another run"):
        run()
    run()


def test_a_kill_between_the_two_renames_loses_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "m"
    folder.mkdir()
    (folder / "old").touch()
    folder.rename(tmp_path / ".m.old")
    with pytest.raises(ZeroDivisionError), publish.appearing(folder):
        1 / ((folder / "old").exists() - 1)  # it is back
    assert os.listdir(tmp_path) == ["m"]
    with publish.appearing(folder) as staging:
        (staging / "new").touch()
        assert (folder / "old").exists()
        made = staging.stat().st_ino
    assert folder.stat().st_ino == made  # renamed, not copied
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == ["new"]


def test_rows_longer_than_the_models_context_are_refused(run: Callable[..., dict[str, Any]]) -> None:
    with pytest.raises(UserError, match="longer than the model's context"):
        run(cpt={"max_length": 4096})


def test_a_base_folder_without_a_chat_template_trains_but_is_not_tuned(
    run: Callable[..., dict[str, Any]], workspace: Path
) -> None:
    run()
    folder = workspace / "mine"
    (workspace / "models/base/tiny-5").rename(folder)
    (folder / "chat_template.jinja").unlink()
    assert run("cpt", base="mine")["start"] == "base mine"
    with pytest.raises(UserError, match="no chat template"):
        run("sft", base="mine")
    (workspace / "chat.jinja").write_text(train.stage.chat.CHATML)
    assert run("sft", base="mine", sft={"chat_template": "chat.jinja"})["start"] == "models/t/cpt"
    assert (workspace / "models/t/sft/chat_template.jinja").exists()


def test_the_summary_shows_figures_answers_and_the_next_command(
    run: Callable[..., dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    run("cpt")
    summary = run("sft")
    assert json.loads(json.dumps(summary)) == summary
    assert set(summary["answer"]) == {"prompt", "reference", "base", "before", "after"}
    train.show(summary)
    out = " ".join(capsys.readouterr().out.split())
    for part in (
        "held-out patients' notes",
        "general text",
        "GiB peak",
        "next: clinicorpus train generate models/t/sft",
    ):
        assert part in out
    assert f"{summary['bits_per_byte']['heldout']['after']:.4f}" in out


def test_no_instruction_that_fits_is_told(
    run: Callable[..., dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    summary = run("cpt", evaluate={"window": 16})
    assert summary["answer"] is None
    assert "no held-out instruction fits" in capsys.readouterr().err
    train.show(summary)


def test_a_model_can_be_talked_to(
    run: Callable[..., dict[str, Any]],
    workspace: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run("sft")
    folder = workspace / "models/t/sft"
    answer = train.generate(folder, "Where?", root=workspace, max_new_tokens=5)
    assert isinstance(answer, str)
    assert answer == train.generate(folder, "Where?", root=workspace, max_new_tokens=5)
    monkeypatch.setattr("sys.stdin", io.StringIO("Where?\nWhy?\n\nnot read\n"))
    capsys.readouterr()
    assert train.generate(folder, root=workspace, max_new_tokens=5) is None
    assert capsys.readouterr().out.startswith(answer + "\n")
    with pytest.raises(UserError, match="fills the model's context"):
        train.generate(folder, "long " * 3000, root=workspace)
    with pytest.raises(UserError, match="no such base model"):
        train.generate(workspace / "models/none", "x", root=workspace)
