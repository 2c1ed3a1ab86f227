"""What was copied forward, on the report: the same rows whatever order the manifest has."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from manifests.rendering import redundancy

ROW = {"words": 1200, "copied": 0.5, "exempt": 0.02, "changed": None}


def _manifest(details: dict[str, Any]) -> Any:
    return SimpleNamespace(stages=[SimpleNamespace(name="dedupe.copy_forward", details=details)])


def test_tables_stand_in_one_order_and_a_missing_share_is_a_dash() -> None:
    counted = {"year": {"2020": ROW, "2019": ROW}, "note_type": {"progress": ROW}, "all": ROW}
    shown = redundancy(_manifest({"redundancy": counted}))
    assert [table.title for table in shown] == ["", "note type", "year"]
    assert [row[0] for row in shown[2].rows] == ["2019", "2020"]
    assert shown[0].rows == [["all notes", "1,200", "50%", "2%", "–"]]


def test_versions_that_did_not_count_show_nothing() -> None:
    assert redundancy(_manifest({})) == []
    assert redundancy(SimpleNamespace(stages=[])) == []  # type: ignore[arg-type]
