"""One framework, one dtype, one process: the side that computes.

TensorFlow and PyTorch must not share a process, and threads, floatx and x64 are settings
of a whole process. So a worker hosts one implementation, reads jobs as JSON lines from
standard input and answers with JSON lines. A library that prints cannot disturb that:
file descriptor 1 is turned over to the log before anything else is imported.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import queue
import sys
import threading
import traceback
from pathlib import Path
from typing import IO, Any

from nn_parity import memory

OUT_OF_MEMORY = ("RESOURCE_EXHAUSTED", "not enough memory", "Out of memory", "OOM")


class Host:
    """Carries out jobs for one framework and dtype."""

    def __init__(self, framework: str, dtype: str, answers: IO[str]) -> None:
        self.framework, self.dtype, self.answers = framework, dtype, answers
        self.timers: dict[str, Any] = {}

    def answer(self, event: str, **fields: Any) -> None:
        """Send one line to the parent."""
        self.answers.write(json.dumps({"event": event, **fields}) + "\n")
        self.answers.flush()

    def record(self, job: dict[str, Any]) -> dict[str, Any]:
        """Write the transcript of one network: all its cases, in one file."""
        import numpy as np

        from nn_parity import files, transcripts
        from nn_parity.protocol import Case

        arrays: dict[str, Any] = {}
        for plain in job["cases"]:
            case = Case(**plain)

            def say(text: str, case: Case = case) -> None:
                self.answer("say", case=case.name, text=text)

            say("running")
            try:
                transcript = transcripts.record(case, self.framework, self.dtype, say)
            except Exception as error:  # the other cases are not to suffer for it
                status, text = _judged(error)
                if status != "crashed":
                    raise
                traceback.print_exc()
                transcript = {"meta/failed": np.array(text)}
            arrays |= {f"{case.name}:{key}": a for key, a in transcript.items()}
        path = Path(job["out"])
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write(path, lambda stream: np.savez_compressed(stream, **arrays))
        return {}

    def load(self, job: dict[str, Any]) -> dict[str, Any]:
        """Put a case's data and weights in place, to be timed."""
        return self._timer(job).loaded()

    def warm(self, job: dict[str, Any]) -> dict[str, Any]:
        """Make the first calls of one kind of work."""
        answer = self._timer(job).warm(job["kind"], job["variant"])
        gc.collect()
        gc.freeze()  # a framework's million objects need not be looked at for each slice
        return answer

    def time(self, job: dict[str, Any]) -> dict[str, Any]:
        """Time one slice of work; loads and warms up first if that was not asked for."""
        return self._timer(job).slice(job["kind"], job["variant"])

    def _timer(self, job: dict[str, Any]) -> Any:
        from nn_parity.benching import slices
        from nn_parity.protocol import Case

        peak = job["kind"] == slices.PEAK
        case = Case(**job["case"])
        key = slices.PEAK if peak else case.name
        if key not in self.timers:
            self.timers[key] = (
                slices.Peak(self.dtype)
                if peak
                else slices.Timer(
                    case, self.framework, self.dtype, steps=job.get("steps")
                )
            )
        return self.timers[key]

    def check(self, job: dict[str, Any]) -> dict[str, Any]:
        """Compare ways to run an epoch with `step`."""
        from nn_parity.benching import checks
        from nn_parity.protocol import Case

        case = Case(**job["case"])
        names = job["variants"]
        return {"errors": checks.variants(case, self.framework, self.dtype, names)}

    def count(self, job: dict[str, Any]) -> dict[str, Any]:
        """Count the operations of a case's matrix products."""
        from nn_parity.benching import products
        from nn_parity.protocol import Case

        case = Case(**job["case"])
        return {"operations": products.count(case, tuple(job["inference"]))}

    def forward(self, job: dict[str, Any]) -> dict[str, Any]:
        """Predict, or generate, with the case's weights for the inputs given."""
        import numpy as np

        from nn_parity import inputs, registry
        from nn_parity.protocol import Case

        case = Case(**job["case"])
        adapter = registry.build(self.framework, case, dtype=self.dtype)
        params, state = inputs.initial(registry.spec(case.network), case, case.seeds[0])
        adapter.load(params, state)
        given = inputs.arranged(case, np.array(job["x"]))
        if registry.spec(case.network).generates:
            return {"tokens": adapter.generate(given).tolist()}
        outputs = adapter.forward(given, train=False)
        return {"prediction": outputs["prediction"].tolist()}

    def trace(self, job: dict[str, Any]) -> dict[str, Any]:
        """Train up to one step and record that step in full."""
        from nn_parity import one_step
        from nn_parity.protocol import Case

        def say(text: str) -> None:
            self.answer("say", case=job["case"]["name"], text=text)

        case = Case(**job["case"])
        return one_step.record(case, self.framework, self.dtype, job["step"], say)

    def atlas(self, job: dict[str, Any]) -> dict[str, Any]:
        """Answer rows of the divergence atlas."""
        from nn_parity.divergences import measuring

        return {"sides": measuring.measure(self.framework, job["ids"])}

    def carry_out(self, job: dict[str, Any]) -> None:
        """Do a job and answer "done", or "error" with one line that says why not."""
        try:
            result = getattr(self, job["op"])(job)
        except (Exception, SystemExit) as error:  # a broken import may raise SystemExit
            with contextlib.suppress(OSError):  # the log lies on the same full disk
                traceback.print_exc()
            status, text = _judged(error)
            self.answer("error", status=status, text=text)
        else:
            self.answer("done", rss_mib=memory.peak(), **result)


def _judged(error: BaseException) -> tuple[str, str]:
    """Return status and reason of the row that an error becomes."""
    from nn_parity import files

    cause = error.__cause__ or error  # a refusal to write says which error it was
    if isinstance(cause, OSError) and cause.errno in files.FULL:
        return "disk full", f"disk full: {cause.strerror}; free space or choose --out"
    text = f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"
    out_of_memory = any(mark in text for mark in OUT_OF_MEMORY)
    if isinstance(error, MemoryError) or out_of_memory:
        return "oom", text
    return "crashed", text


def main() -> None:
    """Serve jobs until standard input ends; then stop at once, whatever is running."""
    framework, dtype = sys.argv[1:]
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    jobs: queue.Queue[dict[str, Any]] = queue.Queue()

    def listen() -> None:
        for line in sys.stdin:
            jobs.put(json.loads(line))
        os._exit(0)  # the parent is gone: nobody waits for this work any more

    threading.Thread(target=listen, daemon=True).start()
    host = Host(framework, dtype, answers)
    host.answer("ready")
    while True:
        host.carry_out(jobs.get())


if __name__ == "__main__":
    main()
