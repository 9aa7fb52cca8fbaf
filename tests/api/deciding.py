"""Decisions about conflicts, as the office and the community send them."""

from typing import Any

from starlette.testclient import TestClient


def decide(client: TestClient, conflict: object, key: str = "k1", **body: Any) -> Any:
    """Resolve a conflict; the answer."""
    return client.post(f"/v1/sync/conflicts/{conflict}/resolve", json=body, headers={"Idempotency-Key": key})
