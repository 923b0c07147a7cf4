#!/usr/bin/env python3
"""Draws docs/terminal.svg, the picture of the connector at work, from a real run against the sandbox.

    cargo build --release --workspace
    python3 docs/terminal.py target/release

Needs jq and curl. What a reader would type is run as it stands below, in a folder of its own; what it prints is what is drawn.
Lines that begin with a blank are run, but neither they nor what they print are shown.
"""

import html
import json
import os
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

SCRIPT = r"""
source-aifi check --config config.json | jq -r .connectionStatus.message
source-aifi read --config config.json --catalog catalog.json > first.jsonl
jq -r 'select(.type == "LOG").log.message' first.jsonl
 curl -s -X POST 'http://127.0.0.1:8080/_sandbox/advance?seconds=10800' > now.json
 curl -s -X POST 'http://127.0.0.1:8080/_sandbox/orders?count=500' > new.json
 curl -s -X POST "http://127.0.0.1:8080/_sandbox/contest?id=$(grep -m1 -o '"id":100[0-9]*,"version":1.*"paid"' first.jsonl | grep -o '[0-9]*' | head -1)" > contested.json
 curl -s -X POST 'http://127.0.0.1:8080/_sandbox/advance?seconds=180' > now.json
# three hours later: 500 new orders, and one that was contested
grep '"STATE"' first.jsonl | tail -n 1 | jq -c '[.state]' > state.json
source-aifi read --config config.json --catalog catalog.json --state state.json > second.jsonl
jq -r 'select(.type == "LOG").log.message' second.jsonl
cat first.jsonl second.jsonl | grep -o '"id":[0-9]*,"version"' | sort -u | wc -l    # orders written
curl -s http://127.0.0.1:8080/_sandbox/expected | jq length    # orders in the API
"""

COLUMNS, WIDTH, LINE, TOP = 108, 900, 18, 44
COLOURS = {"prompt": "#7ee787", "command": "#e6edf3", "comment": "#8b949e", "output": "#b6c2cf"}


def run(programs):
    """The lines to draw: (kind, text)."""
    folder = Path(tempfile.mkdtemp())
    environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}
    config = {
        "credentials": {"auth_type": "access_token", "access_token": "sandbox-token-0123456789"},
        "start_date": "2025-01-01T00:00:00Z",
        "base_url": "http://127.0.0.1:8080/api/admin/v2",
    }
    catalog = {"streams": [{
        "stream": {"name": "orders", "json_schema": {}},
        "sync_mode": "incremental",
        "destination_sync_mode": "append_dedup",
    }]}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "catalog.json").write_text(json.dumps(catalog))
    sandbox = subprocess.Popen(
        [f"{programs}/aifi-sandbox", "--orders", "20000", "--limit", "20", "--latency-ms", "30"],
        stdout=subprocess.PIPE, text=True,
    )
    lines = []
    try:
        sandbox.stdout.readline()
        for command in filter(None, SCRIPT.split("\n")):
            done = subprocess.run(
                ["bash", "-o", "pipefail", "-c", command], cwd=folder, env=environment, capture_output=True, text=True,
            )
            if done.returncode:
                sys.exit(f"{command}\n{done.stdout[-2000:]}{done.stderr}")
            if command.startswith(" "):
                continue
            lines.append(("comment" if command.startswith("#") else "command", command))
            lines += [("output", line) for line in done.stdout.splitlines()]
    finally:
        sandbox.terminate()
    return lines


def wrapped(lines):
    for kind, text in lines:
        prompt = "$ " if kind == "command" else ""
        for number, piece in enumerate(textwrap.wrap(prompt + text, COLUMNS, subsequent_indent="  ")):
            yield kind, piece, bool(prompt) and number == 0


def drawn(lines):
    rows = list(wrapped(lines))
    height = TOP + LINE * len(rows) + 14
    svg = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        'font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, \'DejaVu Sans Mono\', monospace" font-size="13">',
        "<!-- drawn by docs/terminal.py -->",
        f'<rect x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" rx="8" fill="#0d1117" stroke="#57606a"/>',
    ]
    svg += [f'<circle cx="{x}" cy="18" r="5" fill="{c}"/>' for x, c in ((20, "#ff5f57"), (38, "#febc2e"), (56, "#28c840"))]
    for number, (kind, text, first) in enumerate(rows):
        y = TOP + LINE * number + 8
        # textLength keeps the columns whatever font is there
        length = f'textLength="{len(text) * 8:.0f}" lengthAdjust="spacingAndGlyphs"'
        body = html.escape(text.replace(" ", "\u00a0"), quote=False)
        if first:
            body = f'<tspan fill="{COLOURS["prompt"]}">$</tspan>' + body[1:]
        svg.append(f'<text x="16" y="{y}" fill="{COLOURS[kind]}" {length}>{body}</text>')
    return "\n".join(svg) + "\n</svg>\n"


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    picture = Path(__file__).parent / "terminal.svg"
    picture.write_text(drawn(run(Path(sys.argv[1]).resolve())))
    print(picture)
