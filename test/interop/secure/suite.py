"""Plays kazoo over TLS against the server at the address given; the stores are in the folder given after it."""

import socket
import ssl
import sys
import threading

from kazoo.client import KazooClient
from kazoo.handlers.threading import KazooTimeoutError


def client(address, stores, **options):
    return KazooClient(hosts=address, use_ssl=True, ca=stores + "/ca.pem", verify_certs=True, timeout=10, **options)


def with_certificate(address, stores):
    name = stores + "/client.pem"
    zk = client(address, stores, certfile=name, keyfile=name)
    zk.start(timeout=30)
    seen = threading.Event()
    zk.ensure_path("/kazoo")
    assert zk.exists("/kazoo/a", watch=lambda event: seen.set()) is None
    zk.create("/kazoo/a", b"x" * 900_000, ephemeral=True)
    assert seen.wait(30), "the watch did not fire"
    data, stat = zk.get("/kazoo/a")
    assert data == b"x" * 900_000 and stat.owner_session_id == zk.client_id[0]
    pending = [zk.set_async("/kazoo/a", b"%d" % i) for i in range(1000)]
    assert [p.get(30).version for p in pending] == list(range(1, 1001))
    zk.stop()
    zk.start(timeout=30)
    assert zk.exists("/kazoo/a") is None, "the ephemeral outlived its session"
    zk.stop()
    zk.close()


def without_certificate(address, stores):
    zk = client(address, stores)
    try:
        zk.start(timeout=3)
    except KazooTimeoutError:
        zk.stop()
        zk.close()
        return
    raise AssertionError("a client without a certificate was let in")


def words(address, stores):
    host, port = address.split(":")
    context = ssl.create_default_context(cafile=stores + "/ca.pem")
    context.load_cert_chain(stores + "/client.pem")
    answers = {}
    for word in (b"ruok", b"srvr", b"cons"):
        with context.wrap_socket(socket.create_connection((host, int(port)), 30), server_hostname="localhost") as s:
            s.sendall(word)
            answers[word] = b"".join(iter(lambda: s.recv(4096), b""))
    assert answers[b"ruok"] == b"imok", answers
    assert b"Mode: standalone" in answers[b"srvr"], answers
    assert answers[b"cons"].count(b" /127.0.0.1:") == 1, answers  # those of this port alone: the word itself


def main(address, stores):
    for play in (with_certificate, without_certificate, words):
        play(address, stores)
        print("played", play.__name__)


if __name__ == "__main__":
    main(*sys.argv[1:])
