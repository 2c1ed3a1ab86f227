"""Interrupted and resumed equals uninterrupted, bit for bit; and what does not count is not gone on from."""

from __future__ import annotations

import builtins
import io
import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from clinicorpus_errors import UserError
from train import adapters, base_model, checkpoints, cpt, hardware, load_recipe, offline, publish, session, sft
from train.bound_corpus import bind
from train.checkpoints import Checkpoint

torch = pytest.importorskip("torch", reason="needs the train extra")


class Killed(BaseException):
    """What no `except Exception` sees."""


@pytest.fixture
def base(shared_workspace: Path, recipe: dict[str, Any]) -> Path:
    """The tiny model, with dropout."""
    offline.pin(shared_workspace)
    offline.quiet()
    folder = base_model.resolve(load_recipe(recipe), shared_workspace).folder
    mine = shared_workspace / "with-dropout"
    if not mine.exists():
        shutil.copytree(folder, mine)
        config = json.loads((mine / "config.json").read_bytes())
        (mine / "config.json").write_text(json.dumps(config | {"attention_dropout": 0.1}))
    return mine


@pytest.fixture
def train(base: Path, shared_workspace: Path, recipe: dict[str, Any]) -> Callable[..., Any]:
    """Train one stage in folder `out`; `at_forward` is called with the number of each training forward pass."""
    corpus = bind("demo", shared_workspace)

    def call(
        out: Path, stage: str = "cpt", *, at_forward: Callable[[int], None] | None = None,
        change: dict[str, Any] | None = None, **saving: Any,
    ) -> dict[str, Any]:  # fmt: skip
        passes: list[int] = []

        def see(module: Any, *_: Any) -> None:
            if module.training:
                passes.append(1)
                if at_forward:
                    at_forward(len(passes))

        part = (
            {"epochs": 2, "gradient_accumulation": 3, "max_length": 64, "max_tokens": 700}
            if stage == "cpt"
            else {"epochs": 3}
        )
        merged = recipe | {stage: recipe[stage] | part | (change or {})}
        checked = load_recipe(merged | {"checkpoints": {"every_minutes": None, "keep": 2} | saving})
        adapter = getattr(checked, stage).adapter
        model = adapters.wrap(base_model.load_model(base), adapter, out, checked.seed)
        model.register_forward_pre_hook(see)
        run = {"cpt": cpt.train_cpt, "sft": sft.train_sft}[stage]
        _, record = run(model, base_model.load_tokenizer(base), corpus, checked, hardware.detect(), out)
        if adapter.kind != "full":
            adapters.save(model, out / "adapter", out, "base")
        return record

    return call


@pytest.fixture
def stop_after(train: Callable[..., Any]) -> Callable[..., None]:
    """Train until SIGTERM comes in the given forward pass."""

    def call(out: Path, *args: Any, forward: int = 1, **how: Any) -> None:
        def tell(number: int) -> None:
            if number == forward:
                os.kill(os.getpid(), signal.SIGTERM)

        with pytest.raises(UserError, match="nothing is lost") as caught:
            train(out, *args, at_forward=tell, **how)
        assert caught.value.exit_code == 75

    return call


def _bits(out: Path) -> dict[str, Any]:
    """All that training leaves: weights, optimizer, schedule, random states as bytes; losses and tokens as figures."""
    found = checkpoints.newest(out)
    assert found
    files = {name: c.sha256 for name, c in found.record.files.items() if name.endswith((".safetensors", ".pt", ".pth"))}
    state = json.loads((found.folder / "trainer_state.json").read_bytes())
    keys = ("epoch", "loss", "grad_norm", "learning_rate", "step")
    losses = [{key: line[key] for key in keys} for line in state["log_history"] if "loss" in line]
    return {
        "files": files, "losses": losses, "tokens": state["num_input_tokens_seen"], "flos": state["total_flos"],
        "step": found.record.step, "finished": found.record.finished,
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["cpt", "sft"])
def test_stopped_after_every_step_and_resumed_equals_uninterrupted(
    train: Callable[..., Any], stop_after: Callable[..., None], tmp_path: Path, stage: str
) -> None:
    whole = train(tmp_path / "whole", stage)
    steps = whole["steps"]
    assert steps >= 4
    assert len(whole["sessions"]) == 1
    for step in range(1, steps):
        stop_after(tmp_path / "parts", stage)
        found = checkpoints.newest(tmp_path / "parts")
        assert found
        assert (found.record.step, found.record.finished) == (step, False)
    parts = train(tmp_path / "parts", stage)
    assert _bits(tmp_path / "parts") == _bits(tmp_path / "whole")
    for timed in ("tokens_per_second", "sessions", "checkpoints"):
        whole.pop(timed), parts.pop(timed)
    assert parts == whole


ADAPTERS: dict[str, dict[str, Any]] = {
    "lora": {"r": 4, "dropout": 0.1},
    "rslora": {"r": 4, "dropout": 0.1},
    "dora": {"r": 4, "dropout": 0.1},
    "pissa": {"r": 4, "dropout": 0.1},
    "lora+": {"kind": "lora", "r": 4, "dropout": 0.1, "lora_plus_ratio": 16},
    "lora, head whole": {"kind": "lora", "r": 4, "save_whole": ["lm_head"]},
    "osf": {},
    "prompt_tuning": {"virtual_tokens": 5},
    "prefix_tuning": {"virtual_tokens": 5},
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ADAPTERS)
def test_every_adapter_resumed_equals_uninterrupted(
    train: Callable[..., Any], stop_after: Callable[..., None], tmp_path: Path, kind: str
) -> None:
    change = {"max_steps": 3, "adapter": {"kind": kind} | ADAPTERS[kind], "learning_rate": 1e-2}
    whole = train(tmp_path / "whole", "sft", change=change)
    stop_after(tmp_path / "parts", "sft", forward=5, change=change)  # the first of the second step
    parts = train(tmp_path / "parts", "sft", change=change)
    assert parts["losses"] == whole["losses"]
    assert _bits(tmp_path / "parts") == _bits(tmp_path / "whole")
    names = sorted(p.name for p in (tmp_path / "whole/adapter").iterdir())
    assert "adapter_model.safetensors" in names
    for name in names:
        assert (tmp_path / "parts/adapter" / name).read_bytes() == (tmp_path / "whole/adapter" / name).read_bytes()


def test_when_it_is_saved_changes_nothing(train: Callable[..., Any], tmp_path: Path) -> None:
    train(tmp_path / "once")
    record = train(tmp_path / "often", every_steps=1)
    assert [saved["step"] for saved in record["checkpoints"]] == list(range(1, record["steps"] + 1))
    assert _bits(tmp_path / "often") == _bits(tmp_path / "once")


@pytest.mark.parametrize("stage", ["cpt", "sft"])
def test_evaluating_while_training_changes_nothing(
    train: Callable[..., Any], recipe: dict[str, Any], tmp_path: Path, stage: str
) -> None:
    short = {"max_steps": 4}
    train(tmp_path / "never", stage, change=short)
    recipe["evaluate"] |= {"every": 1, "general_text": "embedded"}
    record = train(tmp_path / "often", stage, change=short)
    assert [line["step"] for line in record["evaluations"]] == [n for n in range(5) for _ in ("clinical", "general")]
    assert _bits(tmp_path / "often") == _bits(tmp_path / "never")


@contextmanager
def _failing(at: int, error: BaseException, *, torn: bool = False) -> Iterator[list[str]]:
    """Raise `error` at the given write of this process, before it or with half of it on the disk."""
    import transformers.modeling_utils as modeling

    done: list[str] = []

    def guard(patch: pytest.MonkeyPatch, where: Any, name: str, path_at: int | None) -> None:
        real = getattr(where, name)

        def guarded(*args: Any, **kwargs: Any) -> Any:
            if name == "open" and not set("wax") & set(str(args[1] if len(args) > 1 else kwargs.get("mode", "r"))):
                return real(*args, **kwargs)
            done.append(name)
            if len(done) != at:
                return real(*args, **kwargs)
            if torn and path_at is not None:
                file = real(*args, **kwargs)
                os.truncate(args[path_at], os.path.getsize(args[path_at]) // 2)
                if file is not None:
                    file.close()
            raise error

        patch.setattr(where, name, guarded)

    with pytest.MonkeyPatch.context() as patch:
        guard(patch, builtins, "open", 0), guard(patch, io, "open", 0)
        guard(patch, torch, "save", 1), guard(patch, modeling, "safe_save_file", 1)
        guard(patch, os, "fsync", None), guard(patch, Path, "replace", None)
        yield done


@pytest.mark.slow
@pytest.mark.parametrize("torn", [False, True], ids=["before", "torn"])
def test_killed_at_any_write_of_a_save_it_goes_on_from_the_one_before(
    train: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, torn: bool
) -> None:
    from transformers import TrainerCallback

    short = {"max_steps": 3}
    train(tmp_path / "whole", change=short)
    out, real, writes = tmp_path / "killed", session._train, []

    def with_kills(trainer: Any, start: Checkpoint | None) -> None:
        (keeper,) = (c for c in trainer.callback_handler.callbacks if type(c).__name__ == "Keeper")

        class Kills(TrainerCallback):
            def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
                if state.global_step != 2:
                    return
                for at in range(1, 1000):
                    try:
                        with _failing(at, Killed(), torn=torn) as done:
                            trainer._save_checkpoint(trainer.model, None)
                            keeper.on_save(args, state, control)
                    except Killed:
                        found = checkpoints.newest(out)
                        assert found
                        if found.record.step == 2:  # only its name was not on the disk yet
                            assert done[-2:] == ["replace", "fsync"]
                            shutil.rmtree(found.folder)
                            found = checkpoints.newest(out)
                        keeper.last = found
                        assert found
                        assert found.record.step == 1
                    else:
                        writes.extend(done)
                        shutil.rmtree(out / "checkpoint-2")
                        keeper.last = checkpoints.newest(out)
                        return

        trainer.add_callback(Kills())
        real(trainer, start)

    monkeypatch.setattr(session, "_train", with_kills)
    # At 2 the oldest would go: 1 must outlive all of these.
    train(out, every_steps=1, keep=2, change=short)
    assert {"open", "save", "safe_save_file", "fsync", "replace"} == set(writes)
    assert len(writes) > 20
    assert _bits(out) == _bits(tmp_path / "whole")


def _cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.fixture(scope="module")
def two_checkpoints() -> dict[str, Path]:
    return {}


@pytest.mark.parametrize("damage", [_cut, _flip, Path.unlink, Path.touch], ids=["cut", "flip", "lost", "touched"])
def test_a_checkpoint_with_any_file_damaged_is_set_aside_and_named(
    train: Callable[..., Any],
    tmp_path_factory: pytest.TempPathFactory,
    two_checkpoints: dict[str, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    damage: Callable[[Path], None],
) -> None:
    if not two_checkpoints:
        two_checkpoints["run"] = tmp_path_factory.mktemp("two")
        train(two_checkpoints["run"], every_steps=1, change={"max_steps": 2})
    names = sorted(p.name for p in (two_checkpoints["run"] / "checkpoint-2").iterdir())
    assert {"COMPLETE", "model.safetensors", "optimizer.pt", "rng_state.pth", "trainer_state.json"} <= set(names)
    for name in names:
        run = Path(shutil.copytree(two_checkpoints["run"], tmp_path / name))
        damage(run / "checkpoint-2" / name)
        capsys.readouterr()
        found = checkpoints.newest(run)
        assert found
        said = " ".join(capsys.readouterr().err.split())
        if damage is Path.touch:
            assert (found.record.step, said) == (2, "")
        else:
            assert found.record.step == 1
            assert "set aside as broken-checkpoint-2" in said
            assert sorted(p.name for p in run.iterdir() if "-2" in p.name) == ["broken-checkpoint-2"]


def test_a_file_that_does_not_belong_or_an_edited_record_breaks_a_checkpoint(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint-1"
    folder.mkdir()
    (folder / "weights").write_text("w")
    assert checkpoints.read(folder) == "the save was cut short"
    sealed = checkpoints.seal(folder, step=1, planned=2, finished=False, earlier=[], sessions=[])
    assert checkpoints.read(folder) == sealed
    (folder / "more").touch()
    assert checkpoints.read(folder) == "more does not belong to it"
    (folder / "more").unlink()
    (folder / "COMPLETE").write_text('{"step": 1}')
    assert checkpoints.read(folder) == "its record cannot be read"


def test_only_so_many_are_kept_and_the_newest_always(train: Callable[..., Any], tmp_path: Path) -> None:
    record = train(tmp_path, every_steps=1, keep=2)
    last = record["steps"]
    assert sorted(p.name for p in tmp_path.glob("*checkpoint*")) == [f"checkpoint-{last - 1}", f"checkpoint-{last}"]
    assert [saved["step"] for saved in record["checkpoints"]] == list(range(1, last + 1))


def test_minutes_between_saves_are_kept(
    train: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    clock = iter(range(0, 100_000, 40))  # it is looked at when training begins, at each step, and after each save
    monkeypatch.setattr(checkpoints, "time", type("time", (), {"monotonic": lambda: next(clock)}))
    record = train(tmp_path, every_minutes=2, change={"max_steps": 7})
    assert [saved["step"] for saved in record["checkpoints"]] == [3, 6, 7]


def test_a_run_trained_to_its_end_is_only_loaded(
    train: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from transformers import Trainer

    change = {"max_steps": 3}  # inside an epoch: transformers would train a fourth
    first, bits = train(tmp_path, change=change), _bits(tmp_path)
    monkeypatch.setattr(Trainer, "train", lambda *_, **__: pytest.fail("trained again"))
    assert train(tmp_path, change=change) == first
    assert _bits(tmp_path) == bits


def test_ctrl_c_once_more_stops_at_once(train: Callable[..., Any], tmp_path: Path) -> None:
    def twice(number: int) -> None:
        if number == 2:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, at_forward=twice)
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before
    assert checkpoints.newest(tmp_path) is None


@pytest.mark.parametrize("stage", ["cpt", "sft"])
def test_a_loss_that_is_no_number_names_the_records_and_keeps_the_checkpoint(
    train: Callable[..., Any],
    shared_workspace: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    canary: str,
    stage: str,
) -> None:
    from trl import SFTTrainer

    real, seen = SFTTrainer.training_step, []

    def poisoned(self: Any, model: Any, inputs: Any, *args: Any) -> Any:
        seen.append(inputs["input_ids"])
        return real(self, model, inputs, *args) * (float("nan") if len(seen) == 4 else 1)

    monkeypatch.setattr(SFTTrainer, "training_step", poisoned)
    with pytest.raises(UserError, match="the training loss is no number any more") as caught:
        train(tmp_path, stage, every_steps=1, change={"gradient_accumulation": 2})
    found = checkpoints.newest(tmp_path)
    assert found
    assert found.record.step == 1
    assert "the checkpoint of step 1 is kept" in str(caught.value.cause)
    assert "--override" in str(caught.value.next)
    told = str(caught.value.value)
    assert told.startswith(f"step 2 of {stage}, records ")
    named = set(told.split("records ")[1].split(", "))
    product, column = ("pretrain", "text") if stage == "cpt" else ("instruct", "prompt")
    frame = bind("demo", shared_workspace).read(product, "train", ["record", column])
    texts = dict(frame.select("record", column).iter_rows())
    tokenizer = base_model.load_tokenizer(shared_workspace / "with-dropout")
    trained_on = "".join(tokenizer.decode(row.flatten()) for row in seen[2:4])
    assert named <= texts.keys()
    assert 1 <= len(named) <= 10
    if stage == "sft":
        assert len(named) == 2
        assert all(texts[record] in trained_on for record in named)
    assert canary not in str(caught.value) + str(caught.value.cause) + str(caught.value.next)


def test_a_gradient_that_is_no_number_stops_too(
    train: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from trl import SFTTrainer

    monkeypatch.setattr(SFTTrainer, "_get_grad_norm", lambda *_, **__: float("inf"))
    with pytest.raises(UserError, match="the gradient is no number any more") as caught:
        train(tmp_path)
    assert "no step was saved before" in str(caught.value.cause)


@pytest.mark.parametrize("name", ["optimizer.pt", "rng_state.pth", "tokenizer.json", "trainer_state.json"])
def test_a_full_disk_in_a_save_leaves_the_checkpoint_before(
    train: Callable[..., Any], tmp_path: Path, name: str
) -> None:
    def fill(number: int) -> None:
        if number == 4:
            (tmp_path / "checkpoint-2").mkdir()
            (tmp_path / "checkpoint-2" / name).symlink_to("/dev/full")

    with pytest.raises(UserError, match="the disk is full"), publish.clean_exit():
        train(tmp_path, every_steps=1, at_forward=fill, change={"max_steps": 2, "gradient_accumulation": 2})
    found = checkpoints.newest(tmp_path)
    assert found
    assert found.record.step == 1


def test_no_room_for_checkpoints_is_told_before_the_first_step(
    train: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(publish.shutil, "disk_usage", lambda _: type("usage", (), {"free": 10_000}))
    with pytest.raises(UserError, match="too full for its checkpoints"):
        train(tmp_path, at_forward=lambda _: pytest.fail("trained"))
