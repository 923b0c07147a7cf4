# The image: a static binary, a shell (the platform starts connectors through one), certificate authorities.
# No "# syntax=" line, no heredocs, no COPY --link: an engine without internet must be able to build it.
ARG RUST_IMAGE=rust:1.95-slim-bookworm
ARG RUNTIME_IMAGE=scratch

FROM ${RUST_IMAGE} AS builder
WORKDIR /src
ENV CARGO_INCREMENTAL=0 CARGO_TERM_COLOR=never
COPY Cargo.toml Cargo.lock ./
COPY sandbox/Cargo.toml sandbox/
COPY spec ./spec
COPY src ./src
# The workspace names members that are not part of the image; cargo wants to see their targets.
RUN mkdir -p sandbox/src integration_tests examples/rate_control benches/read && \
    touch sandbox/src/lib.rs integration_tests/main.rs benches/read/main.rs \
      examples/data_dictionary.rs examples/rate_control/main.rs
# crt-static: glibc inside the binary. --target keeps the flag away from build scripts.
# touch: cargo compares times of files, so a file older than the last build in the cache would not be built again.
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,target=/src/target,sharing=locked \
    set -eux; \
    find src spec -type f -exec touch {} +; \
    triple="$(rustc -vV | sed -n 's/^host: //p')"; \
    RUSTFLAGS="-C target-feature=+crt-static" \
      cargo build --locked --release --target "${triple}" --bin source-aifi; \
    install -D -m 0555 "target/${triple}/release/source-aifi" /out/source-aifi

FROM ${RUST_IMAGE} AS rootfs
RUN set -eux; \
    apt-get update; \
    apt-get install -y --no-install-recommends busybox-static ca-certificates; \
    mkdir -p /rootfs/bin /rootfs/etc/ssl/certs /rootfs/airbyte /rootfs/config /rootfs/secrets /rootfs/tmp; \
    cp "$(command -v busybox)" /rootfs/bin/busybox; \
    for applet in sh cat cp date echo env false grep head id kill ls mkdir mkfifo mv ps pwd rm sed sleep tail tee test touch true wc; \
      do ln -s busybox "/rootfs/bin/${applet}"; done; \
    cp -L /etc/ssl/certs/ca-certificates.crt /rootfs/etc/ssl/certs/; \
    printf 'root:x:0:0:root:/:/bin/sh\nairbyte:x:1000:1000:airbyte:/airbyte:/bin/sh\n' > /rootfs/etc/passwd; \
    printf 'root:x:0:\nairbyte:x:1000:\n' > /rootfs/etc/group; \
    printf 'hosts: files dns\n' > /rootfs/etc/nsswitch.conf; \
    chown 1000:1000 /rootfs/airbyte /rootfs/config /rootfs/secrets; \
    chmod 1777 /rootfs/tmp

FROM ${RUNTIME_IMAGE}
COPY --from=rootfs /rootfs/ /
COPY --from=builder /out/source-aifi /airbyte/source-aifi
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt \
    AIRBYTE_ENTRYPOINT=/airbyte/source-aifi
WORKDIR /airbyte
USER 1000:1000
ARG VERSION=0.3.0
ARG VCS_REF=unknown
LABEL io.airbyte.name="airbyte/source-aifi" \
      io.airbyte.version="${VERSION}" \
      org.opencontainers.image.title="source-aifi" \
      org.opencontainers.image.description="Airbyte source connector for AiFi orders" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${VCS_REF}" \
      org.opencontainers.image.licenses="MIT"
ENTRYPOINT ["/airbyte/source-aifi"]
