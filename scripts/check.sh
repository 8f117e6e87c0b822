#!/bin/bash
# Every check that needs no running desk, cheapest first; the first that fails ends it.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/.venv/bin:$PATH"
scratch=$(mktemp -d)
current=""
trap 'status=$?; rm -rf "$scratch"; [ $status = 0 ] || echo "check: failed at: $current" >&2' EXIT

step() {
    current=$1
    shift
    local begun=$SECONDS
    printf '== %s\n' "$current"
    "$@"
    printf '   passed in %d s\n' $((SECONDS - begun))
}

schema() {
    .venv/bin/python manage.py spectacular --validate --fail-on-warn --file "$scratch/openapi.yaml"
    diff -u docs/openapi.yaml "$scratch/openapi.yaml" ||
        { echo "docs/openapi.yaml is old: .venv/bin/python manage.py spectacular --file docs/openapi.yaml" >&2; return 1; }
}

templates() {
    git ls-files -z -- '*.html' | xargs -0 -r djade --check --target-version 5.2
}

dangerous() {
    # bandit warns of every word behind `nosec`, where we say why.
    bandit --severity-level medium --quiet --recursive --configfile pyproject.toml . 2> >(grep -v WARNING >&2)
}

registries() {
    if grep -nE '[a-z]+://|--(extra-)?index|--find-links' requirements/*.txt; then
        echo "a lock names where packages come from" >&2
        return 1
    fi
}

step "ruff: style and mistakes" ruff check .
step "ruff: format" ruff format --check .
step "templates (djade)" templates
step "misspelt words (codespell)" codespell
step "locks name no host" registries
step "layers and rooms (import-linter)" lint-imports
step "types (mypy strict)" mypy .
step "dangerous calls (bandit)" dangerous
step "migrations are complete" .venv/bin/python manage.py makemigrations --check --dry-run
step "OpenAPI document is current and valid" schema
step "translations" .venv/bin/python scripts/check_translations.py
step "architecture" pytest -q tests/architecture
echo "check: all passed in $SECONDS s"
