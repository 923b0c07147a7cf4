"""Makes an executable that runs the connector and stops a read in the middle."""

from __future__ import annotations

import sys
from pathlib import Path

from sandbox import CONNECTOR

SCRIPT = """#!{python}
import os, subprocess, sys
run = subprocess.Popen([{connector!r}, *sys.argv[1:]], stdout=subprocess.PIPE)
if sys.argv[1] != "read":
    sys.stdout.buffer.write(run.communicate()[0])
    sys.exit(run.returncode)
for count, line in enumerate(run.stdout):
    sys.stdout.buffer.write(line)
    if count == {lines}:
        run.send_signal({signal})
sys.stdout.buffer.flush()
run.wait()
# Ends as the connector did.
if run.returncode < 0:
    os.kill(os.getpid(), -run.returncode)
sys.exit(run.returncode)
"""


def after(lines: int, signal: int, folder: Path) -> Path:
    """An executable whose read gets a signal when it has written so many lines."""
    path = folder / "source-aifi-interrupted"
    script = SCRIPT.format(
        python=sys.executable, connector=str(CONNECTOR), lines=lines, signal=int(signal)
    )
    path.write_text(script)
    path.chmod(0o755)
    return path
