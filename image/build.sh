#!/bin/sh
# build.sh [PROGRAM]: builds the connector, or the program of that name, as the image holds it: static, with the list of
# its crates inside. Prints where it is.
# The Dockerfile and the tests of machines without an engine build with it, so both build the same.
set -eu
program="${1:-source-aifi}"

triple="$(rustc -vV | sed -n 's/^host: //p')"
cargo fetch --locked >&2
# The bytes are to be the same wherever it is built, so the paths of this machine are named anew: this folder, and where
# a registry keeps its crates, which is named after its address.
flags="-C target-feature=+crt-static --remap-path-prefix=${PWD}=/src"
for registry in "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*/; do
  flags="${flags} --remap-path-prefix=${registry%/}=/crates"
done
# --target keeps the flags away from build scripts and macros, which a static libc would break.
RUSTFLAGS="${flags}" \
  cargo auditable build --locked --profile dist --target "${triple}" -p "${program}" --bin "${program}" >&2
echo "${CARGO_TARGET_DIR:-target}/${triple}/dist/${program}"
