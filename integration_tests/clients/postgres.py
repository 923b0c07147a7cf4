"""A PostgreSQL server of one's own, on loopback, in a temporary folder."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Self

import psycopg2


def binaries() -> Path | None:
    """The folder of the newest server that is installed."""
    versions = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if versions:
        return max(versions, key=lambda path: float(path.parent.name))
    found = shutil.which("initdb")
    return Path(found).resolve().parent if found else None


class Postgres:
    """Runs as long as the block it is used in. With a primary it is a standby that follows it."""

    def __init__(self, binaries: Path, primary: Postgres | None = None) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="aifi-postgres-"))
        # The server refuses to be run by root.
        self.user: dict[str, Any] = {}
        if os.getuid() == 0:
            names = {entry.pw_name: entry for entry in pwd.getpwall()}
            user = names.get("postgres") or names["nobody"]
            os.chown(self.folder, user.pw_uid, user.pw_gid)
            self.user = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        data = self.folder / "data"
        if primary:
            make = [binaries / "pg_basebackup", "--pgdata", data, "--write-recovery-conf"]
            make += ["--checkpoint=fast", "--no-sync", f"--dbname={primary.url('postgres')}"]
        else:
            make = [binaries / "initdb", "--pgdata", data, "--username=aifi", "--auth=trust"]
            make += ["--encoding=UTF8", "--locale=C", "--no-sync"]
        self.log = self.folder / "log"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        server = [binaries / "postgres", "-D", data, "-p", str(self.port), "-c", "fsync=off"]
        server += ["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]
        with self.log.open("w") as log:
            there = {"cwd": self.folder, "stdout": log, "stderr": log, **self.user}
            subprocess.run(make, check=True, **there)
            self.process = subprocess.Popen(server, **there)
        self.version = self._wait()

    def _wait(self) -> str:
        for _ in range(300):
            try:
                return self.execute("show server_version").split()[0]
            except psycopg2.OperationalError:
                assert self.process.poll() is None, self.log.read_text()
                time.sleep(0.1)
        raise TimeoutError(self.log.read_text())

    def execute(self, statement: str) -> str:
        connection = psycopg2.connect(
            host="127.0.0.1", port=self.port, user="aifi", dbname="postgres"
        )
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return cursor.fetchone()[0] if cursor.description else ""
        finally:
            connection.close()

    def url(self, database: str) -> str:
        return f"postgres://aifi@127.0.0.1:{self.port}/{database}"

    def set(self, setting: str, value: str) -> None:
        self.execute(f"alter system set {setting} = '{value}'")
        self.execute("select pg_reload_conf()")

    def wait_for(self, count: str) -> None:
        """Until a statement counts more than 0, or says that something is so."""
        for _ in range(300):
            if self.execute(count):
                return
            time.sleep(0.02)
        raise TimeoutError(f"{count}: {self.log.read_text()}")

    def crash(self) -> None:
        """Ends at once, without a word to clients and standbys."""
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # On this signal it does not wait for its clients, which keep their connections.
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
