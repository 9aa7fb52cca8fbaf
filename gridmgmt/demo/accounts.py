"""The demo's accounts: one of each role, and a second of the district, with the password `demo`; and the workers of all grids, who cannot
log in.
"""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from gridmgmt.demo.ground import GRIDS_DRAWN
from gridmgmt.demo.stories import STAGE
from gridmgmt.models import Account, Area, AreaGrant, Grid, GridAssignment, Post
from gridmgmt.security.audit import record

PASSWORD: Final = "demo"  # noqa: S105 -- accepted in demo mode only, and printed on the screen
NAMED: Final = {
    "admin": "管理员演",
    "district": "区演",
    "subdistrict": "街道演",
    "community": "社区演",
    "worker": "网格员演",
    "auditor": "审计员演",
}
"""User names, which are their roles, and the names shown."""
EXPERT: Final = "expert"
"""A second person of the district: what one reviews the other approves."""


def make_accounts(session: Session, workers: int, password_hash: str) -> None:
    """The named accounts and `workers` workers, `worker` among them, in a session of class admin.

    Each grid has a worker; the workers beyond that stand in. `subdistrict`, `community` and `worker` work in 沙井.
    """
    grids = session.execute(select(Grid.code, Grid.id).where(Grid.scheme == "base", Grid.deleted_at.is_(None)).order_by(Grid.code)).all()
    stage = [grid for code, grid in grids if code.startswith(STAGE)]
    post = session.scalars(select(Post.id).where(Post.code == "grid_worker")).one()
    numbered = [f"worker-{number:04d}" for number in range(2, workers + 1)]
    made = session.execute(
        insert(Account).returning(Account.username, Account.id),
        [
            *({"username": name, "display_name": shown, "role": name, "password_hash": password_hash} for name, shown in NAMED.items()),
            {"username": EXPERT, "display_name": "专家演", "role": "district", "password_hash": password_hash},
            *({"username": name, "display_name": f"网格员{name[7:]}演", "role": "worker", "password_hash": None} for name in numbered),
        ],
    ).all()
    ids: dict[str, int] = {account.username: account.id for account in made}
    areas = session.execute(
        select(Area.id, Area.code, Area.level).where(Area.code.in_((STAGE, grids_community(grids))), Area.valid_to.is_(None))
    ).all()
    session.execute(
        insert(AreaGrant),
        [{"account_id": ids[area.level], "area_id": area.id, "level": area.level, "valid_from": GRIDS_DRAWN} for area in areas],
    )
    others = [grid for _, grid in grids if grid not in stage[:2]]
    crew = [ids[name] for name in numbered]
    duties = [(ids["worker"], grid, False) for grid in stage[:2]]
    duties += [(worker, others[i % len(others)], i >= len(others)) for i, worker in enumerate(crew)]
    session.execute(
        insert(GridAssignment),
        [
            {"account_id": worker, "grid_id": grid, "post_id": post, "stand_in": stand_in, "valid_from": GRIDS_DRAWN}
            for worker, grid, stand_in in duties
        ],
    )
    record(session, "add", "account", purpose="demo", rows=len(ids))


def are_made(session: Session) -> bool:
    """Whether there is an account `auditor` with the demo's name, in a session of class admin."""
    return session.scalar(select(Account.id).where(Account.username == "auditor", Account.display_name == NAMED["auditor"])) is not None


def grids_community(grids: Sequence[tuple[str, int]]) -> str:
    """Code of the first community of 沙井, for which `community` works."""
    return min(code for code, _ in grids if code.startswith(STAGE))[:12]
