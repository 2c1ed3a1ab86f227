"""The dataset card, rendered from the manifest and never written by hand."""

from __future__ import annotations

from collections import defaultdict

from manifests.corpus_manifest import CorpusManifest
from manifests.rendering import detected, engine


def render_card(manifest: CorpusManifest) -> str:
    """README.md of a corpus folder, with the YAML head that `datasets.load_dataset` reads. No time of day in it."""
    table: dict[tuple[str, str], dict[str, int]] = defaultdict(lambda: {"rows": 0, "tokens": 0})
    for file in manifest.files:
        if file.split:
            table[file.product, file.split]["rows"] += file.rows or 0
            table[file.product, file.split]["tokens"] += file.tokens or 0
    rows = [{"product": product, "split": split, **counts} for (product, split), counts in table.items()]
    products = [p for p in ("pretrain", "instruct") if any(row["product"] == p for row in rows)]
    template = engine(html=False).get_template("card.md.j2")
    return template.render(m=manifest, table=rows, products=products, **detected(manifest))
