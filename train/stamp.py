"""What a weight file was trained on, in its own header, so that it says so also without its folder."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path


def write(folder: Path, digests: dict[str, str]) -> None:
    """Add `clinicorpus.*` entries to the header of every safetensors file of `folder`; tensors stay byte for byte."""
    for path in sorted(folder.glob("*.safetensors")):
        with path.open("rb") as old:
            header = json.loads(old.read(int.from_bytes(old.read(8), "little")))
            stamped = {f"clinicorpus.{name}": value for name, value in digests.items()}
            header["__metadata__"] = header.get("__metadata__", {}) | stamped
            text = json.dumps(header, separators=(",", ":")).encode()
            text += b" " * (-len(text) % 8)  # readers map the tensors, which want to be aligned
            partial = path.with_suffix(".partial")
            with partial.open("wb") as new:
                new.write(len(text).to_bytes(8, "little") + text)
                shutil.copyfileobj(old, new, 1 << 22)
        os.replace(partial, path)


def read(folder: Path) -> dict[str, str]:
    """The entries that `write` put into the first weight file of `folder`."""
    for path in sorted(folder.glob("*.safetensors")):
        with path.open("rb") as file:
            found = json.loads(file.read(int.from_bytes(file.read(8), "little"))).get("__metadata__", {})
        return {k.removeprefix("clinicorpus."): v for k, v in found.items() if k.startswith("clinicorpus.")}
    return {}
