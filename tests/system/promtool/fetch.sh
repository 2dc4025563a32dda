#!/bin/sh
# Makes bin/promtool: the one on the PATH, else that of Debian's (and Ubuntu's) package of Prometheus. The package is unpacked
# and not installed, which would need root and start a server. Its lists are read into this directory, for the same reason.
set -eu
mkdir -p bin
if found=$(command -v promtool); then
    ln -s "$found" bin/promtool
    exit
fi
mkdir -p lists/partial cache/archives/partial
apt() {
    apt-get -qq -o Dir::State::Lists="$PWD/lists" -o Dir::Cache="$PWD/cache" -o APT::Sandbox::User="$(id -un)" "$@"
}
apt update
apt download prometheus
dpkg-deb --fsys-tarfile prometheus_*.deb | tar --extract --strip-components=2 ./usr/bin/promtool
rm -r lists cache prometheus_*.deb
