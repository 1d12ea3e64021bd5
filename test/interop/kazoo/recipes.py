"""The recipes that come with kazoo."""

import datetime
import threading

from kazoo.exceptions import LockTimeout
from kazoo.recipe.lease import MultiNonBlockingLease, NonBlockingLease

from cases import DEADLINE, case, equal, eventually, raises


@case
def lock(world):
    """a lock is held by one and handed over in the order of waiting"""
    clients = [world.client() for _ in range(4)]
    first = clients[0].Lock("/lock", "first")
    assert first.acquire(timeout=DEADLINE)
    order, threads = [], []
    for number, zk in enumerate(clients[1:], 1):
        waiting = zk.Lock("/lock", "waiter-%d" % number)

        def work(waiting=waiting, number=number):
            with waiting:
                order.append(number)

        threads.append(world.thread(work))
        eventually("waiter %d waits" % number, lambda number=number: len(first.contenders()) == number + 1)
    equal(first.contenders(), ["first", "waiter-1", "waiter-2", "waiter-3"])
    equal(clients[1].Lock("/lock", "impatient").acquire(blocking=False), False)
    raises(LockTimeout, clients[2].Lock("/lock", "impatient").acquire, timeout=0.2)
    equal(order, [])
    first.release()
    for thread in threads:
        thread.finish()
    equal(order, [1, 2, 3])
    equal(first.contenders(), [])


@case
def exclusion(world):
    """a counter under a lock loses no increment"""
    clients = [world.client() for _ in range(4)]
    clients[0].create("/n", b"0")

    def work(zk):
        mutex = zk.Lock("/mutex")
        for _ in range(10):
            with mutex:
                zk.set("/n", b"%d" % (int(zk.get("/n")[0]) + 1))

    for thread in [world.thread(work, zk) for zk in clients]:
        thread.finish()
    equal(clients[0].get("/n")[0], b"40")


@case
def lock_of_the_dead(world):
    """a lock passes on when its holder's session ends"""
    holder, waiter = world.client(), world.client()
    assert holder.Lock("/lock").acquire(timeout=DEADLINE)
    lock = waiter.Lock("/lock")
    thread = world.thread(lambda: lock.acquire(timeout=DEADLINE))
    eventually("the waiter waits", lambda: len(holder.get_children("/lock")) == 2)
    holder.stop()
    equal(thread.finish(), True)


@case
def readers_and_writers(world):
    """readers share a lock that a writer has alone"""
    a, b, c = world.client(), world.client(), world.client()
    first, second, writer = a.ReadLock("/rw"), b.ReadLock("/rw"), c.WriteLock("/rw")
    assert first.acquire(timeout=DEADLINE)
    assert second.acquire(timeout=DEADLINE)
    equal(writer.acquire(blocking=False), False)
    thread = world.thread(lambda: writer.acquire(timeout=DEADLINE))
    eventually("the writer waits", lambda: len(a.get_children("/rw")) == 3)
    equal(a.ReadLock("/rw").acquire(blocking=False), False)
    first.release()
    equal(thread.is_alive(), True)
    second.release()
    equal(thread.finish(), True)
    writer.release()


@case
def semaphore(world):
    """a semaphore lets in as many as it has leases"""
    clients = [world.client() for _ in range(3)]
    leases = [zk.Semaphore("/semaphore", "holder-%d" % n, max_leases=2) for n, zk in enumerate(clients)]
    assert leases[0].acquire(timeout=DEADLINE)
    assert leases[1].acquire(timeout=DEADLINE)
    equal(sorted(leases[0].lease_holders()), ["holder-0", "holder-1"])
    equal(leases[2].acquire(blocking=False), False)
    thread = world.thread(lambda: leases[2].acquire(timeout=DEADLINE))
    leases[0].release()
    equal(thread.finish(), True)
    equal(sorted(leases[0].lease_holders()), ["holder-1", "holder-2"])
    raises(ValueError, clients[0].Semaphore("/semaphore", max_leases=3).acquire)


@case
def election(world):
    """an election is won by the next in line when the leader leaves"""
    clients = [world.client() for _ in range(3)]
    elections = [zk.Election("/election", "candidate-%d" % n) for n, zk in enumerate(clients)]
    leaders, leave, threads = [], [threading.Event() for _ in clients], []

    def lead(number):
        leaders.append(number)
        assert leave[number].wait(DEADLINE)

    for number, election in enumerate(elections):
        threads.append(world.thread(election.run, lead, number))
        eventually("the candidate stands", lambda number=number: len(elections[0].contenders()) == number + 1)
    eventually("the first leads", lambda: leaders == [0])
    equal(elections[0].contenders(), ["candidate-0", "candidate-1", "candidate-2"])
    leave[0].set()
    eventually("the second leads", lambda: leaders == [0, 1])
    clients[1].stop()
    eventually("the third leads once the second is gone", lambda: leaders == [0, 1, 2])
    for event in leave:
        event.set()
    threads[0].finish()
    threads[2].finish()
    # The second lost its session while it led: how its own thread ends is kazoo's affair.
    world.threads.remove(threads[1])


@case
def queue(world):
    """a queue gives by priority, then by age"""
    producer, consumer = world.client().Queue("/queue"), world.client().Queue("/queue")
    equal(consumer.get(), None)
    producer.put(b"late", 200)
    producer.put(b"first")
    producer.put(b"second")
    producer.put(b"urgent", 1)
    equal(len(producer), 4)
    equal([consumer.get() for _ in range(5)], [b"urgent", b"first", b"second", b"late", None])


@case
def locking_queue(world):
    """a locking queue gives an entry again unless it was consumed"""
    a, b = world.client().LockingQueue("/queue"), world.client().LockingQueue("/queue")
    thread = world.thread(lambda: b.get(timeout=DEADLINE))
    a.put_all([b"one", b"two"])
    equal(thread.finish(), b"one")
    equal(b.holds_lock(), True)
    equal(a.get(timeout=DEADLINE), b"two")
    b.release()
    equal(b.get(timeout=DEADLINE), b"one")
    equal((a.consume(), b.consume()), (True, True))
    equal(a.get(timeout=0.2), None)
    equal(len(a), 0)


@case
def barrier(world):
    """a barrier holds everybody until it is removed"""
    keeper, waiter = world.client().Barrier("/barrier"), world.client().Barrier("/barrier")
    keeper.create()
    equal(waiter.wait(timeout=0.2), False)
    thread = world.thread(lambda: waiter.wait(timeout=DEADLINE))
    equal(keeper.remove(), True)
    equal(thread.finish(), True)
    equal(keeper.remove(), False)
    equal(waiter.wait(timeout=DEADLINE), True)


@case
def double_barrier(world):
    """a double barrier is entered and left together"""
    count = 3
    barriers = [world.client().DoubleBarrier("/barrier", count, "party-%d" % n) for n in range(count)]
    inside, outside = [], []

    def work(barrier):
        barrier.enter()
        assert barrier.participating
        inside.append(barrier)
        eventually("all are inside", lambda: len(inside) == count)
        barrier.leave()
        outside.append(barrier)

    threads = [world.thread(work, barrier) for barrier in barriers[:-1]]
    observer = world.client()
    eventually("two wait", lambda: observer.exists("/barrier") and len(observer.get_children("/barrier")) == count - 1)
    equal(inside, [])
    threads.append(world.thread(work, barriers[-1]))
    for thread in threads:
        thread.finish()
    equal(len(outside), count)


@case
def counter(world):
    """a counter that many change loses no change"""
    clients = [world.client() for _ in range(3)]

    def work(zk):
        counter = zk.Counter("/counter")
        for _ in range(10):
            counter += 2
            counter -= 1

    for thread in [world.thread(work, zk) for zk in clients]:
        thread.finish()
    equal(clients[0].Counter("/counter").value, 30)
    fraction = clients[0].Counter("/fraction", default=1.5)
    fraction += 0.25
    equal((fraction.value, fraction.pre_value, fraction.post_value), (1.75, 1.5, 1.75))
    shared = clients[0].Counter("/curators", support_curator=True)
    shared += 300
    equal(clients[1].get("/curators")[0], b"\x00\x00\x01\x2c")


@case
def party(world):
    """a party lists who has joined and forgets who has left"""
    a, b = world.client(), world.client()
    ann, bob = a.Party("/party", "ann"), b.Party("/party", "bob")
    ann.join()
    bob.join()
    equal((len(ann), sorted(bob)), (2, ["ann", "bob"]))
    b.stop()
    equal(list(ann), ["ann"])
    ann.leave()
    equal(len(ann), 0)


@case
def shallow_party(world):
    """a shallow party does so by the names of its nodes"""
    ann, bob = world.client().ShallowParty("/party", "ann"), world.client().ShallowParty("/party", "bob")
    ann.join()
    bob.join()
    equal((len(ann), sorted(bob)), (2, ["ann", "bob"]))
    bob.leave()
    equal(list(ann), ["ann"])


@case
def partitioner(world):
    """a partitioner deals a set out to its members, anew when one leaves"""
    items = tuple("abcdefg")
    a, b = world.client(), world.client()
    parts = [zk.SetPartitioner("/parts", items, identifier=name, time_boundary=0.3) for name, zk in (("a", a), ("b", b))]

    def settled():
        for part in parts:
            if part.release:
                part.release_set()
            elif part.allocating:
                part.wait_for_acquire(timeout=0.5)
            assert not part.failed
        return all(part.acquired for part in parts) and sorted(i for part in parts for i in part) == sorted(items)

    eventually("both have their part", settled)
    equal(sorted(len(list(part)) for part in parts), [3, 4])
    parts.pop().finish()
    eventually("the one that stays has all", settled)


@case
def lease(world):
    """a lease is refused while somebody else has it"""
    zk = world.client()
    hour = datetime.timedelta(hours=1)
    equal(bool(NonBlockingLease(zk, "/lease", hour, identifier="a")), True)
    equal(bool(NonBlockingLease(zk, "/lease", hour, identifier="b")), False)
    equal(bool(NonBlockingLease(zk, "/lease", hour, identifier="a")), True)
    taken = [bool(MultiNonBlockingLease(zk, 2, "/leases", hour, identifier=name)) for name in "abc"]
    equal(taken, [True, True, False])
