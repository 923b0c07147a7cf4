# The image: a static binary, a shell (the platform starts connectors through one), certificate authorities.
# No "# syntax=" line, no heredocs, no COPY --link: an engine without internet must be able to build it.
# For each platform it builds on that platform, amd64 and arm64 alike. See docs/image.md.
ARG RUST_IMAGE=rust:1.95-slim-bookworm
ARG RUNTIME_IMAGE=scratch

FROM ${RUST_IMAGE} AS builder
WORKDIR /src
ENV CARGO_INCREMENTAL=0 CARGO_TERM_COLOR=never PATH=/opt/auditable/bin:${PATH}
# Puts the list of crates into the binary.
ARG AUDITABLE_VERSION=0.7.7
# The name of the build caches: two different ones share nothing.
ARG CACHE=source-aifi
RUN --mount=type=cache,id=${CACHE}-registry,target=/usr/local/cargo/registry,sharing=locked \
    cargo install --locked --root /opt/auditable "cargo-auditable@${AUDITABLE_VERSION}"
COPY Cargo.toml Cargo.lock ./
COPY inbox/Cargo.toml inbox/
COPY quickstart/Cargo.toml quickstart/
COPY sandbox/Cargo.toml sandbox/
COPY image/build.sh image/
# Where the user page of this build is: the form links to it.
ARG AIFI_DOCS_URL
COPY spec ./spec
COPY src ./src
# The workspace names members that are not part of the image; cargo wants to see their targets.
RUN mkdir -p inbox/src quickstart/src sandbox/src integration_tests examples/data_dictionary examples/rate_control benches/read && \
    touch inbox/src/lib.rs inbox/src/main.rs quickstart/src/main.rs sandbox/src/lib.rs integration_tests/main.rs benches/read/main.rs \
      examples/data_dictionary/main.rs examples/rate_control/main.rs
# touch: cargo compares times of files, so a file older than the last build in the cache would not be built again.
RUN --mount=type=cache,id=${CACHE}-registry,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,id=${CACHE}-target,target=/src/target,sharing=locked \
    set -eux; \
    find src spec -type f -exec touch {} +; \
    binary="$(sh image/build.sh)"; \
    install -D -m 0555 "${binary}" /out/source-aifi

FROM ${RUST_IMAGE} AS tree
# A base image that has both already needs no package mirror.
RUN dpkg -s busybox-static ca-certificates >/dev/null 2>&1 || { \
      apt-get update && apt-get install -y --no-install-recommends busybox-static ca-certificates; }
COPY image/tree.sh /
COPY --from=builder /out/source-aifi /out/
# The time that every file gets, and with newer engines the image too.
ARG SOURCE_DATE_EPOCH=0
RUN sh /tree.sh /tree /out/source-aifi "$(command -v busybox)"

FROM ${RUNTIME_IMAGE}
COPY --from=tree /tree/ /
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt \
    AIRBYTE_ENTRYPOINT=/airbyte/source-aifi
WORKDIR /airbyte
USER 1000:1000
ARG VERSION=0.4.0
ARG VCS_REF=unknown
# Where the source lies is not known here: a build gives it with --label org.opencontainers.image.source=...
LABEL io.airbyte.name="airbyte/source-aifi" \
      io.airbyte.version="${VERSION}" \
      org.opencontainers.image.title="source-aifi" \
      org.opencontainers.image.description="Airbyte source connector for AiFi orders" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${VCS_REF}" \
      org.opencontainers.image.documentation="https://docs.airbyte.com/integrations/sources/aifi" \
      org.opencontainers.image.licenses="MIT"
ENTRYPOINT ["/airbyte/source-aifi"]
