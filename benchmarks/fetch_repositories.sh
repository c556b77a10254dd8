#!/bin/sh
# Fetches the four repositories that tuning is measured on, one a language, none of them in the
# training corpus, into the folder named as the first argument. Each becomes a git repository with
# one commit, as `diffill train` expects. Needs pip, npm, and apt with dpkg-deb (Debian, Ubuntu).
set -eu
into=${1:?usage: fetch_repositories.sh FOLDER}
mkdir -p "$into" && cd "$into"
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT

python3 -m pip download --quiet --no-deps --no-binary :all: --dest "$work" rich==15.0.0
(cd "$work" && npm pack --silent fastify@5.12.8 >/dev/null)
(cd "$work" && apt-get download -q golang-github-spf13-cobra-dev librust-toml-edit-dev)

tar -xzf "$work"/rich-*.tar.gz && mv rich-* rich
tar -xzf "$work"/fastify-*.tgz && mv package fastify
for deb in "$work"/*.deb; do dpkg-deb -x "$deb" "$work/debian"; done
mv "$work"/debian/usr/share/gocode/src/github.com/spf13/cobra cobra
mv "$work"/debian/usr/share/cargo/registry/toml*edit* toml_edit

for name in rich fastify cobra toml_edit; do
  git -C "$name" init --quiet
  git -C "$name" add --all
  git -C "$name" -c user.name=benchmark -c user.email=benchmark@localhost commit --quiet -m fetched
done
echo "python benchmarks/tune_repository.py $into/rich $into/cobra $into/toml_edit $into/fastify"
