"""Imports spaCy and presidio-analyzer without torch.

Both look for torch when they are imported, and where it is installed they load it: 13 s and 391 MB a worker, against
3.7 s and 112 MB without. Detection needs none of it. The modules are hidden only while the import runs, because a
later stage of the same process may want torch; a caller that has set ``sys.modules["torch"] = None`` itself keeps it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

# transformers is hidden too: presidio imports it, and a transformers imported while torch is hidden would believe for
# the rest of the process that torch is not installed.
_HEAVY = ("torch", "transformers", "tensorflow", "jax", "cupy", "mxnet", "gliner", "stanza", "spacy_stanza")


@contextmanager
def without_torch() -> Iterator[None]:
    """Hide torch and its like from imports inside the block, unless they are loaded already."""
    hidden = [name for name in _HEAVY if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        for name in hidden:
            if sys.modules.get(name, name) is None:
                del sys.modules[name]
