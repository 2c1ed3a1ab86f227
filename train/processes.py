"""One recipe on one process or many: who writes, who waits, and what is the same everywhere.

Started by `accelerate launch` or torchrun, every process runs the same stage. The main one alone holds the lock, builds
the base model, asks, publishes and speaks; what it finds is sent to the others, errors too, so that none waits for ever.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, NoReturn, TypeVar

from clinicorpus_errors import UserError
from train import progress, publish

T = TypeVar("T")


def count() -> int:
    """Processes of this run, as the launcher says."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def share(accumulation: int) -> int:
    """Batches that each process adds up, so that a step holds as many as the recipe says however many processes run.

    Raises UserError if they cannot be shared out evenly.
    """
    if accumulation % count():
        raise UserError(
            "gradient_accumulation cannot be shared out over the processes",
            value=f"{accumulation} batches, {count()} processes",
            cause="a step holds the same rows on any number of processes",
            next=f"--set <stage>.gradient_accumulation={-(-accumulation // count()) * count()}",
        )
    return accumulation // count()


def is_main() -> bool:
    return int(os.environ.get("RANK", "0")) == 0


def sharding() -> Literal["none", "zero2", "fsdp2"]:
    """What accelerate's configuration spreads over the processes: none, zero2 or fsdp2."""
    if os.environ.get("ACCELERATE_USE_FSDP", "").lower() == "true":
        return "fsdp2"
    return "zero2" if os.environ.get("ACCELERATE_USE_DEEPSPEED", "").lower() == "true" else "none"


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold `folder` against other runs; the processes of this one share it."""
    if is_main():
        with publish.lock(folder):
            yield
    else:
        yield


def start() -> None:
    """Join the others, before anything is done together. Only the main process speaks from here on.

    Raises UserError if the model is to be spread where accelerate would not do it.
    """
    if count() == 1 and sharding() == "none":
        return
    import torch
    from accelerate import PartialState
    from accelerate.utils import DistributedType

    # The others wait while the main process builds a base or writes a model: longer than the half hour they are given.
    state = PartialState(cpu=not torch.cuda.is_available(), timeout=timedelta(hours=3))
    progress.console.quiet = not is_main()
    atexit.register(_leave)
    if sharding() != "none" and state.distributed_type in (DistributedType.NO, DistributedType.MULTI_CPU):
        raise_together(
            UserError(
                "accelerate spreads a model over GPUs only",
                value=sharding(),
                cause="on CPUs every process would hold all of it, and nothing would say so",
                next=f"torchrun --nproc-per-node {count()} -m clinicorpus train ... with the same recipe",
            )
        )


def _leave() -> None:
    """Without it, threads of the group that are left over may abort the process, and its exit code is lost."""
    import torch.distributed as dist

    if dist.is_initialized():
        dist.destroy_process_group()


def from_main(make: Callable[[], T]) -> T:
    """What `make` returns in the main process, in every process. An error is raised in every process, too."""
    if count() == 1:
        return make()
    import torch.distributed as dist

    box: list[Any] = [None, None]
    if is_main():
        try:
            box[0] = make()
        except BaseException as error:  # noqa: BLE001  # sent on, and raised here as well
            box[1] = error
    dist.broadcast_object_list(box, src=0)
    if isinstance(box[1], UserError):
        raise_together(box[1])
    if box[1] is not None:
        raise box[1]
    return box[0]


def raise_together(error: UserError) -> NoReturn:
    """Raise what every process has met: in the main one, which tells it; the others end with the same code."""
    if is_main():
        raise error
    raise SystemExit(error.exit_code)


def from_all(mine: T) -> list[T]:
    """What each process gives, in every process."""
    if count() == 1:
        return [mine]
    import torch.distributed as dist

    box: list[Any] = [None] * count()
    dist.all_gather_object(box, mine)
    return box


def wait() -> None:
    """Go on when every process has come here."""
    if count() > 1:
        import torch.distributed as dist

        dist.barrier()


def whole_state(model: Any) -> dict[str, Any] | None:
    """All weights of a model whose processes hold a part each, on the main process' CPU; None if each holds all."""
    from torch.distributed.tensor import DTensor

    if not any(isinstance(p, DTensor) for p in model.parameters()):
        return None
    from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict

    return get_model_state_dict(model, options=StateDictOptions(full_state_dict=True, cpu_offload=True))
