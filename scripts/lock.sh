#!/bin/sh
# Makes the hashed locks for all supported versions and systems. They name no host: where packages come from is
# the reader's own pip configuration.
set -eu
cd "$(dirname "$0")/.."
compile() {
    output=$1
    shift
    .venv/bin/uv pip compile pyproject.toml --universal --generate-hashes --python-version 3.11 --quiet \
        --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" --output-file "$output" "$@"
    if grep -nE '[a-z]+://|--(extra-)?index|--find-links' "$output"; then
        echo "lock: $output names where packages come from" >&2
        exit 1
    fi
    echo "lock: $output $(grep -c '^[a-z].*==' "$output") packages"
}
# Without --upgrade what is locked stays, unless pyproject.toml asks for more.
compile requirements/run.txt --extra embedded "$@"
compile requirements/dev.txt --extra embedded --extra dev --extra e2e --constraint requirements/run.txt "$@"
