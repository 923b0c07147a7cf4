"""The checkout inbox, with a store of one kind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import urllib.request
from pathlib import Path
from typing import Any, Self

from sandbox import BINARIES

SENDER, READER = "secret", "reader-0123456789"


class Inbox:
    """The service on a free port, which it keeps; ended with the block it is used in."""

    def __init__(self, store: str, folder: Path) -> None:
        self.store, self.folder, self.listen = store, folder, "127.0.0.1:0"
        self.process = self._start()

    def _start(self) -> subprocess.Popen[str]:
        command = [BINARIES / "aifi-inbox", "serve", "--listen", self.listen, "--store", self.store]
        tokens = {"AIFI_INBOX_TOKENS": SENDER, "AIFI_INBOX_READ_TOKENS": READER}
        process = subprocess.Popen(
            command, cwd=self.folder, env=os.environ | tokens, stderr=subprocess.PIPE, text=True
        )
        assert process.stderr is not None
        for line in process.stderr:
            told = json.loads(line)["fields"] if line.startswith("{") else {}
            if "address" in told:
                self.listen = told["address"]
                return process
        raise RuntimeError("the inbox has ended")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()

    def url(self, path: str = "") -> str:
        return f"http://{self.listen}{path}"

    def config(self) -> dict[str, Any]:
        return {"inbox_url": self.url(), "inbox_read_token": READER}

    def kill(self, store: str | None = None) -> None:
        """As `kill -9` does, and starts it again where it listened; on another store, if one is given."""
        self.store = store or self.store
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process = self._start()

    def events(self) -> set[str]:
        """What names each event that it has."""
        request = urllib.request.Request(self.url("/v1/events?after=0"))
        request.add_header("Authorization", f"Bearer {READER}")
        with urllib.request.urlopen(request) as answer:
            page = json.load(answer)
        assert not page["more"], "more than a page"
        return {event["event"] for event in page["events"]}
