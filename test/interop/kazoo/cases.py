"""How a case is written: a decorator, what a case is given, and the conversation with the test that started this program."""

import os
import sys
import threading
import time
import traceback

from kazoo.client import KazooClient

DEADLINE = 30.0  # seconds until a condition that a case waits for must hold
POLL = 0.02  # seconds between two looks at a condition
SESSION = 20.0  # seconds of session timeout asked for by a client that is not meant to expire

RECONNECT = {"max_tries": -1, "delay": 0.05, "max_delay": 0.5}  # so that a busy machine does not back clients off for long

CASES = []


def case(function):
    """Register function as a case; its docstring is the sentence that names it."""
    CASES.append(function)
    return function


def eventually(what, condition):
    """Wait until condition() is true and return its value; what says what was waited for."""
    deadline = time.monotonic() + DEADLINE
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError("never happened: " + what)
        time.sleep(POLL)


def equal(got, want):
    assert got == want, "got %r, want %r" % (got, want)


def raises(kind, call, *args, **kwargs):
    """Require that the call raises kind, and return what it raised."""
    try:
        value = call(*args, **kwargs)
    except kind as error:
        return error
    raise AssertionError("returned %r instead of raising %s" % (value, kind.__name__))


class World:
    """What a case is given: clients with a root of the case's own, threads, and power over the server."""

    def __init__(self, address, root):
        self.address = address
        self.root = root
        self.clients = []
        self.threads = []

    def client(self, timeout=SESSION, chroot=True, start=True, **options):
        """Return a client that is stopped when the case ends, connected unless start is False."""
        hosts = self.address + (self.root if chroot else "")
        client = KazooClient(hosts=hosts, timeout=timeout, connection_retry=RECONNECT, **options)
        self.clients.append(client)
        if start:
            client.start(timeout=DEADLINE)
        return client

    def thread(self, function, *args):
        """Run function beside the case; what it raises fails the case."""
        thread = Thread(function, args)
        self.threads.append(thread)
        thread.start()
        return thread

    def server(self, what):
        """Have the server stopped, started, killed or restarted."""
        say("server", what)
        answer = sys.stdin.readline().strip()
        assert answer == "done", "server %s: %s" % (what, answer)

    def close(self):
        for client in self.clients:
            client.stop()
            client.close()


class Thread(threading.Thread):
    def __init__(self, function, args):
        super().__init__(daemon=True)
        self.function, self.args, self.error, self.result = function, args, None, None

    def run(self):
        try:
            self.result = self.function(*self.args)
        except Exception as error:  # handed to join
            self.error = error

    def finish(self):
        """Wait for the end and return what the function returned, or raise what it raised."""
        self.join(DEADLINE)
        assert not self.is_alive(), "%s never returned" % self.function.__name__
        if self.error:
            raise self.error
        return self.result


def say(word, text=""):
    sys.stdout.write(" ".join([word] + text.split()) + "\n")
    sys.stdout.flush()


def play(address):
    """Play every registered case in the order of registration; return how many failed."""
    setup = KazooClient(hosts=address, timeout=SESSION, connection_retry=RECONNECT)
    setup.start(timeout=DEADLINE)
    failed = 0
    for number, function in enumerate(CASES):
        say("case", function.__doc__)
        root = "/kazoo-%d" % number
        world = World(address, root)
        try:
            setup.retry(setup.ensure_path, root)
            function(world)
            for thread in world.threads:
                thread.finish()
            world.close()
        except Exception as error:
            failed += 1
            traceback.print_exc()
            sys.stderr.flush()
            say("fail", "%s: %s" % (type(error).__name__, error))
        else:
            say("pass")
    setup.stop()
    sys.stdout.flush()
    os._exit(0)  # what a failed case left behind must not keep the program alive
