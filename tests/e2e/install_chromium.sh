#!/bin/sh
# The browser journeys need Chromium, and npm for the accessibility rules; on Debian and Ubuntu both come from apt.
set -e
wanted=""
command -v chromium >/dev/null || wanted="chromium chromium-driver"
command -v npm >/dev/null || wanted="$wanted npm"
[ -n "$wanted" ] || exit 0
if ! command -v apt-get >/dev/null; then
    echo "Please install so that they are on the PATH: $wanted. The browser journeys need them." >&2
    exit 1
fi
run=""; [ "$(id -u)" = 0 ] || run=sudo
$run apt-get update -qq
DEBIAN_FRONTEND=noninteractive $run apt-get install -y -qq $wanted >/dev/null
