"""HTTP only: parse, call one verb, answer."""
