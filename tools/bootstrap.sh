#!/usr/bin/env bash
# Installs what the commands of the Makefile need, and nothing else: PostgreSQL with PostGIS and a Chinese font from Debian's packages (by
# root, or by a sudo that asks nothing) and the Python environment in .venv. Run again, it finds everything in place and ends in a fraction of a second.
#
#   tools/bootstrap.sh             install what is missing
#   tools/bootstrap.sh tests       the same, and the browser that the tests look at maps with
#   tools/bootstrap.sh demo PORT   install, then build the demo district and serve it until Ctrl-C
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin # a plain `su` keeps the path of an ordinary user, and dpkg refuses to work without these
unset PYTHONDONTWRITEBYTECODE PYTHONHOME PYTHONPATH VIRTUAL_ENV  # compiled modules make every command start three times as fast

die() { printf 'gridmgmt: %s\n' "$1" >&2; exit 1; }
say() { printf '\033[2m%s\033[0m\n' "$1" >&2; }
[ -t 2 ] || say() { printf '%s\n' "$1" >&2; }

python_of_the_machine() {
    local candidate
    for candidate in python3 python3.14 python3.13 python3.12 python3.11; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    die "Python 3.11 or newer is needed: apt-get install python3 python3-venv"
}

# Major version of the newest installed PostgreSQL >= 15 with PostGIS >= 3.3; the same question as gridmgmt/operations/server.py asks.
installed_postgis() {
    local config sharedir version
    for config in $(ls -rvd /usr/lib/postgresql/*/bin/pg_config /usr/pgsql-*/bin/pg_config 2>/dev/null) "$(command -v pg_config || true)"; do
        [ -x "$config" ] && [ -x "$("$config" --bindir)/postgres" ] || continue
        sharedir=$("$config" --sharedir)
        [ -e "$sharedir/extension/btree_gist.control" ] && [ -e "$sharedir/extension/postgis.control" ] || continue
        version=$("$config" --version | grep -oE '[0-9]+' | head -n 1)
        [ "$version" -ge 15 ] || continue
        grep -qE "^default_version *= *'(3\.([3-9]|[1-9][0-9])|[4-9]|[1-9][0-9])" "$sharedir/extension/postgis.control" || continue
        printf '%s\n' "$version"
        return
    done
}

has_venv() { "$1" -c 'import ensurepip, venv' 2>/dev/null; }

has_font() { # the Chinese font that bulletins are set in
    [ -n "$(find /usr/share/fonts /usr/local/share/fonts "${HOME:-/nowhere}/.fonts" "${HOME:-/nowhere}/.local/share/fonts" \
        -name 'NotoSansCJK*' -print -quit 2>/dev/null)" ]
}

has_browser() { command -v chromium || command -v chromium-browser || command -v google-chrome; } >/dev/null

install_packages() { # install_packages PYTHON [tests]: system packages, only those that are missing
    local wanted=() sudo=() version
    has_venv "$1" || wanted+=("$(basename "$(readlink -f "$1")")-venv")
    [ -n "$(installed_postgis)" ] || wanted+=(postgis)
    has_font || wanted+=(fonts-noto-cjk)
    [ "${2:-}" != tests ] || has_browser || wanted+=(chromium)
    [ ${#wanted[@]} -gt 0 ] || return 0

    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null && sudo -n true 2>/dev/null || die "system packages are missing; install them once as root and run this again:
    apt-get update && apt-get install $(needed_names "${wanted[@]}")"
        sudo=(sudo -n)
    fi
    command -v apt-get >/dev/null || die "this machine has no apt-get; install PostgreSQL 15 or newer with PostGIS 3.3 or newer, and Python's venv module"
    say "Installing system packages"
    "${sudo[@]}" apt-get -o DPkg::Lock::Timeout=300 -qq update || say "The package lists could not be brought up to date; trying the present ones"
    # Debian would start a database server of its own for each new PostgreSQL; ours is a private one.
    local folder=/etc/postgresql-common/createcluster.d
    "${sudo[@]}" mkdir -p $folder
    printf 'create_main_cluster = false\n' | "${sudo[@]}" tee $folder/gridmgmt.conf >/dev/null
    # shellcheck disable=SC2064 # the names are known now
    trap "${sudo[*]} rm -f $folder/gridmgmt.conf; ${sudo[*]} rmdir $folder 2>/dev/null || true" EXIT
    # shellcheck disable=SC2046 # several names
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -qq -y --no-install-recommends \
        install $(needed_names "${wanted[@]}") >&2 || die "installing $(needed_names "${wanted[@]}") failed; apt-get says why above"
    "${sudo[@]}" rm -f $folder/gridmgmt.conf
    "${sudo[@]}" rmdir $folder 2>/dev/null || true
    trap - EXIT

    version=$(installed_postgis)
    [ -n "$version" ] || die "the packages are installed, but no PostgreSQL 15 or newer with PostGIS 3.3 or newer is there"
    [ "${2:-}" != tests ] || has_browser || die "the packages are installed, but no Chromium is there"
    has_venv "$1" || die "$1 has no venv module, and no Debian package brings one for it; put Debian's python3 first in PATH"
}

needed_names() { # the packages' names; PostgreSQL's hold the newest version on offer
    local name version
    for name; do
        if [ "$name" = postgis ]; then
            version=$(apt-cache --names-only search '^postgresql-[0-9]+-postgis-3$' | sed -nE 's/^postgresql-([0-9]+)-.*/\1/p' | sort -n | tail -n 1)
            printf 'postgresql-%s postgresql-%s-postgis-3 ' "${version:-15}" "${version:-15}"
        else
            printf '%s ' "$name"
        fi
    done
}

fingerprint() { { pwd; "$1" -V; cat requirements.lock pyproject.toml; } | sha256sum | cut -d ' ' -f 1; }

install_environment() { # install_environment PYTHON: .venv as the lock says, when the lock, the project's declaration or the folder changed
    local print
    print=$(fingerprint "$1")
    [ "$(cat .venv/stamp 2>/dev/null || true)" != "$print" ] || return 0
    [ -w . ] || die "$PWD is not yours to write to, and its .venv is missing or out of date"
    say "Installing the Python environment"
    rm -f .venv/stamp
    if ! .venv/bin/python -c 'import pip, sys; sys.exit(sys.prefix == sys.base_prefix)' 2>/dev/null || [ "$(cat .venv/folder 2>/dev/null || true)" != "$PWD" ]; then
        rm -rf .venv
        "$1" -m venv .venv
        printf '%s' "$PWD" >.venv/folder
    fi
    .venv/bin/python -m pip install -q --disable-pip-version-check uv || die "uv could not be installed from the Python package index"
    [ -w "${HOME:-/nowhere}" ] || export UV_CACHE_DIR=$PWD/.venv/cache
    local index=${PIP_INDEX_URL:-$(.venv/bin/python -m pip config get global.index-url 2>/dev/null || true)}
    [ -z "$index" ] || export UV_DEFAULT_INDEX=${UV_DEFAULT_INDEX:-$index} # uv does not read pip's configuration
    .venv/bin/uv pip sync -q --python .venv/bin/python --require-hashes --compile-bytecode requirements.lock || die "the packages of requirements.lock could not be installed"
    .venv/bin/uv pip install -q --python .venv/bin/python --no-deps --editable . || die "the project itself could not be installed into .venv"
    printf '%s' "$print" >.venv/stamp
}

port_is_free() { # port_is_free PORT: ends early, before anything long is done
    "$(python_of_the_machine)" - "$1" <<'PYTHON' || exit 1
import socket, sys
try:
    port = int(sys.argv[1])
    if not 1 <= port <= 65535:
        raise ValueError
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        tried.bind(("127.0.0.1", port))
except (ValueError, OverflowError):
    sys.exit(f"gridmgmt: {sys.argv[1]} is no port number; for example: make demo PORT=8001")
except PermissionError:
    sys.exit(f"gridmgmt: port {port} is for root only; choose another: make demo PORT=8001")
except OSError:
    sys.exit(f"gridmgmt: port {port} is in use by another program; choose another: make demo PORT={port + 1 if port < 65535 else 8001}")
PYTHON
}

install_everything() { # install_everything [tests]
    local python
    python=$(python_of_the_machine)
    install_packages "$python" "$@"
    install_environment "$python"
}

demo() { # demo PORT
    port_is_free "$1"
    locked_install
    local gridmgmt=.venv/bin/gridmgmt server=''
    export GRIDMGMT_DEMO_MODE=true
    if [ -z "${GRIDMGMT_DATABASE_URL:-}" ]; then
        if ! [[ $($gridmgmt db status --json) =~ \"state\":\ *\"up\" ]]; then
            trap '.venv/bin/gridmgmt db down >/dev/null' EXIT # however this ends, what it started stops
        fi
        $gridmgmt db up
    fi
    $gridmgmt migrate
    $gridmgmt demo
    $gridmgmt serve --port "$1" &
    server=$!
    trap 'kill -TERM $server 2>/dev/null || true' INT TERM HUP
    local code=0
    wait $server || code=$?
    while kill -0 $server 2>/dev/null; do wait $server || code=$?; done # a signal ended the first wait
    trap '' INT TERM HUP
    case $code in 130 | 143) code=0 ;; esac # stopped as asked
    return $code
}

locked_install() { # locked_install [tests]; two makes at once: the second waits
    exec 9<Makefile
    flock -n 9 || { say "Waiting for another installation in this folder"; flock 9; }
    install_everything "$@" 9<&- # nothing started there may inherit the lock and keep it
    exec 9<&-
}

case "${1:-}" in
    '') locked_install ;;
    tests) locked_install tests ;;
    demo) demo "${2:-8000}" ;;
    *) die "unknown word $1; see the head of tools/bootstrap.sh" ;;
esac
