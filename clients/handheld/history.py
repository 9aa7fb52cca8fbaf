"""Of which history of the server the device is: one that came back from a backup, or lost a machine, begins another.

In another history versions begin again, and nothing that this device was answered is certain. Bootstrap tells it before anything is
sent; a snapshot tells it too, because a server may come back between the two.
"""

from clients.handheld.store import Store


def recognise(store: Store, epoch: str, *, arriving: int | None = None) -> None:
    """Keep in which history the server is. In another one every grid is fetched anew, but the one that is just `arriving` from it,
    and before the next push is asked how far the server knows this device (`compare`).
    """
    known = store.get("epoch")
    if epoch == known:
        return
    with store.transaction():
        store.put(epoch=epoch)
        if known is not None:
            store.put(era=store.number("era") + 1, compare=1)
            for (scope_id,) in store.all("SELECT scope_id FROM scope WHERE scope_id IS NOT ?", arriving):
                begin_again(store, scope_id)


def begin_again(store: Store, scope_id: int, *, start: str | None = None, kinds: str | None = None) -> None:
    """Want a snapshot of a grid from its beginning, of everything in it unless `kinds` says otherwise."""
    with store.transaction():
        store.run(
            "UPDATE scope SET state = CASE state WHEN 'leaving' THEN state ELSE 'new' END,"
            " start = ?, after = NULL, ahead = NULL, kinds = ? WHERE scope_id = ?",
            *(start, kinds, scope_id),
        )
        store.run("DELETE FROM arriving WHERE scope_id = ?", scope_id)
        store.run("DELETE FROM staged WHERE scope_id = ?", scope_id)
