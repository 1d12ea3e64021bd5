"""Watches: one-shot ones, and the watchers that kazoo builds of them."""

import queue

from kazoo.protocol.states import EventType
from kazoo.recipe.cache import TreeCache, TreeEvent
from kazoo.recipe.watchers import PatientChildrenWatch

from cases import DEADLINE, case, equal, eventually


@case
def one_shot(world):
    """a watch fires once, for the first change"""
    zk, other = world.client(), world.client()
    events = queue.Queue()
    equal(zk.exists("/a", watch=events.put), None)
    other.create("/a", b"")
    event = events.get(timeout=DEADLINE)
    equal((event.type, event.path), (EventType.CREATED, "/a"))
    zk.get("/a", watch=events.put)
    other.set("/a", b"1")
    other.set("/a", b"2")
    equal(events.get(timeout=DEADLINE).type, EventType.CHANGED)
    zk.get_children("/a", watch=events.put)
    other.create("/a/b", b"")
    equal(events.get(timeout=DEADLINE).type, EventType.CHILD)
    zk.get_children("/a/b", watch=events.put)
    zk.get("/a/b", watch=events.put)
    other.delete("/a/b")
    equal(events.get(timeout=DEADLINE).type, EventType.DELETED)
    zk.sync("/")
    other.sync("/")
    # Both watches of the node that went were fired by one event; kazoo calls each watcher with it.
    equal(events.get(timeout=DEADLINE).type, EventType.DELETED)
    assert events.empty(), events.get()


@case
def event_before_reply(world):
    """an event is delivered before any answer that shows the change"""
    zk, other = world.client(), world.client()
    zk.create("/a", b"0")
    for i in range(1, 50):
        events = queue.Queue()
        zk.get("/a", watch=events.put)
        other.set("/a", str(i).encode())
        eventually("the change shows", lambda i=i: zk.get("/a")[0] == str(i).encode())
        # Watchers are called from a queue of their own: an event that came first is called first.
        equal(events.get(timeout=DEADLINE).type, EventType.CHANGED)


@case
def data_watch(world):
    """DataWatch sees a node come, change, go and come again"""
    zk, other = world.client(), world.client()
    seen = queue.Queue()

    @zk.DataWatch("/a")
    def watch(data, stat, event):
        seen.put((data, stat.version if stat else None, event.type if event else None))

    equal(seen.get(timeout=DEADLINE), (None, None, None))
    other.create("/a", b"one")
    equal(seen.get(timeout=DEADLINE), (b"one", 0, EventType.CREATED))
    other.set("/a", b"two")
    equal(seen.get(timeout=DEADLINE), (b"two", 1, EventType.CHANGED))
    other.delete("/a")
    equal(seen.get(timeout=DEADLINE), (None, None, EventType.DELETED))
    other.create("/a", b"three")
    equal(seen.get(timeout=DEADLINE), (b"three", 0, EventType.CREATED))


@case
def children_watch(world):
    """ChildrenWatch follows the children until it is told to stop"""
    zk, other = world.client(), world.client()
    zk.create("/a", b"")
    seen = queue.Queue()

    @zk.ChildrenWatch("/a", send_event=True)
    def watch(children, event):
        seen.put((sorted(children), event.type if event else None))
        return "stop" not in children

    equal(seen.get(timeout=DEADLINE), ([], None))
    other.create("/a/x")
    equal(seen.get(timeout=DEADLINE), (["x"], EventType.CHILD))
    other.create("/a/stop")
    equal(seen.get(timeout=DEADLINE), (["stop", "x"], EventType.CHILD))
    other.create("/a/y")
    zk.sync("/a")
    assert seen.empty(), seen.get()


@case
def patient_children_watch(world):
    """PatientChildrenWatch answers once the children have settled"""
    zk = world.client()
    zk.create("/a/x", makepath=True)
    result = PatientChildrenWatch(zk, "/a", time_boundary=0.2).start()
    children, changed = result.get(timeout=DEADLINE)
    equal(children, ["x"])
    zk.create("/a/y")
    assert changed.get(timeout=DEADLINE)


@case
def tree_cache(world):
    """TreeCache mirrors a subtree"""
    zk, other = world.client(), world.client()
    other.create("/t/a", b"1", makepath=True)
    cache = TreeCache(zk, "/t")
    events = queue.Queue()
    cache.listen(lambda event: events.put(event.event_type))
    cache.start()
    eventually("the cache is filled", lambda: TreeEvent.INITIALIZED in list(events.queue))
    equal(cache.get_data("/t/a").data, b"1")
    other.set("/t/a", b"2")
    other.create("/t/a/b/c", b"3", makepath=True)
    eventually("the change arrives", lambda: cache.get_data("/t/a").data == b"2")
    eventually("the grandchild arrives", lambda: cache.get_data("/t/a/b/c") and cache.get_data("/t/a/b/c").data == b"3")
    equal(cache.get_children("/t/a"), frozenset(["b"]))
    other.delete("/t/a", recursive=True)
    eventually("the subtree goes", lambda: cache.get_data("/t/a") is None)
    cache.close()
