#!/bin/sh
# tree.sh TREE BINARY BUSYBOX: lays out the image's files in the new folder TREE. Needs a Debian or one of its
# descendants, for its certificate authorities, and root, for the owners of files.
set -eu
tree="$1" binary="$2" busybox="$3"

mkdir -p "${tree}/bin" "${tree}/etc/ssl/certs" "${tree}/var/lib/dpkg/status.d" \
  "${tree}/airbyte" "${tree}/config" "${tree}/secrets" "${tree}/tmp"
install -m 0555 "${binary}" "${tree}/airbyte/source-aifi"

# The platform starts connectors through a shell script that calls sleep and mv; the rest is for people who look inside.
install -m 0755 "${busybox}" "${tree}/bin/busybox"
for applet in sh cat cp date echo env false grep head id kill ls mkdir mkfifo mv ps pwd rm sed sleep tail tee test touch true wc; do
  ln -s busybox "${tree}/bin/${applet}"
done

# From the package itself: what was added to the bundle of the building machine stays there.
find /usr/share/ca-certificates/mozilla -name '*.crt' | LC_ALL=C sort | xargs cat >"${tree}/etc/ssl/certs/ca-certificates.crt"
printf 'root:x:0:0:root:/:/bin/sh\nairbyte:x:1000:1000:airbyte:/airbyte:/bin/sh\n' >"${tree}/etc/passwd"
printf 'root:x:0:\nairbyte:x:1000:\n' >"${tree}/etc/group"
printf 'hosts: files dns\n' >"${tree}/etc/nsswitch.conf"

# For scanners: what is Debian's in here, libc6 being inside the binary.
cp -L /etc/os-release "${tree}/etc/os-release"
for package in busybox-static ca-certificates libc6-dev; do
  if dpkg -s "${package}" >"${tree}/status" 2>/dev/null; then
    grep -E '^(Package|Status|Source|Version|Architecture):' "${tree}/status" >"${tree}/var/lib/dpkg/status.d/${package}"
  fi
done
rm -f "${tree}/status"

find "${tree}" -type d -exec chmod 0755 {} +
find "${tree}/etc" "${tree}/var" -type f -exec chmod 0644 {} +
chown -R 0:0 "${tree}"
chown 1000:1000 "${tree}/airbyte" "${tree}/config" "${tree}/secrets"
chmod 1777 "${tree}/tmp"
find "${tree}" -exec touch -h -d "@${SOURCE_DATE_EPOCH:-0}" {} +
