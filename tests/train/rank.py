"""The command as one of several processes, which a signal meets at a given moment.

python rank.py '{"rank": 1, "at": "step 2", "signal": "SIGTERM", "whom": "self"}' train sft recipe.json ...
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import clinicorpus
from train import checkpoints, processes, session

PLAN = json.loads(sys.argv.pop(1))
TRAINED = session._train


def reach(moment: str) -> None:
    if PLAN and PLAN["at"] == moment and PLAN["rank"] == int(os.environ["RANK"]):
        whom = {"self": os.getpid(), "launcher": os.getppid()}[PLAN["whom"]]
        os.kill(whom, getattr(signal, PLAN["signal"]))


def trained(trainer: Any, start: Any) -> None:
    from transformers import TrainerCallback

    class Moments(TrainerCallback):
        def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            reach(f"step {state.global_step + 1}")

    trainer.add_callback(Moments())
    save = trainer._save_rng_state

    def saved(folder: str) -> None:
        reach(f"random state of {Path(folder).name}")
        save(folder)

    trainer._save_rng_state = saved
    try:
        TRAINED(trainer, start)
    finally:
        parameters = list(trainer.model.parameters())
        mine = sum(p.to_local().numel() if hasattr(p, "to_local") else p.numel() for p in parameters)
        Path(f"held-{os.environ['RANK']}").write_text(str(mine / sum(p.numel() for p in parameters)))


def sealed(folder: Path, *, real: Any = checkpoints.seal, **of: Any) -> Any:
    reach(f"seal of {folder.name}")
    return real(folder, **of)


def spread_on_a_cpu() -> None:
    """accelerate spreads weights over GPUs only, torch over CPUs too: let it take these for GPUs."""
    from accelerate import PartialState
    from accelerate.utils import DistributedType

    real = PartialState.__init__

    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        real(self, *args, **kwargs)
        if self.distributed_type == DistributedType.MULTI_CPU:
            self.distributed_type = DistributedType.MULTI_GPU

    PartialState.__init__ = init  # type: ignore[method-assign]


session._train, checkpoints.seal = trained, sealed
if processes.sharding() == "fsdp2":
    spread_on_a_cpu()
code: Any = None
try:
    clinicorpus.main()
except SystemExit as stop:
    code = stop.code
    raise
finally:
    Path(f"exit-{os.environ['RANK']}").write_text(str(code))
