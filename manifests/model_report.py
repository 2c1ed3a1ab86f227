"""report.html of a model: one file, no network, numbers only, with the loss curves as pictures."""

from __future__ import annotations

from typing import Any

from manifests.model_card import context
from manifests.rendering import engine, svg
from manifests.training import Run, Trained

TRAINED, CLINICAL, GENERAL = "#1f6f78", "#d9a441", "#c8553d"
POINTS = 400
"""Points of a curve at most; of more steps, means of neighbours are drawn."""


def curves(run: Run) -> str:
    """Loss by step: training, and both held-out texts where they were evaluated, as SVG text."""
    import altair as alt

    rows: list[dict[str, Any]] = []
    together = max(1, -(-len(run.losses) // POINTS))
    for first in range(0, len(run.losses), together):
        several = run.losses[first : first + together]
        loss = sum(step.loss for step in several) / len(several)
        rows.append({"step": several[-1].step, "loss": loss, "what": "training"})
    names = {"eval_clinical_loss": "validation patients", "eval_general_loss": "general text"}
    held = [
        {"step": line["step"], "loss": line[key], "what": name}
        for line in run.evaluations
        for key, name in names.items()
        if key in line
    ]
    shown = {"training": TRAINED} | (dict(zip(names.values(), (CLINICAL, GENERAL), strict=True)) if held else {})
    base = alt.Chart(alt.Data(values=rows + held)).encode(
        x=alt.X("step:Q", title="optimizer step", axis=alt.Axis(tickMinStep=1, format=",d", grid=False)),
        y=alt.Y("loss:Q", title="loss, nats a token", scale=alt.Scale(zero=False)),
        color=alt.Color(
            "what:N", title=None, scale=alt.Scale(domain=list(shown), range=list(shown.values())),
            legend=alt.Legend(orient="top", symbolType="stroke", symbolStrokeWidth=3),
        ),
    )  # fmt: skip
    layers = [base.transform_filter("datum.what == 'training'").mark_line(strokeWidth=1.6)]
    if held:
        layers.append(base.transform_filter("datum.what != 'training'").mark_line(strokeWidth=2, point=True))
    if run.stopped:
        at = alt.Chart(alt.Data(values=[{"step": run.stopped.step}])).encode(x="step:Q")
        layers.append(at.mark_rule(color="#8b1a1a", strokeDash=[4, 3]))
    return svg(
        alt.layer(*layers)
        .properties(width=860, height=280)
        .configure_view(stroke=None)
        .configure_axis(labelFontSize=12, titleFontSize=12, gridColor="#e6eaee", labelColor="#1d2733")
        .configure_legend(labelFontSize=12)
        .configure(font="Helvetica, Arial, sans-serif")
    )


def render_model_report(stages: list[Trained]) -> str:
    """The whole page, the same for the same manifests."""
    drawn = [curves(one.manifest.run) for one in stages]
    return engine(html=True).get_template("model_report.html.j2").render(**context(stages), drawn=drawn)
