"""What happens to sessions, ephemerals and watches when connections, servers and clients fail."""

import os
import queue
import signal
import subprocess
import sys
import threading

from kazoo.client import KazooClient
from kazoo.protocol.states import EventType, KazooState

from cases import DEADLINE, RECONNECT, case, equal, eventually

SHORT = 2.0  # seconds of session timeout of a client that is meant to expire


def hold(path, address):
    """Own an ephemeral node at path until killed; a second process, so that it can be stopped in its tracks."""
    zk = KazooClient(hosts=address, timeout=SHORT, connection_retry=RECONNECT)
    zk.start(timeout=DEADLINE)
    zk.create(path, b"held", ephemeral=True)
    zk.add_listener(lambda state: print(state, flush=True))
    number, password = zk.client_id
    print(number, password.hex(), flush=True)
    threading.Event().wait()


def holder(world, path):
    """Start a process that owns path and return it once it does, with the id and password of its session."""
    command = [sys.executable, "-B", "-s", "-E", sys.argv[0], "hold", path, world.address + world.root]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    number, password = process.stdout.readline().split()
    return process, (int(number), bytes.fromhex(password))


def end(process):
    process.kill()
    process.wait()
    process.stdout.close()


def states(zk):
    """Return a queue that gets every change of state of the client."""
    seen = queue.Queue()
    zk.add_listener(seen.put)
    return seen


def await_state(seen, state):
    while seen.get(timeout=DEADLINE) != state:
        pass


@case
def restart(world):
    """a session, its ephemerals and its nodes outlive a restart of the server"""
    zk = world.client()
    zk.create("/kept", b"k")
    zk.create("/e", b"", ephemeral=True)
    before, seen = zk.client_id, states(zk)
    world.server("restart")
    await_state(seen, KazooState.SUSPENDED)
    await_state(seen, KazooState.CONNECTED)
    equal(zk.client_id, before)
    equal(zk.retry(zk.get, "/kept")[0], b"k")
    equal(zk.retry(zk.exists, "/e").ephemeralOwner, before[0])


@case
def crash(world):
    """what was acknowledged before the server was killed is there afterwards"""
    zk = world.client()
    pending = [zk.create_async("/n-", str(i).encode(), sequence=True) for i in range(200)]
    paths = [p.get(timeout=DEADLINE) for p in pending]
    zk.create("/e", b"", ephemeral=True)
    before, seen = zk.client_id, states(zk)
    world.server("kill")
    await_state(seen, KazooState.SUSPENDED)
    world.server("start")
    await_state(seen, KazooState.CONNECTED)
    equal(zk.client_id, before)
    equal(sorted(zk.retry(zk.get_children, "/")), sorted([p[1:] for p in paths] + ["e"]))


@case
def watches_again(world):
    """DataWatch and ChildrenWatch go on after a restart"""
    zk = world.client()
    zk.create("/a", b"")
    seen = states(zk)
    data, children = queue.Queue(), queue.Queue()
    zk.DataWatch("/a", lambda value, stat: data.put(value))
    zk.ChildrenWatch("/a", lambda names: children.put(names))
    equal((data.get(timeout=DEADLINE), children.get(timeout=DEADLINE)), (b"", []))
    world.server("restart")
    await_state(seen, KazooState.CONNECTED)
    other = world.client()
    other.set("/a", b"1")
    eventually("DataWatch sees the change", lambda: data.get(timeout=DEADLINE) == b"1")
    other.create("/a/b", b"")
    eventually("ChildrenWatch sees the child", lambda: children.get(timeout=DEADLINE) == ["b"])


@case
def lock_over_restart(world):
    """a lock is still held after a restart and still handed over"""
    a, b = world.client(), world.client()
    first, second = a.Lock("/lock", "a"), b.Lock("/lock", "b")
    assert first.acquire(timeout=DEADLINE)
    seen = states(a)
    world.server("restart")
    await_state(seen, KazooState.CONNECTED)
    equal(b.retry(second.contenders), ["a"])
    thread = world.thread(lambda: second.acquire(timeout=DEADLINE))
    eventually("the second waits", lambda: a.retry(first.contenders) == ["a", "b"])
    equal(thread.is_alive(), True)
    first.release()
    equal(thread.finish(), True)


@case
def resume(world):
    """another process goes on with a session by its id and password"""
    process, session = holder(world, "/held")
    end(process)
    heir = world.client(client_id=session)
    equal(heir.client_id, session)
    equal(heir.exists("/held").ephemeralOwner, session[0])
    heir.stop()
    equal(world.client().exists("/held"), None)


@case
def wrong_password(world):
    """a session is not resumed with a wrong password: a new one begins"""
    zk = world.client()
    number, password = zk.client_id
    zk.create("/e", b"", ephemeral=True)
    thief = world.client(client_id=(number, bytes(16)), start=False)
    seen = states(thief)
    thief.start(timeout=DEADLINE)
    await_state(seen, KazooState.CONNECTED)
    assert thief.client_id[0] not in (0, number), thief.client_id
    assert thief.client_id[1] != password


@case
def stopped_client(world):
    """a client stopped in its tracks loses its session and learns so when it goes on"""
    observer = world.client()
    process, _ = holder(world, "/held")
    try:
        gone = queue.Queue()
        assert observer.exists("/held", watch=gone.put)
        os.kill(process.pid, signal.SIGSTOP)
        equal(gone.get(timeout=DEADLINE).type, EventType.DELETED)
        os.kill(process.pid, signal.SIGCONT)
        learned = world.thread(lambda: [line.strip() for line in iter(process.stdout.readline, "LOST\n")])
        learned.finish()
        equal(observer.exists("/held"), None)
    finally:
        end(process)


@case
def abandoned_client(world):
    """a client that was killed loses its session after its timeout"""
    observer = world.client()
    process, _ = holder(world, "/held")
    gone = queue.Queue()
    assert observer.exists("/held", watch=gone.put)
    end(process)
    equal(gone.get(timeout=DEADLINE).type, EventType.DELETED)


@case
def expiry(world):
    """a client notices the end of its session, and its watchers work in the next one"""
    zk, observer = world.client(), world.client()
    zk.create("/e", b"", ephemeral=True)
    zk.create("/a", b"")
    seen, data = states(zk), queue.Queue()
    zk.DataWatch("/a", lambda value, stat: data.put(value))
    equal(data.get(timeout=DEADLINE), b"")
    first = zk.client_id
    # Somebody who holds its id and password closes the session, which is as good as an expiry to its owner. The owner may come
    # back in between and take the connection over, so that is done until the session is no more.
    while True:
        twin = world.client(client_id=first)
        over = twin.client_id[0] != first[0]
        twin.stop()
        if over:
            break
    await_state(seen, KazooState.LOST)
    await_state(seen, KazooState.CONNECTED)
    assert zk.client_id[0] != first[0]
    equal(observer.exists("/e"), None)
    observer.set("/a", b"again")
    eventually("DataWatch sees the change", lambda: data.get(timeout=DEADLINE) == b"again")
