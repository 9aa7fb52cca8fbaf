"""Two wrote the same row: what becomes of each field. Values go in, a decision comes out; no database.

Three forms of a row are compared: the one that the device had read (its base), the one that is there now, and what the device wants.
S are the fields that somebody else changed since the base, C those that the device sets. Where they do not meet, both stand. Where they
meet and the values differ, the policy of the field decides.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

Policy = Literal["client_wins", "server_wins", "max", "min", "union", "manual"]
POLICIES: Final[tuple[Policy, ...]] = ("client_wins", "server_wins", "max", "min", "union", "manual")
UNLISTED: Final[Policy] = "manual"
"""The policy of a field that the table does not name: somebody looks at it."""

Values = Mapping[str, Any]


@dataclass(frozen=True)
class Decision:
    """What to write, and what is told of the rest. The four sets of names have no field in common and hold every field that was wanted."""

    write: Mapping[str, Any] = field(default_factory=dict[str, Any])
    equal: frozenset[str] = frozenset()
    """Had the wanted value already, or got it by a rule."""
    kept: frozenset[str] = frozenset()
    """The server's value stands by its policy."""
    open: frozenset[str] = frozenset()
    """The server's value stands until somebody decides."""


def decide(
    wanted: Values,
    present: Values,
    changed: Collection[str],
    policies: Mapping[str, Policy],
    *,
    same: Callable[[str, Any, Any], bool] = lambda _name, one, other: bool(one == other),
) -> Decision:
    """Decide each field of `wanted`; `changed` are those that others changed since the base. `same` compares two values of a field."""
    write: dict[str, Any] = {}
    equal: set[str] = set()
    kept: set[str] = set()
    undecided: set[str] = set()
    for name, value in wanted.items():
        if same(name, present[name], value):
            equal.add(name)
        elif name not in changed:
            write[name] = value
        else:
            policy = policies.get(name, UNLISTED)
            if policy == "manual" or (policy in {"max", "min", "union"} and not _comparable(policy, present[name], value)):
                undecided.add(name)
            elif policy == "server_wins":
                kept.add(name)
            elif policy == "client_wins":
                write[name] = value
            else:
                chosen = _chosen(policy, present[name], value)
                if same(name, present[name], chosen):
                    kept.add(name)
                else:
                    write[name] = chosen
    return Decision(write, frozenset(equal), frozenset(kept), frozenset(undecided))


def changed_fields(
    fields: Mapping[str, Sequence[str]], forms: Mapping[int, Values], base: int, present: int, own: Collection[int]
) -> frozenset[str]:
    """The fields that others changed in (base, present].

    `fields` names the columns of each, `forms` holds the row's forms by version as far as they are known, `own` are versions that the
    device itself made. A form that is not known, because it never was or may not be seen, may have differed in everything.
    """
    found: set[str] = set()
    for version in range(max(base, 0) + 1, present + 1):
        if version in own:
            continue
        before, after = forms.get(version - 1), forms.get(version)
        if before is None or after is None:
            return frozenset(fields)
        found.update(
            name for name, columns in fields.items() if name not in found and any(before[column] != after[column] for column in columns)
        )
    return frozenset(found)


def _comparable(policy: Policy, one: Any, other: Any) -> bool:
    """Nothing is larger than what is not there, and nothing is known of the order of what has none."""
    if one is None or other is None:
        return False
    if policy == "union":
        return isinstance(one, list) and isinstance(other, list)
    try:
        return bool(one < other) or bool(one >= other)
    except TypeError:
        return False


def _chosen(policy: Policy, one: Any, other: Any) -> Any:
    if policy == "max":
        return max(one, other)
    if policy == "min":
        return min(one, other)
    return one + [value for value in other if value not in one]
