"""The configuration files of the embedded database, written anew at every start so that an upgrade of ours reaches old clusters."""

import os
from collections.abc import Mapping

from gridmgmt.operations.home import PORT, Home, me
from gridmgmt.operations.server import ClusterError

ROLES = (
    "postgres", "reg_deploy", "reg_dump_reader",
    "api_public", "api_auth", "api_field", "api_subdistrict", "api_district", "api_loader", "api_admin", "api_audit",
)  # fmt: skip
INCLUDE = "include 'gridmgmt.conf'"
MIB = 2**20


def write_configuration(home: Home, *, durable: bool) -> bool:
    """Write what is not already there; whether anything changed. `durable=False` is for clusters that tests throw away."""
    files = {
        "gridmgmt.conf": _lines(_parameters(home, durable=durable)),
        "pg_hba.conf": "local all all peer map=gridmgmt\n",
        "pg_ident.conf": "".join(f'gridmgmt "{user}" {role}\n' for user in sorted({home.owner, me(), "root"}) for role in ROLES),
    }
    main = home.data / "postgresql.conf"
    already = main.read_text(encoding="utf-8") if main.exists() else ""
    if INCLUDE not in already.splitlines():
        files["postgresql.conf"] = f"{already}\n{INCLUDE}\n"
    written = [_write(home, name, text) for name, text in files.items()]
    return any(written)


def _write(home: Home, name: str, text: str) -> bool:
    path = home.data / name
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return False
    # as the owner: root writing into a folder of somebody else could be led astray by a link in it
    written = home.run(["sh", "-c", 'umask 077 && cat > "$1.new" && mv "$1.new" "$1"', "sh", path], given=text)
    if written.returncode != 0:
        raise ClusterError(f"{path} cannot be written: {written.stderr.strip()}")
    return True


def _parameters(home: Home, *, durable: bool) -> dict[str, str]:
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // MIB
    parameters = {
        "listen_addresses": "",
        "port": str(PORT),
        "unix_socket_directories": f'"{home.sockets}"',
        "unix_socket_permissions": "0700",
        "max_connections": "200",
        "shared_buffers": f"{max(32, min(256, memory // 8))}MB",
        "effective_cache_size": f"{max(128, memory // 2)}MB",
        "work_mem": "16MB",
        "maintenance_work_mem": f"{max(64, min(256, memory // 16))}MB",
        "max_wal_size": "2GB",
        # beside the one that asked, which works too
        "max_parallel_workers_per_gather": f"{max(1, min(4, (os.cpu_count() or 2) - 1))}",
        "random_page_cost": "1.1",  # no disk that turns
        "jit": "off",  # compiling costs more than it saves on queries of milliseconds
        "timezone": "UTC",
        "log_timezone": "UTC",
        "lc_messages": "C",
        # no line of the log holds a value: neither parameters, nor the text of a failed statement, nor "Key (…)=(…) already exists"
        "log_parameter_max_length": "0",
        "log_parameter_max_length_on_error": "0",
        "log_min_error_statement": "panic",
        "log_error_verbosity": "terse",
        "log_line_prefix": "%m [%p] %q%u@%d ",
        "logging_collector": "on",
        "log_directory": str(home.log),
        "log_filename": "postgresql-%a.log",
        "log_truncate_on_rotation": "on",
        "log_rotation_age": "1d",
        "log_rotation_size": "0",
    }
    # tests see no statistics and no locks but their own
    return parameters if durable else parameters | dict.fromkeys(("fsync", "synchronous_commit", "full_page_writes", "autovacuum"), "off")


def _lines(parameters: Mapping[str, str]) -> str:
    return "# Written by gridmgmt at every start.\n" + "".join(f"{name} = '{value}'\n" for name, value in parameters.items())
