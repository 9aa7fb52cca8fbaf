#!/usr/bin/env bash
# What `make check` says about the code without running it: style, types, the direction of imports, the migrations' SQL.
# All of them run even when one fails; the exit code tells whether any did.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
PATH=$PWD/.venv/bin:$PATH
failed=0
check() { printf '== %s\n' "$*"; "$@" || failed=1; }

check ruff check .
check ruff format --check .
check basedpyright
check lint-imports
sql=$(mktemp --suffix=.sql)
trap 'rm -f "$sql"' EXIT
if alembic upgrade head --sql >"$sql" 2>"$sql.log"; then
    check squawk --config .squawk.toml "$sql"
else
    cat "$sql.log"
    failed=1
fi
rm -f "$sql.log"
exit $failed
