#!/bin/sh
# inbox-tree.sh TREE BINARY: lays out the files of the inbox's image in the new folder TREE. Needs a Debian or one of
# its descendants, for its certificate authorities, and root, for the owners of files.
set -eu
tree="$1" binary="$2"

mkdir -p "${tree}/etc/ssl/certs" "${tree}/var/lib/dpkg/status.d" "${tree}/data"
install -m 0555 "${binary}" "${tree}/aifi-inbox"

# From the package itself: what was added to the bundle of the building machine stays there.
find /usr/share/ca-certificates/mozilla -name '*.crt' | LC_ALL=C sort | xargs cat >"${tree}/etc/ssl/certs/ca-certificates.crt"
printf 'root:x:0:0:root:/:/none\ninbox:x:1000:1000:inbox:/data:/none\n' >"${tree}/etc/passwd"
printf 'root:x:0:\ninbox:x:1000:\n' >"${tree}/etc/group"
printf 'hosts: files dns\n' >"${tree}/etc/nsswitch.conf"

# For scanners: what is Debian's in here, libc6 being inside the binary.
cp -L /etc/os-release "${tree}/etc/os-release"
for package in ca-certificates libc6-dev; do
  if dpkg -s "${package}" >"${tree}/status" 2>/dev/null; then
    grep -E '^(Package|Status|Source|Version|Architecture):' "${tree}/status" >"${tree}/var/lib/dpkg/status.d/${package}"
  fi
done
rm -f "${tree}/status"

find "${tree}" -type d -exec chmod 0755 {} +
find "${tree}/etc" "${tree}/var" -type f -exec chmod 0644 {} +
chown -R 0:0 "${tree}"
chown 1000:1000 "${tree}/data"
find "${tree}" -exec touch -h -d "@${SOURCE_DATE_EPOCH:-0}" {} +
