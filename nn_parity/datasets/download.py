"""Fetch a published set from its mirrors; nothing unchecked gets its final name."""

import logging
import socket
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

from nn_parity.datasets import cache, folder, idx
from nn_parity.datasets.published import PUBLISHED
from nn_parity.errors import Refusal

_LOG = logging.getLogger(__name__)
PATIENCE = 2.0  # seconds until a mirror counts as unreachable
_PORTS = {"https": 443, "http": 80}


class Unavailable(Exception):  # noqa: N818 - a finding, not an error of ours
    """No mirror gave a part; the text lists every attempt."""


def fetch(name: str) -> Path:
    """Download the parts of ``name`` that the cache lacks and return its folder.

    Two processes that ask for the same set share one download.

    Raises
    ------
    Unavailable
        With all attempts in one line.
    """
    mirrors, attempts = _reachable(PUBLISHED[name].mirrors)
    if not mirrors:
        raise Unavailable("; ".join(attempts))
    with cache.locked(spare=True) as place:
        held = folder.find(place / name)
        for part in folder.PARTS:
            if part not in held:
                content = _part(name, part, mirrors, attempts, place)
                cache.store(name, {part: content}, place)
        return place / name


def _part(
    name: str, part: str, mirrors: list[str], attempts: list[str], place: Path
) -> idx.Idx:
    """Take one file from the first mirror whose bytes are the published ones."""
    for mirror in list(mirrors):
        url = f"{mirror}{folder.file_name(part)}.gz"
        with tempfile.TemporaryDirectory(prefix=".partial-", dir=place) as partial:
            path = Path(partial) / f"{folder.file_name(part)}.gz"
            try:
                _get(url, path)
                return folder.read_part(path, part, PUBLISHED[name])
            except Refusal as refusal:
                bad = _keep_as_bad(path, place / name)
                attempts.append(f"{url}: {refusal.what}, kept as {bad}")
            except OSError as error:  # requests' exceptions are OSErrors
                attempts.append(f"{url}: {_plain(error)}")
    raise Unavailable("; ".join(attempts))


def _get(url: str, path: Path) -> None:
    """Download with certificates checked; proxies come from the environment."""
    import pooch

    _LOG.warning("downloading %s", url)
    pooch.HTTPDownloader(chunk_size=1 << 16, timeout=(PATIENCE, 30))(
        url, str(path), None
    )


def _keep_as_bad(path: Path, target: Path) -> Path:
    target.mkdir(exist_ok=True)
    return path.replace(target / f"{path.name}.bad")


def _plain(error: OSError) -> str:
    """Say what went wrong in words that help a person behind a school's proxy."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status is not None:
        return f"HTTP {status}"
    kind = type(error).__name__
    if kind == "SSLError":
        return (
            "its TLS certificate was not accepted: check the clock of this machine "
            "and the certificate of your proxy (REQUESTS_CA_BUNDLE)"
        )
    if kind == "ProxyError":
        return "the proxy of this machine refused"
    return "broken off" if kind == "ChunkedEncodingError" else f"no answer ({kind})"


def _reachable(mirrors: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """Knock at all mirrors at once: without a network a name look-up alone can hang.

    Returns
    -------
    reachable, attempts : list of str
        Mirrors that answered, and one line for each that did not.
    """
    answers: dict[str, str] = {}
    for mirror in mirrors:
        # A daemon: a look-up that hangs must not keep the program from ending.
        threading.Thread(target=_knock, args=(mirror, answers), daemon=True).start()
    end = time.monotonic() + PATIENCE
    while len(answers) < len(mirrors) and time.monotonic() < end:
        time.sleep(0.01)
    said = {m: answers.get(m, f"no answer within {PATIENCE:g} s") for m in mirrors}
    return (
        [mirror for mirror in mirrors if not said[mirror]],
        [f"{mirror}: {said[mirror]}" for mirror in mirrors if said[mirror]],
    )


def _knock(mirror: str, answers: dict[str, str]) -> None:
    from urllib.request import getproxies, proxy_bypass  # slow to import

    url = urlsplit(mirror)
    host, port = url.hostname or "", url.port or _PORTS[url.scheme]
    proxy = getproxies().get(url.scheme)
    through = ""
    if proxy and not proxy_bypass(host):
        door = urlsplit(proxy if "//" in proxy else f"//{proxy}")
        host, port = door.hostname or "", door.port or _PORTS["http"]
        through = f" through the proxy {host}:{port}"
    try:
        socket.create_connection((host, port), timeout=PATIENCE).close()
        answers[mirror] = ""
    except OSError as error:
        answers[mirror] = f"no connection{through} ({error.strerror or error})"
