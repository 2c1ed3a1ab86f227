"""Losses on a tracker's page: TensorBoard, trackio or Weights & Biases, through transformers, on this machine alone.

Nothing is sent anywhere unless the user says so in the environment (`WANDB_MODE=online`).
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

from clinicorpus_errors import UserError

_PACKAGES = {"tensorboard": ("tensorboard", "tensorboardX"), "trackio": ("trackio",), "wandb": ("wandb",)}
_ELSEWHERE = (
    "TRACKIO_BUCKET_ID", "TRACKIO_DATASET_ID", "TRACKIO_SERVER_URL", "TRACKIO_SPACE_ID", "TRACKIO_WEBHOOK_URL",
)  # fmt: skip
"""What makes trackio send figures away."""


def check(wanted: tuple[str, ...]) -> None:
    """Raises UserError if the package of a tracker is not installed: transformers would find out when training begins."""
    missing = [name for name in wanted if not any(find_spec(package) for package in _PACKAGES[name])]
    if missing:
        raise UserError(
            "the tracker is not installed",
            value=", ".join(missing),
            cause="the recipe asks for it with report_to",
            next=f"pip install {' '.join(missing)}, or --set report_to=[]",
        )


def pin(wanted: tuple[str, ...], name: str, root: Path) -> None:
    """Keep what trackers write below `root`/work/train/<name>, and off the network; read when training begins."""
    place = root.resolve() / "work" / "train" / name
    settings = {
        "tensorboard": {"TENSORBOARD_LOGGING_DIR": str(place / "tensorboard")},
        "trackio": {"TRACKIO_DIR": str(place / "trackio")},
        "wandb": {
            "WANDB_DIR": str(place),
            "WANDB_CACHE_DIR": str(place / "wandb" / "cache"),  # its logs, otherwise in the home folder
            "WANDB_DATA_DIR": str(place / "wandb" / "data"),
            "WANDB_ERROR_REPORTING": "false",  # its own crashes, to its maker
            "WANDB_PROJECT": name,
            "WANDB_MODE": os.environ.get("WANDB_MODE", "offline"),
            "WANDB_LOG_MODEL": "false",  # else the weights go where the figures go
            "WANDB_WATCH": "false",
            "WANDB_CONSOLE": "off",
            "WANDB_DISABLE_CODE": "true",
            "WANDB_DISABLE_GIT": "true",
            "WANDB_SILENT": "true",
        },
    }
    for name in _ELSEWHERE:  # empty will not do: trackio takes "" for the name of a space
        os.environ.pop(name, None)
    for tracker in wanted:
        place.mkdir(parents=True, exist_ok=True)
        os.environ.update(settings[tracker])
