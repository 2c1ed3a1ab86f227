"""What training on notes gains on notes and costs on other text, with replay and without, beside replay alone.

    python benchmarks/replay.py recipes/train_mtsamples.yaml [--root WORKSPACE] [--bf16] [--set cpt.max_tokens=16000]

Three arms from one recipe that has `cpt.replay`: notes with replay, as the recipe says; notes only; replay only. The same
base, tokens, seed, schedule and rows, each in a process of its own, by `train.cpt.train_cpt` and `train.measure`. Replay
only is there because a base that was quantised gains by any training: what it gains is not what notes taught. An arm that
is done is not done again. Writes replay.md, replay.json and replay.svg into benchmarks/results/: figures, no text.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

UNTRAINED, NOTES, BOTH, REPLAY = "untrained", "notes only", "notes and replay", "replay only"
Pieces = list[tuple[float, int]]
"""Bits and UTF-8 bytes of each document scored."""


def resolved(recipe: Path, given: list[str]) -> dict[str, Any]:
    """The recipe as a dict with `key=value` overrides; values are YAML."""
    import yaml

    data: dict[str, Any] = yaml.safe_load(recipe.read_text())
    for each in given:
        keys, _, value = each.partition("=")
        *path, last = keys.split(".")
        part = data
        for key in path:
            part = part.setdefault(key, {})
        part[last] = yaml.safe_load(value)
    return data


def of_arm(recipe: dict[str, Any], arm: str) -> dict[str, Any]:
    """The recipe of an arm: as many tokens as notes and replay have together. The untrained one has no training."""
    if arm == UNTRAINED:
        return recipe | {"cpt": {}}
    cpt = dict(recipe["cpt"])
    total = round(cpt["max_tokens"] / (1 - cpt["replay"]["share"]))
    if arm != BOTH:
        cpt |= {"max_tokens": total, "replay": None}
    return recipe | {"cpt": cpt}


def run_arm(data: dict[str, Any], arm: str, root: Path, *, bf16: bool) -> dict[str, Any]:
    """Train one arm and score it; UNTRAINED scores the base. Removes its checkpoints when it is done."""
    from train import base_model, cpt, hardware, load_recipe, measure, offline
    from train.bound_corpus import bind

    meter, load = hardware.Meter(), os.getloadavg()[0]
    offline.pin(root)
    offline.quiet()
    recipe = load_recipe(of_arm(data, arm))
    corpus = bind(recipe.corpus, root)
    base = base_model.resolve(recipe, root)
    tokenizer, model = base_model.load_tokenizer(base.folder), base_model.load_model(base.folder, root)
    want = recipe.evaluate
    heldout = measure.within(corpus.read("pretrain", "test", ["record", "text"]), want.heldout_bytes)
    general = [measure.general_text(want.general_text, root, limit=want.general_bytes)]
    machine = hardware.detect()._replace(bf16=bf16)
    out: dict[str, Any] = {
        "arm": arm, "corpus": f"{corpus.name} {corpus.version}", "manifest": corpus.manifest_sha256,
        "base": base.name, "machine": machine.record(),
    }  # fmt: skip
    if arm != UNTRAINED:
        work = root / "work" / "replay" / arm.replace(" ", "_")
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        if arm == REPLAY:
            corpus = general_only(corpus, load_recipe(data), root, work)
        figures, run = cpt.train_cpt(model, tokenizer, corpus, recipe, machine, work / "run", root)
        shutil.rmtree(work)
        out |= {"replay_share": figures.get("replay", {}).get("share", 1.0 if arm == REPLAY else 0.0)}
        out |= {key: run[key] for key in ("steps", "tokens_seen", "losses")}

    def pieces(texts: list[str]) -> Pieces:
        scores = [measure.bits_per_byte(model, tokenizer, [text], window=want.window) for text in texts]
        return [(score.bits_per_byte * score.bytes, score.bytes) for score in scores]

    out |= {"heldout": pieces(heldout), "general": pieces(general)}
    return out | meter.read() | {"load": [round(load, 1), round(os.getloadavg()[0], 1)]}


def general_only(corpus: Any, recipe: Any, root: Path, work: Path) -> Any:
    """The corpus with the recipe's replay text in place of its training notes; held-out notes stay."""
    import polars as pl

    from train import measure, mixture

    measured = measure.general_text(recipe.evaluate.general_text, root, limit=None)
    texts = mixture.replay_texts(recipe.cpt.replay, root, measured, recipe.seed)
    path = work / "general.parquet"
    pl.DataFrame({
        "record": [f"general-{i:06}" for i in range(len(texts))], "text": texts, "tokens": [0] * len(texts),
        "note_type": ["general"] * len(texts),
    }).write_parquet(path)  # fmt: skip
    return corpus._replace(files=corpus.files | {("pretrain", "train"): [path]}, tokenizer=("", ""))


def change(before: Pieces, after: Pieces) -> float:
    """Relative change of the bits per byte; the documents, and so the bytes, are the same."""
    return sum(bits for bits, _ in after) / sum(bits for bits, _ in before) - 1


def interval(
    before: Pieces, after: Pieces, other: Pieces | None = None, draws: int = 2000, seed: int = 1
) -> tuple[float, float]:
    """95% of `change` over documents drawn again with replacement; less that of `other` if it is given."""
    rng, values = random.Random(seed), []
    for _ in range(draws):
        drawn = rng.choices(range(len(before)), k=len(before))
        first, then = [before[i] for i in drawn], [after[i] for i in drawn]
        values.append(change(first, then) - (change(first, [other[i] for i in drawn]) if other else 0.0))
    values.sort()
    return values[round(0.025 * draws)], values[round(0.975 * draws) - 1]


def verdicts(arms: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The two figures of the task: what notes gain beyond replay only, and what general text loses with replay."""
    start = arms[UNTRAINED]
    fall = {name: -change(start["heldout"], arm["heldout"]) for name, arm in arms.items()}
    low, high = interval(start["heldout"], arms[BOTH]["heldout"], arms[REPLAY]["heldout"])
    return {
        "points_beyond_replay_only": fall[BOTH] - fall[REPLAY],
        "points_interval": [-high, -low],
        "points_without_replay": fall[NOTES] - fall[REPLAY],
        "general_rise": change(start["general"], arms[BOTH]["general"]),
        "general_rise_without_replay": change(start["general"], arms[NOTES]["general"]),
    }


def picture(arms: dict[str, dict[str, Any]]) -> str:
    """Change of bits per byte of each arm on both texts, as SVG."""
    import altair as alt
    import vl_convert

    order = [NOTES, BOTH, REPLAY]
    texts = {"heldout": "held-out notes", "general": "general text"}
    values = [
        {"arm": name, "text": title, "change": 100 * change(arms[UNTRAINED][what], arms[name][what])}
        for name in order
        for what, title in texts.items()
    ]
    bars = alt.Chart().encode(
        y=alt.Y("arm:N", title=None, sort=order),
        x=alt.X("change:Q", title="change of bits per byte in %, less is better"),
    )
    colors = alt.Color("arm:N", legend=None, scale=alt.Scale(domain=order, range=["#c8553d", "#1f6f78", "#9aa7b4"]))
    labels = bars.mark_text(align="left", dx=4, fontSize=12).encode(
        text=alt.Text("change:Q", format="+.1f"), x=alt.X("end:Q")
    )
    for value in values:
        value["end"] = max(0.0, float(value["change"]))
    chart = (
        alt.layer(bars.mark_bar(size=22).encode(color=colors), labels, data=alt.Data(values=values))
        .properties(width=330, height=130)
        .facet(column=alt.Column("text:N", title=None, sort=list(texts.values())))
        .configure_view(stroke=None)
        .configure_axis(labelFontSize=12, titleFontSize=12, gridColor="#e6eaee", labelColor="#1d2733")
        .configure(font="Helvetica, Arial, sans-serif")
    )
    return str(vl_convert.vegalite_to_svg(chart.to_json()))


def report(result: dict[str, Any]) -> str:
    arms, found, cpt = result["arms"], result["verdicts"], result["recipe"]["cpt"]
    start = arms[UNTRAINED]

    def bpb(pieces: Pieces) -> float:
        return sum(bits for bits, _ in pieces) / sum(size for _, size in pieces)

    low, high = found["points_interval"]
    gained = found["points_beyond_replay_only"]
    falls = {name: -change(start["heldout"], arms[name]["heldout"]) for name in (BOTH, REPLAY)}
    lines = [
        "# Replay: what notes teach, what they cost", "",
        f"Made by `{result['command']}`. {start['base']} on corpus {start['corpus']}; one thread, "
        f"{arms[BOTH]['machine']['precision']}, {platform.machine()}, {result['cores']} cores shared with other work. "
        f"Learning rate {cpt['learning_rate']:g}, {cpt['gradient_accumulation']} rows of {cpt['max_length']} tokens a step, "
        f"seed {result['recipe']['seed']}. Base scored and every arm trained in a process of its own. Held out: "
        f"{len(start['heldout'])} notes of the test split, {sum(b for _, b in start['heldout']):,} bytes; general: "
        f"{sum(b for _, b in start['general']):,} bytes of the embedded text. In brackets: 95% over the notes, paired.", "",
        "![change of bits per byte](replay.svg)", "",
        "| | tokens | of these replay | steps | held-out notes, bits per byte | change | general text | change "
        "| CPU s | wall s | load before, after |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---|",
    ]  # fmt: skip
    for name, arm in arms.items():
        low_, high_ = interval(start["heldout"], arm["heldout"])
        fell = f"{change(start['heldout'], arm['heldout']):+.1%} ({low_:+.1%} – {high_:+.1%})"
        lost = f"{change(start['general'], arm['general']):+.1%}"
        lines.append(
            f"| {name} | {arm.get('tokens_seen', 0):,} | {arm.get('replay_share', 0):.0%} | {arm.get('steps', 0)} "
            f"| {bpb(arm['heldout']):.4f} | {fell if name != UNTRAINED else ''} | {bpb(arm['general']):.4f} "
            f"| {lost if name != UNTRAINED else ''} "
            f"| {arm['cpu_seconds']:.0f} | {arm['wall_seconds']:.0f} | {arm['load'][0]}, {arm['load'][1]} |"
        )
    verdict = {True: "met", False: "not met"}
    lines += [
        "", "| asked for | found | |", "|---|---|---|",
        f"| notes with replay fall by 10% of the base's bits per byte more than replay only | {gained:+.1%} "
        f"({low:+.1%} – {high:+.1%}); without replay {found['points_without_replay']:+.1%} | {verdict[gained >= 0.1]} |",
        f"| the same, read as 1.1 times the fall of replay only | {falls[BOTH]:.1%} against {falls[REPLAY]:.1%} "
        f"| {verdict[falls[BOTH] >= 1.1 * falls[REPLAY] and gained > 0]} |",
        f"| general text rises by 2% at most with replay | {found['general_rise']:+.1%}; without replay "
        f"{found['general_rise_without_replay']:+.1%} | {verdict[found['general_rise'] <= 0.02]} |",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("recipe", type=Path)
    options.add_argument("--root", type=Path, default=Path())
    options.add_argument("--bf16", action="store_true", help="bf16 autocast, for a CPU that has it natively (AMX)")
    options.add_argument("--set", action="append", default=[], help="key=value of the recipe")
    options.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results")
    options.add_argument("--arm", help=argparse.SUPPRESS)
    args = options.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    data, root = resolved(args.recipe, args.set), args.root.resolve()
    if args.arm:
        import manifests
        from train import run_manifest

        kept = root / "work" / "replay" / f"{args.arm.replace(' ', '_')}.json"
        key = manifests.sha256_bytes(manifests.canonical([of_arm(data, args.arm), args.bf16]))
        kept.parent.mkdir(parents=True, exist_ok=True)
        out = run_manifest.once(kept, key, lambda: run_arm(data, args.arm, root, bf16=args.bf16))
        sys.stdout.write(json.dumps(out) + "\n")
        return
    arms = {}
    for arm in (UNTRAINED, BOTH, REPLAY, NOTES):
        command = [sys.executable, __file__, *sys.argv[1:], "--arm", arm]
        out = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        arms[arm] = json.loads(out.splitlines()[-1])
    given = "".join(f" --set {each}" for each in args.set)
    result = {
        "command": f"python benchmarks/replay.py recipes/{args.recipe.name}{' --bf16' if args.bf16 else ''}{given}",
        "recipe": data, "cores": os.cpu_count(), "arms": arms, "verdicts": verdicts(arms),
    }  # fmt: skip
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "replay.json").write_text(json.dumps(result, indent=1) + "\n")
    (args.out / "replay.svg").write_text(picture(arms))
    (args.out / "replay.md").write_text(report(result))
    sys.stdout.write(report(result))


if __name__ == "__main__":
    main()
