"""What the workers are doing, live on standard error."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Any


class live:  # noqa: N801 - used like a function, in a with statement
    """One line for each worker; called with (framework, dtype, text).

    Without a terminal it prints a plain line whenever a worker begins something else, so
    that a log file can be read.
    """

    def __init__(self, console: Any) -> None:
        self._console = console
        self._tasks: dict[tuple[str, str], Any] = {}
        self._said: dict[tuple[str, str], str] = {}
        self._lock = threading.Lock()
        self._bars: Any = None

    def __enter__(self) -> live:
        if self._console.is_terminal:
            from rich.progress import (
                Progress,
                SpinnerColumn,
                TextColumn,
                TimeElapsedColumn,
            )

            self._bars = Progress(
                SpinnerColumn(finished_text="✓"),
                TextColumn("{task.fields[who]:<17}"),
                TimeElapsedColumn(),
                TextColumn("{task.description}", markup=False),
                console=self._console,
                transient=True,
            )
            self._bars.start()
        return self

    def __call__(self, framework: str, dtype: str, text: str) -> None:
        """Show that a worker is at ``text`` now."""
        key = framework, dtype
        with self._lock:
            if self._bars is None:
                self._line(key, text)
            elif key not in self._tasks:
                who = f"{framework} {dtype}"
                self._tasks[key] = self._bars.add_task(text, total=None, who=who)
            else:
                self._bars.update(self._tasks[key], description=text)

    def _line(self, key: tuple[str, str], text: str) -> None:
        what = text.partition(", loss")[0].partition(", round")[0]
        what = "training" if "epoch" in what else what
        if self._said.get(key) != what:
            self._said[key] = what
            self._console.print(
                f"{' '.join(key)}: {what}", markup=False, soft_wrap=True
            )

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bars is not None:
            self._bars.stop()
