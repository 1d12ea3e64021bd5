// A client of Paddock that knows nothing but the contract, by modules of npm: client.js <proto folder> <host:port>. It prints a line for each step
// that foreign_test.go expects.
import * as grpc from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import type { ProtoGrpcType as LockTypes } from "./types/lock.js";
import type { ProtoGrpcType as SessionTypes } from "./types/session.js";
import type { ProtoGrpcType as WatchTypes } from "./types/watch.js";
import type { ProtoGrpcType as ZnodeTypes } from "./types/znode.js";

const [folder, address] = process.argv.slice(2) as [string, string];
const definition = loadSync(["znode", "session", "watch", "lock"].map((name) => `paddock/v1/${name}.proto`), {
	longs: String, enums: String, defaults: true, oneofs: true, includeDirs: [folder, folder + "/third_party"],
});
const { paddock } = grpc.loadPackageDefinition(definition) as unknown as ZnodeTypes & SessionTypes & WatchTypes & LockTypes;
const open = grpc.credentials.createInsecure();
const znodes = new paddock.v1.ZnodeService(address, open);
const sessions = new paddock.v1.SessionService(address, open);
const watches = new paddock.v1.WatchService(address, open);
const locks = new paddock.v1.LockService(address, open);
const root = "/foreign/typescript";

type Unary<In, Out> = (request: In, metadata: grpc.Metadata, answered: grpc.requestCallback<Out>) => grpc.ClientUnaryCall;

// call makes a promise of a call.
function call<In, Out>(client: grpc.Client, method: Unary<In, Out>, request: In, metadata = new grpc.Metadata()): Promise<Out> {
	return new Promise((resolve, reject) => method.call(client, request, metadata, (error, out) => (error ? reject(error) : resolve(out as Out))));
}

// refused tells how a call is refused: its code, and the reason in google.rpc.ErrorInfo, which is taken apart by hand.
async function refused(promise: Promise<unknown>): Promise<void> {
	try {
		await promise;
		console.log("not refused");
	} catch (error) {
		const e = error as grpc.ServiceError;
		const details = e.metadata.get("grpc-status-details-bin")[0]! as Buffer;
		console.log("refused", grpc.status[e.code], ["BADVERSION", "NONODE"].find((word) => details.includes(word)));
	}
}

await call(znodes, znodes.Create as Unary<object, object>, { path: root, parents: true });
const made = await call(znodes, znodes.Create as Unary<object, { path: string; zxid: string }>, {
	path: root + "/s-", data: Buffer.from("one"), mode: "CREATE_MODE_PERSISTENT_SEQUENTIAL",
});
console.log("created", made.path);

const get = znodes.Get as Unary<object, { data: Buffer; stat: { version: number } | null }>;
const got = await call(znodes, get, { path: made.path, read: { level: "READ_LEVEL_LINEARIZABLE" } });
console.log("data", got.data.toString(), "version", got.stat!.version);
const listed = await call(znodes, znodes.ListChildren as Unary<object, { children: { path: string }[] }>, { path: root });
console.log("children", ...listed.children.map((z) => z.path));
const set = znodes.Set as Unary<object, { stat: { version: number } | null }>;
console.log("set version", (await call(znodes, set, { path: made.path, data: Buffer.from("two"), version: 0 })).stat!.version);
await refused(call(znodes, set, { path: made.path, version: 0 }));
await refused(call(znodes, get, { path: "/none" }));

for (let i = 0; i < 2; i++) {
	const path = root + "/t";
	const out = await call(znodes, znodes.Transact as Unary<object, { held: boolean; results: object[] }>, {
		guards: [{ path, exists: false }],
		then: [{ create: { path } }, { set: { path, data: Buffer.from("x") } }],
		otherwise: [{ delete: { path } }],
	});
	console.log("transaction held", out.held, "results", out.results.length);
}

const session = await call(sessions, sessions.OpenSession as Unary<object, { sessionId: string; password: string; timeoutMs: number }>, { timeoutMs: 10000 });
const named = new grpc.Metadata();
named.set("paddock-session", session.sessionId);
named.set("paddock-session-password", session.password);
await call(znodes, znodes.Create as Unary<object, object>, { path: root + "/e", mode: "CREATE_MODE_EPHEMERAL" }, named);
const owned = await call(sessions, sessions.ListEphemerals as Unary<object, { paths: string[] }>, {}, named);
console.log("session ephemerals", ...owned.paths);
await new Promise<void>((resolve, reject) => {
	const stream = sessions.KeepAlive(named);
	stream.on("error", reject);
	stream.on("data", (alive) => {
		console.log(alive.timeoutMs === session.timeoutMs ? "alive" : `timeout ${alive.timeoutMs}`);
		stream.removeListener("error", reject);
		stream.on("error", () => {}); // that it is cancelled
		stream.cancel();
		resolve();
	});
	stream.write({});
});

await new Promise<void>((resolve, reject) => {
	const stream = znodes.Pipeline(named);
	const words: string[] = [];
	stream.on("error", reject);
	stream.on("data", (out) => {
		for (const r of out.results) {
			words.push(r.get ? r.get.data.toString() : r.error ? "error " + r.error.reason : String(r.result));
		}
	});
	stream.on("end", () => {
		console.log("pipelined", ...words);
		resolve();
	});
	stream.write({ operations: [{ set: { path: made.path, data: Buffer.from("three") } }, { get: { path: made.path } }] });
	stream.write({ operations: [{ get: { path: "/none" } }, { delete: { path: root + "/e" } }] });
	stream.end();
});

await new Promise<void>((resolve, reject) => {
	const stream = watches.Watch();
	stream.on("error", reject);
	stream.on("data", (told) => {
		if (told.created) {
			call(znodes, znodes.Create as Unary<object, object>, { path: root + "/w" }).catch(reject);
		}
		for (const change of told.events?.changes ?? []) {
			console.log("told", String(change.type).replace("CHANGE_TYPE_", ""), change.path);
			stream.removeListener("error", reject);
			stream.on("error", () => {}); // as above
			stream.cancel();
			resolve();
		}
	});
	stream.write({ create: { watchId: 1, path: root + "/w", kind: "WATCH_KIND_PERSISTENT" } });
});

const lock = await call(locks, locks.Lock as Unary<object, { fencingToken: string }>, { path: root + "/lock" }, named);
console.log("locked", BigInt(lock.fencingToken) > BigInt(made.zxid));
await call(locks, locks.Unlock as Unary<object, object>, { path: root + "/lock" }, named);
console.log("unlocked");
await call(sessions, sessions.CloseSession as Unary<object, object>, {}, named);
console.log("closed");
const there = await call(znodes, znodes.Exists as Unary<object, { exists: boolean }>, { path: root + "/e" });
console.log(there.exists ? "there" : "gone");
for (const client of [znodes, sessions, watches, locks]) {
	client.close();
}
