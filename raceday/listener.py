"""Sockets that our servers listen on. The kernel cuts off a client that takes no data."""

import socket

BACKLOG = 4096  # the clients of a restarted server come back within two seconds
STUCK_SECONDS = 60  # a client that takes nothing for so long is cut off


def listen(host: str, port: int, *, send_buffer_bytes: int | None = None) -> socket.socket:
    """Return a listening socket.

    send_buffer_bytes: what the kernel keeps for each connection; None: the kernel decides.
    """
    listener = socket.create_server((host, port), backlog=BACKLOG)
    # Connections inherit it. asyncio sets it only where a socket names its protocol, which these do not: an answer in
    # two writes would wait 40 ms for the client's kernel.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if send_buffer_bytes is not None:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer_bytes)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, STUCK_SECONDS * 1000)
    return listener
