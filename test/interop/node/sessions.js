'use strict';

// What happens to sessions, ephemerals and watches when connections, servers and clients fail.

const assert = require('node:assert/strict');
const { spawn } = require('node:child_process');
const { once } = require('node:events');
const { CreateMode } = require('node-zookeeper-client');
const { Client, Watch, server, within } = require('./cases');

const FLEETING_MS = 2000; // session timeout of a client that is meant to expire

/** Owns an ephemeral node until killed: a second process, so that it can be stopped in its tracks. */
async function hold(path, address) {
  const client = await new Client(address, FLEETING_MS).connect();
  await client.create(path, CreateMode.EPHEMERAL);
  console.log('held');
}

/** Starts that process and returns it once it owns the node. */
async function holder(world, path) {
  const child = spawn(process.execPath, [process.argv[1], 'hold', path, world.address + world.root], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [said] = await within('the node is held', once(child.stdout, 'data'));
  assert.equal(said.toString(), 'held\n');
  return child;
}

/** Returns a promise of the client losing its connection and having another. */
function again(client) {
  return within('the client reconnects', once(client.zk, 'disconnected').then(() => once(client.zk, 'connected')));
}

const cases = [
  ['closing a session takes its ephemerals along', async (world) => {
    const [zk, other] = [await world.client(), await world.client()];
    await zk.create('/e', CreateMode.EPHEMERAL);
    const gone = new Watch();
    const [stat] = await other.exists('/e', gone.watcher);
    assert.equal(stat.ephemeralOwner.toString('hex'), zk.id());
    await zk.close();
    await gone.expect(0, 'NODE_DELETED /e');
  }],

  ['a process stopped in its tracks loses its session', async (world) => {
    const observer = await world.client();
    const child = await holder(world, '/e');
    const gone = new Watch();
    await observer.exists('/e', gone.watcher);
    child.kill('SIGSTOP');
    try {
      await gone.expect(0, 'NODE_DELETED /e');
    } finally {
      child.kill('SIGKILL');
    }
  }],

  ['a process that was killed loses its session after its timeout', async (world) => {
    const observer = await world.client();
    const child = await holder(world, '/e');
    const gone = new Watch();
    await observer.exists('/e', gone.watcher);
    child.kill('SIGKILL');
    await gone.expect(0, 'NODE_DELETED /e');
  }],

  ['a session, its ephemerals and its watches outlive a restart of the server', async (world) => {
    const zk = await world.client();
    const session = zk.id();
    await zk.create('/a');
    await zk.create('/e', CreateMode.EPHEMERAL);
    const [changed, children, created] = [new Watch(), new Watch(), new Watch()];
    await zk.getData('/a', changed.watcher);
    await zk.getChildren('/a', children.watcher);
    await zk.exists('/later', created.watcher);
    const back = again(zk);
    await server('restart');
    await back;
    assert.equal(zk.id(), session);
    const [stat] = await zk.exists('/e');
    assert.equal(stat.ephemeralOwner.toString('hex'), session);
    const other = await world.client();
    await other.setData('/a', Buffer.from('x'), 0);
    await other.create('/a/b');
    await other.create('/later');
    await changed.expect(0, 'NODE_DATA_CHANGED /a');
    await children.expect(0, 'NODE_CHILDREN_CHANGED /a');
    await created.expect(0, 'NODE_CREATED /later');
  }],

  ['what was acknowledged before the server was killed is there afterwards', async (world) => {
    const zk = await world.client();
    const names = [];
    for (let i = 0; i < 200; i++) {
      names.push(`n-${1000 + i}`);
    }
    await Promise.all(names.map((name) => zk.create(`/${name}`)));
    const back = again(zk);
    await server('kill');
    await server('start');
    await back;
    assert.deepEqual((await zk.getChildren('/'))[0].sort(), names);
  }],
];

module.exports = { cases, hold };
