"""The arithmetic of benchmarks/replay.py; it trains nothing here."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from train import load_recipe

ROOT = Path(__file__).resolve().parents[2]
PIECES = st.lists(st.tuples(st.floats(1, 1e5), st.integers(1, 10_000)), min_size=1, max_size=12)


def _benchmark() -> ModuleType:
    spec = importlib.util.spec_from_file_location("replay_benchmark", ROOT / "benchmarks" / "replay.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


replay = _benchmark()


@given(st.integers(100, 10**6), st.floats(0.01, 0.9))
def test_every_arm_has_the_tokens_of_notes_and_replay_together(tokens: int, share: float) -> None:
    data = {"name": "a", "cpt": {"max_tokens": tokens, "replay": {"text": "x.parquet", "share": share}}}
    both = replay.of_arm(data, replay.BOTH)
    assert both == data
    for arm in (replay.NOTES, replay.REPLAY):
        cpt = load_recipe(replay.of_arm(data, arm)).cpt
        assert cpt.replay is None
        assert cpt.max_tokens == pytest.approx(tokens / (1 - share), abs=1)


@given(PIECES, st.floats(0.5, 2))
def test_change_and_its_interval_are_of_the_bits(before: list[tuple[float, int]], factor: float) -> None:
    after = [(bits * factor, size) for bits, size in before]
    assert replay.change(before, after) == pytest.approx(factor - 1)
    assert replay.interval(before, after, draws=40) == (pytest.approx(factor - 1), pytest.approx(factor - 1))
    assert replay.interval(before, after, after, draws=40) == (pytest.approx(0), pytest.approx(0))


def test_what_any_training_repairs_is_not_counted_as_taught() -> None:
    arms = {
        replay.UNTRAINED: {"heldout": [(100.0, 50), (300.0, 150)], "general": [(100.0, 80)]},
        replay.BOTH: {"heldout": [(80.0, 50), (240.0, 150)], "general": [(101.0, 80)]},
        replay.REPLAY: {"heldout": [(95.0, 50), (285.0, 150)], "general": [(96.0, 80)]},
        replay.NOTES: {"heldout": [(75.0, 50), (225.0, 150)], "general": [(104.0, 80)]},
    }
    found = replay.verdicts(arms)
    assert found["points_beyond_replay_only"] == pytest.approx(0.15)
    assert found["points_interval"] == [pytest.approx(0.15), pytest.approx(0.15)]
    assert found["points_without_replay"] == pytest.approx(0.20)
    assert found["general_rise"] == pytest.approx(0.01)
    assert found["general_rise_without_replay"] == pytest.approx(0.04)


def test_overrides_reach_nested_keys() -> None:
    path = ROOT / "recipes" / "train_mtsamples.yaml"
    data = replay.resolved(path, ["cpt.replay.share=0.5", "base=tiny"])
    assert data["cpt"]["replay"]["share"] == 0.5
    assert data["base"] == "tiny"
    assert data["cpt"]["max_length"] == yaml.safe_load(path.read_text())["cpt"]["max_length"]
