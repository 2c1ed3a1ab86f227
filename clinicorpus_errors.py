"""The one error a user is meant to read. A leaf: every room may import it."""

from __future__ import annotations


class UserError(Exception):
    """Something a user can put right. The command prints it without a traceback and exits 2.

    Four parts, in this order: what was wrong, the value that was wrong (never text of a note), the likely
    cause, and the next command or edit.
    """

    def __init__(
        self, what: str, *, value: object = None, cause: str | None = None, next: str | None = None, exit_code: int = 2
    ) -> None:
        self.what, self.value, self.cause, self.next, self.exit_code = what, value, cause, next, exit_code
        super().__init__(what if value is None else f"{what}: {value}")

    def __reduce__(self) -> tuple[object, ...]:
        # Keyword arguments do not survive pickling by default, and workers hand errors back by pickle.
        return _rebuild, (self.what, self.value, self.cause, self.next, self.exit_code)


def _rebuild(what: str, value: object, cause: str | None, next: str | None, exit_code: int) -> UserError:
    return UserError(what, value=value, cause=cause, next=next, exit_code=exit_code)
