"""A browser without a window, for the tests of pages: what it complains about and what it asks the network for."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
MISSING = "no chromium is installed (apt-get install chromium)"

_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--allow-file-access-from-files",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--dump-dom",
    "--enable-logging=stderr",
)


class Visit(NamedTuple):
    """What a page did in the browser."""

    dom: str
    console: list[str]
    """Everything on the console, errors of the security policy included."""

    requests: list[str]
    """Addresses asked from the network; reading the file itself is none."""


def visit(page: Path, folder: Path, width: int = 1200, height: int = 3000) -> Visit:
    """Load a page; leave a picture of it, `<page>-<width>.png`, in `folder`."""
    log = folder / "net.json"
    options = [f"--user-data-dir={folder / 'profile'}", f"--log-net-log={log}", f"--window-size={width},{height}"]
    options += [f"--screenshot={folder / f'{page.stem}-{width}.png'}"]
    command = [CHROMIUM, *_FLAGS, *options, page.resolve().as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=True, timeout=120)
    shutil.rmtree(folder / "profile", ignore_errors=True)
    return Visit(done.stdout, re.findall(r"CONSOLE[:(].*", done.stderr), _requests(log))


def _requests(log: Path) -> list[str]:
    """Return the addresses in a network log that a page asked for; the browser itself has requests of its own."""
    events = [event.get("params", {}) for event in json.loads(log.read_text(encoding="utf-8"))["events"]]
    asked = [event for event in events if "method" in event and event.get("initiator") != "not an origin"]
    return sorted({event["url"] for event in asked})
