"""The monthly count of residents that everybody may see."""

from sqlalchemy import text

from gridmgmt.operations.operator import Register
from gridmgmt.security import audit


def count_residents(register: Register) -> int:
    """Count who lives in each community and subdistrict; the number of areas, 0 when this month has been counted already.

    PostgreSQL counts and rounds (`sec.count_residents`): the numbers themselves come here as little as anywhere. Audited.
    """
    with register.database.transaction(register.operator) as session:
        counted: int = session.execute(text("SELECT sec.count_residents()")).scalar_one()
        if counted:
            audit.record(session, "count", "resident_count", rows=counted, detail={"person": register.person})
    return counted
