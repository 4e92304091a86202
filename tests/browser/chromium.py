"""Chromium, headless, with a profile of its own: what a page becomes in it, and what it asks the network for."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

_BROWSERS_OWN = "not an origin"
"""What Chromium's log names as the initiator of its own requests (for updates and the like), which no page makes."""


class Chromium:
    """A browser that resolves no names; `directory` is for its profile and logs."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._log = directory / "net.json"

    def shown(self, page: Path, *, dark: bool = False) -> str:
        """The document as it is once the page is loaded and laid out."""
        done = subprocess.run(
            [
                *("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
                *("--no-first-run", "--disable-background-networking", "--disable-component-update"),
                f"--user-data-dir={self._directory / 'profile'}",
                "--host-resolver-rules=MAP * ~NOTFOUND",
                f"--blink-settings=preferredColorScheme={0 if dark else 1}",
                "--window-size=1200,2000",
                f"--log-net-log={self._log}",
                "--dump-dom",
                page.as_uri(),
            ],
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        return done.stdout

    def requests(self) -> list[str]:
        """What the page that was shown last asked the network for, answered or not."""
        log = json.loads(self._log.read_text())
        start = log["constants"]["logEventTypes"]["URL_REQUEST_START_JOB"]
        begun = [event.get("params", {}) for event in log["events"] if event["type"] == start]
        return [each["url"] for each in begun if "url" in each and each["initiator"] != _BROWSERS_OWN]
