"""Put on PYTHONPATH to close the network: names do not resolve, and only this machine can be connected to."""

import socket

LOCAL = ("127.", "::1", "localhost", "0.0.0.0")
_connect = socket.socket.connect
_resolve = socket.getaddrinfo


def _is_local(host):
    return host is None or host == "" or str(host).startswith(LOCAL)


def _guarded_connect(self, address, *rest):
    if self.family in (socket.AF_INET, socket.AF_INET6) and not _is_local(address[0]):
        raise OSError(f"blocked: a connection to {address[0]}")
    return _connect(self, address, *rest)


def _guarded_resolve(host, *args, **kwargs):
    if not _is_local(host):
        raise OSError(f"blocked: looking up {host}")
    return _resolve(host, *args, **kwargs)


socket.socket.connect = _guarded_connect
socket.getaddrinfo = _guarded_resolve
