# The commands of a day's work; `just` lists them. CONTRIBUTING.md says more of each.

[private]
default:
    @just --list

# from nothing to synced orders: the first minute
quickstart:
    cargo run -p quickstart

# the pure parts, in seconds once built; ARGS are a filter
test *ARGS:
    cargo test --lib {{ARGS}}

# one test of the behaviour through the protocol, such as `just behaviour faults::`
behaviour FILTER:
    cargo test --test integration {{FILTER}}

# everything that a compiler or a text search finds
lint:
    cargo fmt --all --check -- sandbox/src/lists/*.rs
    cargo clippy --workspace --all-targets --locked -- -D warnings
    .ci/comment-width
    .ci/deny

# all tests of all members; nextest, if it is installed, names the slow ones
test-all:
    #!/usr/bin/env bash
    set -euo pipefail
    if cargo nextest --version >/dev/null 2>&1; then
      cargo nextest run --workspace --locked
      cargo test --workspace --locked --doc
    else
      cargo test --workspace --locked
    fi

# what must pass before a change lands
gate:
    bash .ci/run
