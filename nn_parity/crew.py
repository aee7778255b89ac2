"""The side of the parent: workers are started, given jobs, watched and replaced.

A worker that crashes or hangs loses only the job it was at: the next job gets a new
process.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

import platformdirs

import nn_parity
from nn_parity import environment as machine
from nn_parity import registry

SCRUBBED = (  # whatever begins so changes results or times
    "ATEN_", "JAX_", "KERAS_", "KMP_", "MKL_", "OMP_", "OPENBLAS_", "PYTHONHASHSEED",
    "PYTHONOPTIMIZE", "PYTHONWARNINGS", "TF_", "TORCH_", "XLA_",
)  # fmt: skip
KEPT = (
    "JAX_COMPILATION_CACHE",
    "JAX_PERSISTENT_CACHE",
)  # only where compiled code lies
SKLEARN = {  # scikit-learn sets them in this process, when it is imported
    "KMP_DUPLICATE_LIB_OK": "True",
    "KMP_INIT_AT_FORK": "FALSE",
}
TERRAFORM = ("TF_CLI_", "TF_VAR_")  # not TensorFlow's: kept from a child, and no news
COLD = {  # nothing is taken from a cache, nor left to a pool of helpers
    "TORCHINDUCTOR_FORCE_DISABLE_CACHES": "1",
    "TORCHINDUCTOR_COMPILE_THREADS": "1",
}
TIMEOUT = 900.0  # seconds for one job


def environment(
    threads: int, keras_home: Path, *, cold: bool = False
) -> dict[str, str]:
    """Return a child's environment: CPU only, so many threads, no settings from outside.

    A ``cold`` one does not know where code lies that was compiled before.
    """
    source = str(Path(nn_parity.__file__).parent.parent)
    env = {
        name: value
        for name, value in os.environ.items()
        if (name.startswith(KEPT) and not cold) or not name.startswith(SCRUBBED)
    }
    env["PYTHONPATH"] = os.pathsep.join(
        filter(None, [source, os.environ.get("PYTHONPATH")])
    )
    return env | _settings(threads, keras_home) | (COLD if cold else {})


def ignored(threads: int) -> dict[str, str]:
    """Return what is set outside, would change numbers or times, and does not reach a child."""
    expected = SKLEARN | _settings(threads, Path())
    return {
        name: machine.without_home(value)
        for name, value in sorted(os.environ.items())
        if name.startswith(SCRUBBED)
        and not name.startswith((*KEPT, *TERRAFORM))
        and expected.get(name) != value
    }


def _settings(threads: int, keras_home: Path) -> dict[str, str]:
    count = str(threads)
    return {
        "OMP_NUM_THREADS": count,
        "OPENBLAS_NUM_THREADS": count,
        "MKL_NUM_THREADS": count,
        "VECLIB_MAXIMUM_THREADS": count,
        "NPROC": count,  # XLA's pool
        "TF_NUM_INTRAOP_THREADS": count,
        "TF_NUM_INTEROP_THREADS": count,
        "TF_ENABLE_ONEDNN_OPTS": "0",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "KERAS_BACKEND": "tensorflow",
        "KERAS_HOME": str(keras_home),
        "JAX_PLATFORMS": "cpu",
        "CUDA_VISIBLE_DEVICES": "-1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUTF8": "1",
    }


SETTINGS = (*_settings(1, Path()), "XLA_FLAGS")  # names, for environment.json
# compiled at a third of the cost, and slow; XLA ends a process for a flag that its version
# does not know
_HASTE = "--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false"
_KNOWN_TO_JAX = "0.10."


def backend(framework: str) -> dict[str, str]:
    """Return what chooses Keras' backend, where a framework is Keras on another one."""
    chosen = registry.BACKENDS.get(framework)
    return {"KERAS_BACKEND": chosen} if chosen else {}


def compiled_once() -> dict[str, str]:
    """Return settings by which JAX keeps compiled code for the next process to find.

    Nothing that is timed may use them. A machine of another kind has its own folder.
    """
    folder = Path(platformdirs.user_cache_dir("nn-parity")) / machine.machine_id()
    ours = {
        "JAX_COMPILATION_CACHE_DIR": str(folder),
        "JAX_COMPILATION_CACHE_MAX_SIZE": str(2**30),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }
    return ours | {name: os.environ[name] for name in ours if name in os.environ}


def compiled_in_haste() -> dict[str, str]:
    """Return settings by which XLA leaves out what makes code fast, and compiles sooner.

    For tiny networks whose numbers count: nothing that is timed may use them.
    """
    version = registry.versions("jax").get("jax", "")
    return {"XLA_FLAGS": _HASTE} if version.startswith(_KNOWN_TO_JAX) else {}


class Failure(Exception):  # noqa: N818 - the worker's, and it becomes a row
    """A job that did not end well: ``status`` of the row and one line why."""

    def __init__(self, status: str, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


class Worker:
    """One spawned process of one framework and dtype; a new one after each failure.

    ``settings`` are added to its environment. Of a ``timed`` one no code comes from a
    cache, and no new process takes the place of one that ended between two jobs: that is a
    failure, too.
    """

    def __init__(
        self,
        framework: str,
        dtype: str,
        *,
        folder: Path,
        threads: int = 1,
        timeout: float = TIMEOUT,
        name: str = "",
        timed: bool = False,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.framework, self.dtype, self.timeout = framework, dtype, timeout
        self.timed = timed
        self.log_path = folder / "logs" / f"{name or f'{framework}-{dtype}'}.log"
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        self.environment = environment(threads, folder / "logs" / "keras", cold=timed)
        self.environment |= backend(framework) | dict(settings or {})
        self.peak_rss_mib = 0.0
        self.closed = False
        self._process: subprocess.Popen[str] | None = None
        self._answers: queue.Queue[str | None] = queue.Queue()

    def run(
        self, job: dict[str, Any], say: Callable[[str], None] = lambda text: None
    ) -> dict[str, Any]:
        """Carry out one job; ``Failure`` if it crashes, hangs or is refused."""
        if self.closed:
            raise Failure("killed", "interrupted")
        if (
            self.timed
            and self._process is not None
            and self._process.poll() is not None
        ):
            raise self._ended(self._process)
        process = self._started()
        assert process.stdin is not None  # noqa: S101 - opened as a pipe
        try:
            process.stdin.write(json.dumps(job) + "\n")
            process.stdin.flush()
        except BrokenPipeError:
            raise self._ended(process) from None
        return self._wait(process, say)

    def _wait(
        self, process: subprocess.Popen[str], say: Callable[[str], None]
    ) -> dict[str, Any]:
        deadline = time.monotonic() + self.timeout
        while True:
            try:
                line = self._answers.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                self.stop()
                raise Failure(
                    "timeout", f"no answer within {self.timeout:g} s"
                ) from None
            if line is None:
                raise self._ended(process)
            try:
                answer = json.loads(line)
                event = answer.pop("event")
            except (ValueError, KeyError, AttributeError):
                self.stop()
                raise Failure("crashed", f"protocol error: {line[:80]!r}") from None
            deadline = time.monotonic() + self.timeout  # it is alive
            if event == "say":
                say(f"{answer['case']}: {answer['text']}")
            elif event == "error":
                raise Failure(answer["status"], answer["text"])
            elif event == "done":
                self.peak_rss_mib = max(self.peak_rss_mib, answer.pop("rss_mib"))
                return answer

    def _started(self) -> subprocess.Popen[str]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        with self.log_path.open("a", encoding="utf-8") as log:
            process = subprocess.Popen(  # noqa: S603 - our own interpreter
                [
                    sys.executable, "-X", "utf8", "-P", "-m", "nn_parity.worker",
                    self.framework, self.dtype,
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=self.environment,
                text=True,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,  # Ctrl-C is the parent's; it stops its workers
            )  # fmt: skip
        self._process, self._answers = process, queue.Queue()
        assert process.stdout is not None  # noqa: S101 - opened as a pipe
        threading.Thread(
            target=_listen, args=(process.stdout, self._answers), daemon=True
        ).start()
        return process

    def _ended(self, process: subprocess.Popen[str]) -> Failure:
        code = process.wait()
        self.stop()
        if code < 0:
            name = signal.Signals(-code).name
            hint = ": perhaps out of memory" if name == "SIGKILL" else ""
            return Failure("killed", f"the worker was ended by {name}{hint}")
        last = self.log_path.read_text(errors="replace").strip().splitlines()
        said = f": {last[-1][:200]}" if last else ""
        return Failure("crashed", f"the worker ended with exit code {code}{said}")

    def close(self) -> None:
        """End the process and refuse every further job."""
        self.closed = True
        self.stop()

    def stop(self) -> None:
        """End the process; the next job starts a new one."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                _close(stream)


def _listen(stream: IO[str], answers: queue.Queue[str | None]) -> None:
    try:
        for line in stream:
            answers.put(line)
    except ValueError:  # closed while it was being read
        pass
    answers.put(None)


def _close(stream: IO[str]) -> None:
    with contextlib.suppress(OSError):  # unread bytes for a process that is gone
        stream.close()


def available(frameworks: tuple[str, ...]) -> tuple[tuple[str, ...], dict[str, str]]:
    """Split frameworks into those that can run and {name: why not}."""
    absent = {}
    for framework in frameworks:
        if lacking := registry.missing(framework):
            absent[framework] = (
                f"{' and '.join(lacking)} not installed: "
                f"{registry.install_line(framework)}"
            )
    return tuple(f for f in frameworks if f not in absent), absent
