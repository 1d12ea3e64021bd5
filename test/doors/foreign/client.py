"""A client of Paddock that knows nothing but what protoc has generated from the contract: client.py <generated> <host:port>
[<trusted certificates> <own key and certificate>], with TLS if certificates are named.

It prints a line for each step that foreign_test.go expects."""

import sys

sys.path.insert(0, sys.argv[1])

import grpc
from paddock.v1 import lock_pb2, lock_pb2_grpc, session_pb2, session_pb2_grpc, types_pb2, watch_pb2, watch_pb2_grpc, znode_pb2, znode_pb2_grpc

if len(sys.argv) > 3:
    trusted, own = (open(name, "rb").read() for name in sys.argv[3:5])
    channel = grpc.secure_channel(sys.argv[2], grpc.ssl_channel_credentials(trusted, own, own))
else:
    channel = grpc.insecure_channel(sys.argv[2])
znodes = znode_pb2_grpc.ZnodeServiceStub(channel)
sessions = session_pb2_grpc.SessionServiceStub(channel)
watches = watch_pb2_grpc.WatchServiceStub(channel)
locks = lock_pb2_grpc.LockServiceStub(channel)
root = "/foreign/python"
wait = {"timeout": 60}


def refused(call, request):
    """Tell how a call is refused: its code, and the reason in google.rpc.ErrorInfo, which is taken apart by hand."""
    try:
        call(request, **wait)
        print("not refused")
    except grpc.RpcError as e:
        details = dict(e.trailing_metadata())["grpc-status-details-bin"]
        reason = next(word for word in ("BADVERSION", "NONODE") if word.encode() in details)
        print("refused", e.code().name, reason)


znodes.Create(znode_pb2.CreateRequest(path=root, parents=True), **wait)
made = znodes.Create(znode_pb2.CreateRequest(path=root + "/s-", data=b"one", mode=types_pb2.CREATE_MODE_PERSISTENT_SEQUENTIAL), **wait)
print("created", made.path)
got = znodes.Get(znode_pb2.GetRequest(path=made.path, read=types_pb2.ReadOptions(level=types_pb2.READ_LEVEL_LINEARIZABLE)), **wait)
print("data", got.data.decode(), "version", got.stat.version)
listed = znodes.ListChildren(znode_pb2.ListChildrenRequest(path=root), **wait)
print("children", *[z.path for z in listed.children])
print("set version", znodes.Set(znode_pb2.SetRequest(path=made.path, data=b"two", version=0), **wait).stat.version)
refused(znodes.Set, znode_pb2.SetRequest(path=made.path, version=0))
refused(znodes.Get, znode_pb2.GetRequest(path="/none"))


def transact(exists):
    """Do a transaction that depends on whether a znode is there."""
    out = znodes.Transact(znode_pb2.TransactRequest(
        guards=[znode_pb2.Guard(path=root + "/t", exists=exists)],
        then=[znode_pb2.Operation(create=znode_pb2.CreateRequest(path=root + "/t")), znode_pb2.Operation(set=znode_pb2.SetRequest(path=root + "/t", data=b"x"))],
        otherwise=[znode_pb2.Operation(delete=znode_pb2.DeleteRequest(path=root + "/t"))]), **wait)
    print("transaction held", str(out.held).lower(), "results", len(out.results))


transact(False)
transact(False)

session = sessions.OpenSession(session_pb2.OpenSessionRequest(timeout_ms=10000), **wait)
named = {"metadata": (("paddock-session", str(session.session_id)), ("paddock-session-password", session.password)), **wait}
znodes.Create(znode_pb2.CreateRequest(path=root + "/e", mode=types_pb2.CREATE_MODE_EPHEMERAL), **named)
print("session ephemerals", *sessions.ListEphemerals(session_pb2.ListEphemeralsRequest(), **named).paths)
for alive in sessions.KeepAlive(iter([session_pb2.KeepAliveRequest()]), **named):
    print("alive" if alive.timeout_ms == session.timeout_ms else "timeout %d" % alive.timeout_ms)
    break

operation = znode_pb2.PipelineOperation
asked = [znode_pb2.PipelineRequest(operations=[operation(set=znode_pb2.SetRequest(path=made.path, data=b"three")), operation(get=znode_pb2.GetRequest(path=made.path))]),
         znode_pb2.PipelineRequest(operations=[operation(get=znode_pb2.GetRequest(path="/none")), operation(delete=znode_pb2.DeleteRequest(path=root + "/e"))])]
kinds = {"get": lambda r: r.get.data.decode(), "error": lambda r: "error " + r.error.reason}
print("pipelined", *[kinds.get(r.WhichOneof("result"), lambda r: r.WhichOneof("result"))(r) for out in znodes.Pipeline(iter(asked), **named) for r in out.results])

told = watches.Watch(iter([watch_pb2.WatchRequest(create=watch_pb2.CreateWatch(watch_id=1, path=root + "/w", kind=watch_pb2.WATCH_KIND_PERSISTENT))]), **wait)
for response in told:
    if response.HasField("created"):
        znodes.Create(znode_pb2.CreateRequest(path=root + "/w"), **wait)
    for change in response.events.changes:
        print("told", watch_pb2.ChangeType.Name(change.type).replace("CHANGE_TYPE_", ""), change.path)
    if response.HasField("events"):
        told.cancel()
        break

print("locked", str(locks.Lock(lock_pb2.LockRequest(path=root + "/lock"), **named).fencing_token > made.zxid).lower())
locks.Unlock(lock_pb2.UnlockRequest(path=root + "/lock"), **named)
print("unlocked")
sessions.CloseSession(session_pb2.CloseSessionRequest(), **named)
print("closed")
print("there" if znodes.Exists(znode_pb2.ExistsRequest(path=root + "/e"), **wait).exists else "gone")
