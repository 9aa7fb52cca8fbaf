"""The planner's statistics, taken at once after much was written: autovacuum comes a minute later, and plans are bad until then."""

from gridmgmt.operations.operator import connected
from gridmgmt.settings import Address


def refresh_statistics(place: Address) -> None:
    """ANALYZE every table of the register. Raises OperatorError when the database is down."""
    with connected(place, "reg_deploy") as connection:
        connection.execute("SET ROLE reg_owner")
        connection.execute("SET client_min_messages = error")  # tables of PostgreSQL's own are not ours to look at
        connection.execute("ANALYZE")
