#!/bin/sh
# The browser journeys need Chromium; on Debian and Ubuntu it comes from apt.
set -e
if ! command -v apt-get >/dev/null; then
    echo "Please install Chromium so that 'chromium' is on the PATH; the browser journeys need it." >&2
    exit 1
fi
run=""; [ "$(id -u)" = 0 ] || run=sudo
$run apt-get update -qq
DEBIAN_FRONTEND=noninteractive $run apt-get install -y -qq chromium chromium-driver >/dev/null
