"""Many kazoo clients in one process, each of which holds a lock of its own for as long as the test lasts.

Arguments: addresses, how many clients, the session timeout in seconds. Every tenth client also waits for the lock of the one
before it, so that a lock that is lost is taken at once. The process says "ready", then obeys what comes on its standard input:

    check   every client looks at its lock; answered by "checked"
    finish  the holders let go, and whoever waits must get what he waits for; answered by "finished"

Anything wrong is a line that begins with "bad".
"""

import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from kazoo.client import KazooClient
from kazoo.exceptions import ConnectionLoss, OperationTimeoutError
from kazoo.handlers.threading import KazooTimeoutError
from kazoo.protocol.states import KazooState

DEADLINE = 90.0  # seconds until everything that is asked for must have happened
WAITERS = 10  # one client in so many waits for another's lock
RECONNECT = {"max_tries": -1, "delay": 0.1, "backoff": 2, "max_delay": 1.0}

printing = threading.Lock()


def say(*words):
    with printing:
        print(*words, flush=True)


class Holder:
    """A client and the lock that it holds."""

    def __init__(self, address, number, timeout):
        self.number = number
        self.path = "/locks/kazoo-%d" % number
        self.released = False
        self.zk = KazooClient(hosts=address, timeout=timeout, connection_retry=RECONNECT)
        self.zk.add_listener(self.changed)
        self.zk.start(timeout=DEADLINE)
        self.lock = self.zk.Lock(self.path, "client %d" % number)
        if not self.lock.acquire(timeout=DEADLINE):
            raise RuntimeError("%s: not acquired" % self.path)
        self.session = self.zk.client_id[0]
        self.node = self.lock.path + "/" + self.lock.node

    def changed(self, state):
        if state == KazooState.LOST and not self.released:
            say("bad: the session of %s is lost" % self.path)

    def check(self):
        """Is the lock's znode there, its own, and the first of all?"""
        end = time.monotonic() + DEADLINE
        while True:
            try:
                children = self.zk.get_children(self.path)
                stat = self.zk.exists(self.node)
                break
            except (ConnectionLoss, OperationTimeoutError, KazooTimeoutError) as problem:
                if time.monotonic() > end:
                    say("bad: %s cannot be looked at: %r" % (self.path, problem))
                    return
                time.sleep(0.1)
        first = min(children, key=lambda name: name[-10:], default=None)
        owner = stat.ephemeralOwner if stat else None
        if self.zk.client_id[0] != self.session or owner != self.session or first != self.lock.node:
            say("bad: %s: session %x, was %x; %s is owned by %s; %r" % (self.path, self.zk.client_id[0], self.session, self.node, owner, children))

    def release(self):
        self.released = True
        self.lock.release()


class Waiter:
    """A thread of a client that waits for another client's lock."""

    def __init__(self, client, holder):
        self.holder = holder
        self.lock = client.zk.Lock(holder.path, "waiter")
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        self.lock.acquire()
        if not self.holder.released:
            say("bad: %s was given to another while its holder had it" % self.holder.path)

    def finish(self):
        self.thread.join(DEADLINE)
        if self.thread.is_alive():
            say("bad: %s was released, and whoever waited for it did not get it" % self.holder.path)


def main():
    address, count, timeout = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    with ThreadPoolExecutor(20) as pool:
        holders = list(pool.map(lambda i: Holder(address, i, timeout), range(count)))
        waiters = [Waiter(holders[i], holders[i - 1]) for i in range(WAITERS - 1, count, WAITERS)]
        for w in waiters:
            while len(w.holder.zk.get_children(w.holder.path)) < 2:  # until it waits
                time.sleep(0.05)
        say("ready")
        for line in sys.stdin:
            if line.strip() == "check":
                list(pool.map(Holder.check, holders))
                say("checked")
            elif line.strip() == "finish":
                list(pool.map(Holder.check, holders))
                list(pool.map(Holder.release, holders))
                list(pool.map(Waiter.finish, waiters))
                say("finished")


main()
