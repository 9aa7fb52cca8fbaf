"""Answers to creations: 201 for a row that was made, 200 for one that the same request had made before, both saying where it is."""

from fastapi import Request, Response

from api.conditional import tag


def made(request: Request, response: Response, identifier: object, version: int, *beside: object, fresh: bool = True) -> None:
    """Set status, Location and entity tag of the answer to a POST on the path of a list."""
    response.status_code = 201 if fresh else 200
    response.headers["Location"] = f"{request.url.path}/{identifier}"
    tag(response, version, *beside)
