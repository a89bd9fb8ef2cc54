#!/bin/sh
# Finds a Chromium for the tests of the studio, or gets one: from the distribution as root, else from Playwright.
# Without one those tests are skipped, with the reason.
set -eu
for name in chromium chromium-browser google-chrome google-chrome-stable; do
    if command -v "$name" >/dev/null; then exit 0; fi
done
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "getting chromium for the tests of the studio"
    apt-get update -qq >/dev/null 2>&1 || true
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null 2>&1 && exit 0
fi
"$1" -m playwright install chromium >/dev/null 2>&1 || echo "no Chromium could be had: the tests of the studio will be skipped"
