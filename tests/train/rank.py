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
from train import checkpoints, session

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
    TRAINED(trainer, start)


def sealed(folder: Path, *, real: Any = checkpoints.seal, **of: Any) -> Any:
    reach(f"seal of {folder.name}")
    return real(folder, **of)


session._train, checkpoints.seal = trained, sealed
code: Any = None
try:
    clinicorpus.main()
except SystemExit as stop:
    code = stop.code
    raise
finally:
    Path(f"exit-{os.environ['RANK']}").write_text(str(code))
