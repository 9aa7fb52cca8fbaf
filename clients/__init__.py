"""Programs that speak to the register as others do: they import nothing of the server."""
