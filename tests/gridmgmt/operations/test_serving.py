"""The socket that the server is handed."""

import socket

import pytest

from gridmgmt.operations.operator import OperatorError
from gridmgmt.operations.serving import listen


def test_port_in_use_is_refused_with_the_next_one_named() -> None:
    with listen("127.0.0.1", 0) as heard:
        port = heard.getsockname()[1]
        with pytest.raises(OperatorError, match=f"port {port} is in use .* --port {port + 1}"):
            listen("127.0.0.1", port)


def test_answers_do_not_wait_until_the_client_acknowledges_their_heads() -> None:
    with listen("127.0.0.1", 0) as heard, socket.create_connection(heard.getsockname()):
        answering, _ = heard.accept()
        with answering:
            assert answering.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
