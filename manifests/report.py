"""report.html of a version: one file, no network, numbers only, with the funnel as a picture."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from manifests.corpus_manifest import CorpusManifest, Stage, suppress
from manifests.rendering import detected, engine, svg

KEPT, LOST, MADE = "#1f6f78", "#c8553d", "#d9a441"


def funnel(stages: list[Stage]) -> str:
    """Bars of what each stage gave on, dropped and created, as SVG text."""
    import altair as alt

    rows: list[dict[str, Any]] = []
    for position, stage in enumerate(stages):
        made, lost = sum(stage.created.values()), sum(stage.dropped.values())
        for order, (part, count) in enumerate(
            [("passed on", stage.records_out - made), ("created", made), ("dropped", lost)]
        ):
            if count:
                rows.append({"stage": stage.name, "position": position, "part": part, "order": order, "records": count})
    total = max(row["records"] for row in rows)
    base = alt.Chart(alt.Data(values=rows)).encode(
        y=alt.Y("stage:N", sort=[s.name for s in stages], title=None, axis=alt.Axis(ticks=False, domain=False)),
        x=alt.X("records:Q", title="records", stack="zero", axis=alt.Axis(grid=True, tickCount=5, format=",d")),
        order="order:Q",
    )
    bars = base.mark_bar(height=20, cornerRadius=2).encode(
        color=alt.Color(
            "part:N", title=None, scale=alt.Scale(domain=["passed on", "created", "dropped"], range=[KEPT, MADE, LOST]),
            legend=alt.Legend(orient="top"),
        )
    )  # fmt: skip
    labels = base.mark_text(align="right", dx=-6, color="white", fontSize=11).encode(
        text=alt.Text("records:Q", format=",d"), detail="part:N",
        opacity=alt.condition(f"datum.records > {total * 0.06}", alt.value(1), alt.value(0)),
    )  # fmt: skip
    chart = (
        alt.layer(bars, labels)
        .properties(width=720, height=alt.Step(30))
        .configure_view(stroke=None)
        .configure_axis(labelFontSize=12, titleFontSize=12, gridColor="#e6eaee", labelColor="#1d2733")
        .configure(font="Helvetica, Arial, sans-serif")
    )
    return svg(chart)


def render_report(manifest: CorpusManifest) -> str:
    """The whole page. Counts that could point to few people are suppressed; counts of the process are exact."""
    rows: dict[str, int] = defaultdict(int)
    for file in manifest.files:
        rows[file.product] += file.rows or 0
    actions: dict[str, dict[str, int]] = {}
    for stage in manifest.stages:
        for key, count in stage.details.get("actions", {}).items():
            identifier, action = key.split(":")
            actions.setdefault(identifier, {})[action] = count

    def share(name: str) -> str:
        shares = manifest.split.shares
        return f"{shares[name] if name in shares else 1 - sum(shares.values()):.0%}"

    return (
        engine(html=True)
        .get_template("report.html.j2")
        .render(
            m=manifest, first=manifest.stages[0], rows=rows, tokens=sum(f.tokens or 0 for f in manifest.files),
            funnel=funnel(manifest.stages), actions=actions, show=suppress, share=share, **detected(manifest),
        )
    )  # fmt: skip
