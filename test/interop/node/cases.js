'use strict';

// What a case is given, and the conversation with the test that started this program.

const { once } = require('node:events');
const readline = require('node:readline');
const zookeeper = require('node-zookeeper-client');

const DEADLINE_MS = 30000; // until something that a case waits for must have happened
const POLL_MS = 20; // between two looks at a condition
const LASTING_MS = 20000; // session timeout of a client that is not meant to expire

const answers = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();

function say(line) {
  return new Promise((done) => process.stdout.write(line.replaceAll('\n', ' ') + '\n', done));
}

/** Has the server stopped, started, killed or restarted. */
async function server(what) {
  await say(`server ${what}`);
  const { value } = await answers.next();
  if (value !== 'done') {
    throw new Error(`server ${what}: ${value}`);
  }
}

/** Returns what promise becomes, unless that takes too long. */
async function within(what, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`never happened: ${what}`)), DEADLINE_MS);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Waits until condition, which may be asynchronous, returns true. */
async function eventually(what, condition) {
  const end = Date.now() + DEADLINE_MS;
  while (!(await condition())) {
    if (Date.now() > end) {
      throw new Error(`never happened: ${what}`);
    }
    await new Promise((done) => setTimeout(done, POLL_MS));
  }
}

/** Requires promise to be rejected with the client's error of this name. */
async function refused(name, promise) {
  try {
    await promise;
  } catch (error) {
    if (error.name !== name) {
      throw new Error(`refused with ${error}, not ${name}`);
    }
    return error;
  }
  throw new Error(`not refused with ${name}`);
}

/** Watch collects the events that a watcher is called with. */
class Watch {
  constructor() {
    this.events = [];
    this.waiting = [];
    this.watcher = (event) => {
      this.events.push(`${event.name} ${event.path}`);
      this.waiting.splice(0).forEach((wake) => wake());
    };
  }

  /** Requires event number n to be the one wanted, once it has come. */
  async expect(n, want) {
    while (this.events.length <= n) {
      await within(want, new Promise((wake) => this.waiting.push(wake)));
    }
    if (this.events[n] !== want) {
      throw new Error(`event ${n} is ${this.events[n]}, not ${want}`);
    }
  }
}

/** Client gives the calls of a client as promises. */
class Client {
  constructor(address, timeout) {
    this.zk = zookeeper.createClient(address, { sessionTimeout: timeout, spinDelay: 100, retries: 5 });
    for (const call of ['create', 'remove', 'setData', 'getData', 'setACL', 'getACL', 'exists', 'getChildren', 'mkdirp']) {
      this[call] = promisifyAll(this.zk, call);
    }
  }

  async connect() {
    const connected = once(this.zk, 'connected');
    this.zk.connect();
    await within('the client connects', connected);
    return this;
  }

  id() {
    return this.zk.getSessionId().toString('hex');
  }

  transaction() {
    return this.zk.transaction();
  }

  async close() {
    const gone = once(this.zk, 'disconnected');
    this.zk.close();
    await within('the client closes', gone);
  }
}

/** The client's calls give their callback up to two results; a promise of a call is of both, as an array. */
function promisifyAll(zk, call) {
  return (...given) => new Promise((resolve, reject) => {
    zk[call](...given, (error, ...results) => (error ? reject(error) : resolve(results)));
  });
}

/** World is what a case is given: clients with a root of the case's own. */
class World {
  constructor(address, root) {
    this.address = address;
    this.root = root;
    this.open = [];
  }

  /** Returns a connected client, closed when the case ends unless it was closed before. */
  async client(timeout = LASTING_MS) {
    const client = new Client(this.address + this.root, timeout);
    this.open.push(client);
    return client.connect();
  }

  close() {
    this.open.forEach((client) => client.zk.close());
  }
}

/** Plays the cases, each a name and an asynchronous function, in order. */
async function play(address, cases) {
  const setup = await new Client(address, LASTING_MS).connect();
  let number = 0;
  for (const [name, body] of cases) {
    await say(`case ${name}`);
    const world = new World(address, `/node-${number++}`);
    try {
      await setup.mkdirp(world.root);
      await body(world);
      world.close();
      await say('pass');
    } catch (error) {
      console.error(error);
      await say(`fail ${error}`);
    }
  }
  setup.zk.close();
}

module.exports = { Client, Watch, DEADLINE_MS, server, within, eventually, refused, play };
