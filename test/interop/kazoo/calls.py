"""Plain calls: every one kazoo has, its results and its errors."""

from kazoo.exceptions import (
    AuthFailedError,
    BadVersionError,
    InvalidACLError,
    NoAuthError,
    NoChildrenForEphemeralsError,
    NodeExistsError,
    NoNodeError,
    NotEmptyError,
    RolledBackError,
    RuntimeInconsistency,
)
from kazoo.security import (
    CREATOR_ALL_ACL,
    OPEN_ACL_UNSAFE,
    READ_ACL_UNSAFE,
    make_acl,
    make_digest_acl,
)

from cases import case, equal, eventually, raises


@case
def stat(world):
    """a node's stat counts versions, children and bytes"""
    zk = world.client()
    path, first = zk.create("/a", b"one", include_data=True)
    equal(path, "/a")
    equal((first.version, first.cversion, first.aversion, first.dataLength, first.numChildren), (0, 0, 0, 3, 0))
    equal((first.czxid, first.ephemeralOwner), (first.mzxid, 0))
    equal(first.pzxid, first.czxid)
    second = zk.set("/a", b"three")
    equal((second.version, second.dataLength, second.czxid), (1, 5, first.czxid))
    assert second.mzxid > first.mzxid and second.mtime >= first.mtime
    zk.create("/a/b")
    zk.create("/a/c")
    zk.delete("/a/b")
    data, third = zk.get("/a")
    equal((data, third.version, third.cversion, third.numChildren), (b"three", 1, 3, 1))
    assert third.pzxid > second.mzxid
    equal(zk.exists("/a"), third)
    equal(zk.get_children("/a", include_data=True), (["c"], third))
    equal(zk.exists("/missing"), None)


@case
def errors(world):
    """each misuse raises the error of its own"""
    zk = world.client()
    zk.create("/a", b"")
    raises(NodeExistsError, zk.create, "/a", b"")
    raises(NoNodeError, zk.create, "/missing/b", b"")
    raises(NoNodeError, zk.get, "/missing")
    raises(NoNodeError, zk.set, "/missing", b"")
    raises(NoNodeError, zk.delete, "/missing")
    raises(NoNodeError, zk.get_children, "/missing")
    raises(NoNodeError, zk.get_acls, "/missing")
    raises(BadVersionError, zk.set, "/a", b"", version=7)
    raises(BadVersionError, zk.delete, "/a", version=7)
    raises(BadVersionError, zk.set_acls, "/a", OPEN_ACL_UNSAFE, version=7)
    raises(InvalidACLError, zk.create, "/b", b"", acl=CREATOR_ALL_ACL)
    zk.create("/a/child")
    raises(NotEmptyError, zk.delete, "/a")
    zk.create("/e", ephemeral=True)
    raises(NoChildrenForEphemeralsError, zk.create, "/e/child")


@case
def sequences(world):
    """sequential names count the creations below the parent"""
    zk = world.client()
    equal(zk.create("/q/n-", makepath=True, sequence=True), "/q/n-0000000000")
    equal(zk.create("/q/n-", sequence=True), "/q/n-0000000001")
    equal(zk.create("/q/", sequence=True), "/q/0000000002")
    zk.delete("/q/n-0000000000")
    equal(zk.create("/q/e-", sequence=True, ephemeral=True), "/q/e-0000000003")
    equal(sorted(zk.get_children("/q")), ["0000000002", "e-0000000003", "n-0000000001"])


@case
def trees(world):
    """paths are ensured and trees deleted recursively"""
    zk = world.client()
    zk.ensure_path("/t/a/b/c")
    zk.ensure_path("/t/a/b/c")
    zk.create("/t/a/d", b"x")
    zk.delete("/t", recursive=True)
    equal(zk.exists("/t"), None)
    equal(zk.get_children("/"), [])


@case
def data(world):
    """data of every size comes back as it was sent"""
    zk = world.client()
    for size in (0, 1, 1000, 100 * 1000, 1000 * 1000):
        path = "/size-%d" % size
        value = bytes(i * 7 % 256 for i in range(1000)) * (size // 1000) if size > 1 else b"x" * size
        zk.create(path, value)
        got, stat = zk.get(path)
        assert got == value, "%d bytes changed" % size
        equal(stat.dataLength, size)


@case
def names(world):
    """names outside of ASCII are kept"""
    zk = world.client()
    for name in ("żółw", "漢字", "a b", "%20", "..."):
        equal(zk.create("/" + name, name.encode()), "/" + name)
        equal(zk.get("/" + name)[0], name.encode())
    equal(sorted(zk.get_children("/")), sorted(["żółw", "漢字", "a b", "%20", "..."]))


@case
def transactions(world):
    """a transaction happens as a whole"""
    zk = world.client()
    zk.create("/a", b"")
    t = zk.transaction()
    t.check("/a", 0)
    t.create("/a/b", b"1")
    t.create("/a/n-", sequence=True)
    t.set_data("/a", b"2", version=0)
    t.delete("/a/b")
    results = t.commit()
    equal(results[0], True)
    equal(results[1:3], ["/a/b", "/a/n-0000000001"])
    equal((results[3].version, results[3].dataLength), (1, 1))
    equal(results[4], True)
    equal(zk.get_children("/a"), ["n-0000000001"])


@case
def refusals(world):
    """a refused transaction changes nothing and names the operation at fault"""
    zk = world.client()
    zk.create("/a", b"")
    t = zk.transaction()
    t.create("/b", b"")
    t.check("/a", 3)
    t.delete("/a")
    kinds = [type(result) for result in t.commit()]
    equal(kinds, [RolledBackError, BadVersionError, RuntimeInconsistency])
    equal(zk.get_children("/"), ["a"])


@case
def pipelining(world):
    """hundreds of requests in flight are answered in order"""
    zk = world.client()
    zk.create("/n", b"")
    pending = [zk.set_async("/n", str(i).encode()) for i in range(500)]
    reads = [zk.get_async("/n") for _ in range(10)]
    equal([p.get(timeout=30).version for p in pending], list(range(1, 501)))
    for read in reads:
        equal(read.get(timeout=30)[0], b"499")
    equal(zk.sync("/n"), "/n")


@case
def digests(world):
    """a digest identity opens what an ACL keeps closed to others"""
    owner, other = world.client(), world.client()
    owner.add_auth("digest", "ann:secret")
    owner.create("/mine", b"x", acl=CREATOR_ALL_ACL)
    raises(NoAuthError, other.get, "/mine")
    raises(NoAuthError, other.set, "/mine", b"")
    raises(NoAuthError, other.create, "/mine/child")
    raises(NoAuthError, other.get_acls, "/mine")
    other.add_auth("digest", "ann:wrong")
    raises(NoAuthError, other.get, "/mine")
    other.add_auth("digest", "ann:secret")
    equal(other.get("/mine")[0], b"x")
    acls, stat = owner.get_acls("/mine")
    equal(acls, [make_digest_acl("ann", "secret", all=True)])
    equal(stat.aversion, 0)
    stat = owner.set_acls("/mine", READ_ACL_UNSAFE, version=0)
    equal(stat.aversion, 1)
    equal(owner.get_acls("/mine")[0], READ_ACL_UNSAFE)
    raises(NoAuthError, owner.set, "/mine", b"")


@case
def addresses(world):
    """an ACL by address opens for that address alone"""
    zk = world.client()
    zk.create("/here", b"x", acl=[make_acl("ip", "127.0.0.1/32", read=True)])
    zk.create("/there", b"x", acl=[make_acl("ip", "10.1.2.3", read=True)])
    equal(zk.get("/here")[0], b"x")
    raises(NoAuthError, zk.get, "/there")


@case
def early_auth(world):
    """credentials given before the connection count from the first request"""
    zk = world.client(auth_data=[("digest", "bob:pass")], default_acl=CREATOR_ALL_ACL)
    zk.create("/bobs", b"x")
    raises(NoAuthError, world.client().get, "/bobs")
    equal(zk.get("/bobs")[0], b"x")


@case
def unknown_scheme(world):
    """an unknown scheme of authentication ends the connection"""
    zk = world.client()
    raises(AuthFailedError, zk.add_auth, "palmistry", "left:hand")
    eventually("the session is lost", lambda: not zk.connected)
    world.clients.remove(zk)


@case
def roots(world):
    """a client with a root sees nothing above it"""
    outside, inside = world.client(chroot=False), world.client()
    inside.create("/a/b", b"x", makepath=True)
    equal(outside.get(world.root + "/a/b")[0], b"x")
    equal(inside.create("/a/n-", sequence=True), "/a/n-0000000001")
    equal(inside.get_children("/"), ["a"])


@case
def words(world):
    """four-letter words tell the version and answer a ping"""
    zk = world.client()
    equal(zk.command(b"ruok"), "imok")
    assert "Mode: standalone" in zk.command(b"srvr")
    assert zk.server_version() >= (3, 5), zk.server_version()
    assert "zk_version" in zk.command(b"mntr")
    equal(zk.command(b"isro"), "rw")


@case
def ephemerals(world):
    """closing a session takes its ephemerals along"""
    zk, other = world.client(), world.client()
    zk.create("/e", b"", ephemeral=True)
    equal(other.exists("/e").ephemeralOwner, zk.client_id[0])
    zk.stop()
    equal(other.exists("/e"), None)
    zk.start(timeout=30)
    zk.create("/e", b"", ephemeral=True)


@case
def session_ids(world):
    """every session has an id of its own and a password of 16 bytes"""
    ids = {world.client().client_id for _ in range(5)}
    equal(len(ids), 5)
    for number, password in ids:
        assert number != 0
        equal(len(password), 16)
