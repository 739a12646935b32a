#!/bin/sh
# Prints the path of a Chromium: $CHROMIUM, else one on the PATH, else Debian's, which it installs if it may.
set -eu

# Chromium without its windows, which needs half the processor time.
shell=chromium-headless-shell

find_chromium() {
    for name in $shell chromium chromium-browser google-chrome google-chrome-stable; do
        if command -v "$name"; then return 0; fi
    done
    return 1
}

if [ -n "${CHROMIUM:-}" ]; then
    command -v "$CHROMIUM" || {
        echo "chromium.sh: CHROMIUM=$CHROMIUM is no program" >&2
        exit 1
    }
    exit 0
fi
if find_chromium; then exit 0; fi

if ! command -v apt-get >/dev/null; then
    sudo=none
elif [ "$(id -u)" = 0 ]; then
    sudo=
elif sudo -n true 2>/dev/null; then
    sudo="sudo -n"
else
    sudo=none
fi
if [ "$sudo" = none ]; then
    echo "chromium.sh: the browser tests need Chromium: install chromium or google-chrome, or set CHROMIUM=/path/to/it" >&2
    exit 1
fi
echo "chromium.sh: no Chromium here: installing one, and the fonts of fonts-noto-cjk, with apt-get" >&2
$sudo env DEBIAN_FRONTEND=noninteractive apt-get update -qq >&2
# Ubuntu has no package of the first name.
for package in $shell chromium; do
    if $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $package fonts-noto-cjk >&2; then
        break
    fi
done
find_chromium
