"""The end of a training run, as the user reads it."""

from __future__ import annotations

from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

WHAT = {"heldout": "held-out patients' notes", "general": "general text"}


def show(summary: dict[str, Any], console: Console | None = None) -> None:
    """Bits per byte before and after, one answer before and after, what it cost, and the next command."""
    console = console or Console(highlight=False)
    table = Table(box=box.SIMPLE, title=f"{summary['name']} · {summary['stage']}", title_justify="left")
    for column in ("bits per byte", "bytes", "base", "before", "after", "change"):
        table.add_column(column, justify="left" if column == "bits per byte" else "right")
    for what, label in WHAT.items():
        score = summary["bits_per_byte"][what]
        known = [f"{score[when]:.4f}" if score[when] is not None else "–" for when in ("base", "before", "after")]
        change = f"{score['after'] / score['before'] - 1:+.1%}" if score["before"] is not None else "–"
        table.add_row(label, f"{score['bytes']:,}", *known, change)
    console.print(table)
    if summary["answer"]:
        for part in ("prompt", "reference", "base", "before", "after"):
            if part in summary["answer"]:
                console.print(Text(f"{part}: ", style="bold") + Text(_cut(summary["answer"][part])))
        console.print()
    cost = (
        f"{summary['wall_seconds']:.0f} s wall, {summary['cpu_seconds']:.0f} s CPU, "
        f"{summary['peak_memory_bytes'] / 2**30:.1f} GiB peak, {summary['tokens_per_second']:,.0f} tokens/s in training"
    )
    console.print(("unchanged, not trained again; then: " if summary["up_to_date"] else "") + cost, markup=False)
    if stopped := summary["stopped"]:
        rise = stopped["loss"] / stopped["loss_before"] - 1
        console.print(
            f"ended early, after step {stopped['step']}: the loss on general text rose by {rise:.1%}", markup=False
        )
    console.print(f"model: {summary['model']} (started from {summary['start']})", markup=False)
    console.print(f"seen:  {summary['report']}", markup=False)
    console.print(f"next:  {summary['next']}", markup=False)


def _cut(text: str, width: int = 600) -> str:
    return text if len(text) <= width else text[: width // 2] + " […] " + text[-width // 2 :]
