"""No network, no cache outside work/, no chatter: set before torch, transformers, datasets or trl are imported."""

from __future__ import annotations

import logging
import os
import tempfile
import warnings
from importlib.util import find_spec
from pathlib import Path

from clinicorpus_errors import UserError

NEEDED = ("torch", "transformers", "trl", "datasets", "accelerate", "peft")


def need_training_packages() -> None:
    """Raises UserError naming each package of the extra `train` that is not installed."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise UserError(
            "training packages are not installed",
            value=", ".join(missing),
            cause="the base install carries no torch",
            next="make train",
        )


def pin(root: Path) -> None:
    """Keep the libraries off the network, their caches and temporary files in `root`/work, their logs quiet.

    Tokenised notes may pass through those caches, hence umask 077.
    """
    os.umask(0o077)
    work = root.resolve() / "work"
    cache, temporary = work / "cache", work / "tmp"
    for folder in (work, cache, temporary):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.environ.update(
        HF_HUB_OFFLINE="1",
        TRANSFORMERS_OFFLINE="1",
        HF_DATASETS_OFFLINE="1",
        HF_HUB_DISABLE_TELEMETRY="1",
        HF_HUB_DISABLE_PROGRESS_BARS="1",
        HF_HOME=str(cache / "huggingface"),
        HF_DATASETS_CACHE=str(cache / "datasets"),
        TMPDIR=str(temporary),
        TOKENIZERS_PARALLELISM="false",
        TQDM_DISABLE="1",
    )
    tempfile.tempdir = str(temporary)


def quiet() -> None:
    """Silence what the libraries say; a message of theirs may quote text that is trained on."""
    import datasets
    import transformers

    # An earlier import of datasets in this process has read the environment already.
    datasets.config.HF_DATASETS_CACHE = Path(os.environ["HF_DATASETS_CACHE"])
    datasets.disable_progress_bars()
    datasets.logging.set_verbosity_error()
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    for name in ("accelerate", "trl", "torch", "huggingface_hub"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    warnings.filterwarnings("ignore")
