"""What the user sees while a model trains: one bar on a terminal, a line now and then in a log."""

from __future__ import annotations

import time
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

console = Console(stderr=True, highlight=False)


def say(text: str) -> None:
    """One line on standard error. Never text of a note."""
    console.print(text, markup=False)


def callback(stage: str) -> Any:
    """A TrainerCallback that shows steps, loss, the last evaluation's losses, tokens/s and time left."""
    from transformers import TrainerCallback

    class Bar(TrainerCallback):
        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self.began, self.loss, self.held = time.monotonic(), float("nan"), dict[str, float]()
            self.step, self.tokens = state.global_step, state.num_input_tokens_seen  # of earlier sessions
            self.bar = Progress(
                TextColumn(stage),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[figures]}"),
                TimeRemainingColumn(),
                console=console,
                disable=not console.is_terminal,
            )
            self.task = self.bar.add_task(stage, total=state.max_steps, completed=self.step, figures="")
            self.bar.start()

        def _figures(self, state: Any) -> str:
            rate = (state.num_input_tokens_seen - self.tokens) / max(time.monotonic() - self.began, 1e-9)
            held = "".join(f" · {name} {loss:.3f}" for name, loss in self.held.items())
            return f"loss {self.loss:.3f}{held} · {rate:,.0f} tokens/s"

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self.bar.update(self.task, completed=state.global_step, figures=self._figures(state))

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            for name in ("clinical", "general"):
                if f"eval_{name}_loss" in (logs or {}):
                    self.held[name] = logs[f"eval_{name}_loss"]
            if "loss" not in (logs or {}):
                return
            self.loss = logs["loss"]
            step, total = state.global_step, state.max_steps
            if not console.is_terminal and (step == total or step % max(1, total // 10) == 0):
                left = (time.monotonic() - self.began) / max(1, step - self.step) * (total - step)
                say(f"{stage} {step}/{total} · {self._figures(state)} · {left:.0f} s left")

        def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self.close()

        def close(self) -> None:
            """Give the terminal back, also after an error."""
            if hasattr(self, "bar"):
                self.bar.stop()

    return Bar()
