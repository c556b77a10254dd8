#!/usr/bin/env bash
# Installs what the Emacs tests drive: Emacs without a display, eglot and lsp-mode, from the
# system's packages. Running it again does nothing.
# Exit 3: they cannot be had here. Why is said in one line; the tests, which are skipped, name the
# packages.
set -euo pipefail

cannot() {
  echo "no Emacs to drive: $1" >&2
  exit 3
}

packages=/usr/share/emacs/site-lisp/elpa-src
missing=()
command -v emacs >/dev/null || missing+=(emacs-nox)
compgen -G "$packages/eglot-*" >/dev/null || missing+=(elpa-eglot)
compgen -G "$packages/lsp-mode-*" >/dev/null || missing+=(elpa-lsp-mode)
if [ ${#missing[@]} -gt 0 ]; then
  command -v apt-get >/dev/null || cannot "there is no apt-get for ${missing[*]}"
  [ "$(id -u)" = 0 ] || cannot "these packages are missing: sudo apt-get install --no-install-recommends ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  (apt-get update && apt-get install -y --no-install-recommends "${missing[@]}") >&2 \
    || cannot "apt-get could not install ${missing[*]}"
fi
emacs --version | head -n 1
