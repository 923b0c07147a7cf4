"""The sandbox, but for its list of stores: that has two items more, of which no record can be made."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

# By the reason that the connector gives.
ITEMS = {"no_id": {"name": "Nobody's store"}, "not_an_object": "Berlin"}


class Spoiled:
    """Passes requests on to an API, ended with the block it is used in."""

    def __init__(self, base_url: str) -> None:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                names = [name for name in ("Authorization", "Accept") if name in self.headers]
                asked = urllib.request.Request(base_url + self.path, headers={name: self.headers[name] for name in names})
                try:
                    with urllib.request.urlopen(asked) as answer:
                        status, headers, body = answer.status, answer.headers, answer.read()
                except urllib.error.HTTPError as refused:
                    status, headers, body = refused.code, refused.headers, refused.read()
                if status == 200 and self.path.startswith("/stores"):
                    body = spoiled(body)
                self.send_response(status)
                for name in ("Content-Type", "Date", "Retry-After"):
                    if name in headers:
                        self.send_header(name, headers[name])
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def send_response(self, code: int, message: str | None = None) -> None:
                self.send_response_only(code, message)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()


def spoiled(body: bytes) -> bytes:
    of = json.loads(body)
    if of["stores"]:
        of["stores"] += ITEMS.values()
    return json.dumps(of).encode()
