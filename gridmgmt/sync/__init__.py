"""Synchronisation with the handhelds of grid workers, who are offline half the day: devices, push, pull, snapshot, conflicts, files."""
