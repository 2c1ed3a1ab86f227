"""The stages, in the order they run. A stage is one module; this dict is the whole registry.

Exact copies go first: they are found on the text as it came, and half of some sources need never be read again.
Near-duplicates come after the placeholders, so that a changed name or date does not hide a copy. Copy-forward comes after
them, so that no passage goes for standing in a note that is dropped later, and before the split, so that everything from
there on sees the text that is released. Boilerplate is counted when copies are gone. Contamination goes last: what is
compared is what is released, instruction records too.
"""

from types import ModuleType

from corpus.stages import (
    contamination,
    dedupe_boilerplate,
    dedupe_copy_forward,
    dedupe_exact,
    dedupe_near,
    deid_detect,
    deid_placeholders,
    deid_render,
    filters,
    instruct,
    split,
)

STAGES: dict[str, ModuleType] = {
    module.NAME: module
    for module in (
        dedupe_exact, deid_detect, deid_placeholders, filters, dedupe_near, dedupe_copy_forward, dedupe_boilerplate,
        split, deid_render, instruct, contamination,
    )
}  # fmt: skip
