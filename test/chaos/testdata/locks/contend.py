"""One kazoo client that takes a lock again and again, and looks whether it is alone.

Arguments: addresses, the lock's path, the path of a znode that is empty while nobody holds the lock, and how often.
Anything wrong is a line that begins with "bad"; the last line is "done".
"""

import sys

from kazoo.client import KazooClient

address, path, register, rounds = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
zk = KazooClient(hosts=address, timeout=20)
zk.start(timeout=60)
for n in range(rounds):
    me = b"kazoo %d" % n
    with zk.Lock(path, "kazoo", extra_lock_patterns=["-lock-"]):
        found, _ = zk.get(register)
        if found:
            print("bad: kazoo holds the lock while %r does" % found, flush=True)
        zk.set(register, me)
        found, _ = zk.get(register)
        if found != me:
            print("bad: kazoo holds the lock, and then %r does" % found, flush=True)
        zk.set(register, b"")
zk.stop()
print("done", flush=True)
