"""Imports between rooms go one way."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = {
    "deid": set(), "dedupe": set(), "synthetic": set(), "manifests": set(), "train": {"manifests"},
    "evals": {"manifests", "dedupe"}, "corpus": {"deid", "dedupe", "manifests", "synthetic"},
}  # fmt: skip


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_the_rooms_it_may(room):
    for path in (ROOT / room).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            modules = (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else []
            )
            found = {module.split(".")[0] for module in modules} & ({*ROOMS, "clinicorpus"} - {room})
            assert found <= ROOMS[room], f"{path.relative_to(ROOT)} imports {found - ROOMS[room]}"
