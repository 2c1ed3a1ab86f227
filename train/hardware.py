"""What the machine has, and what training therefore does."""

from __future__ import annotations

import os
import resource
import sys
import time
from typing import Any, NamedTuple


class Hardware(NamedTuple):
    device: str
    """cpu or cuda"""
    bf16: bool
    """Autocast to bfloat16. Never on a CPU: without native support it is 15 times slower, and fp32 is
    what gives the same weights on every machine."""
    threads: int
    """Part of the result on a CPU: sums are split by thread."""

    kernels: str = "default"
    """Instruction set of the CPU that torch's kernels use (AVX2, AVX512), or the name of the GPU. Part of the result."""
    processes: int = 1
    """World size: how many processes share a step. Part of the result."""
    checkpointing: bool = False
    """Activations are computed again in the backward pass rather than kept."""

    def of(self, checkpointing: bool | None) -> Hardware:
        """The same with what a recipe says of checkpointing; null leaves the machine's own."""
        return self if checkpointing is None else self._replace(checkpointing=checkpointing)

    def weights(self, kind: str) -> str:
        """Type the weights are held in. Those that are trained stay fp32: Adam's steps on them are smaller than bf16
        can tell. A frozen base is held in bf16 where the machine computes in it."""
        return "bfloat16" if self.bf16 and kind != "full" else "float32"

    def record(self) -> dict[str, Any]:
        return {
            "device": self.device, "precision": "bf16 autocast" if self.bf16 else "fp32", "threads": self.threads,
            "kernels": self.kernels, "processes": self.processes,
        }  # fmt: skip


def detect() -> Hardware:
    """The first GPU if torch sees one, else the CPU."""
    import torch

    processes, threads = int(os.environ.get("WORLD_SIZE", "1")), torch.get_num_threads()
    if torch.cuda.is_available():
        return Hardware("cuda", torch.cuda.is_bf16_supported(), threads, torch.cuda.get_device_name(), processes, True)
    return Hardware("cpu", False, threads, torch.backends.cpu.get_cpu_capability(), processes)


class Meter:
    """Wall seconds, CPU seconds and peak memory of this process since it was made."""

    def __init__(self) -> None:
        self.wall, self.cpu = time.monotonic(), time.process_time()

    def read(self) -> dict[str, Any]:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return {
            "wall_seconds": round(time.monotonic() - self.wall, 1),
            "cpu_seconds": round(time.process_time() - self.cpu, 1),
            # Linux counts in KiB, macOS in bytes.
            "peak_memory_bytes": peak if sys.platform == "darwin" else peak * 1024,
        }
