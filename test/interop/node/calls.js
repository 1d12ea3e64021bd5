'use strict';

// Plain calls, their results and their errors, and watches.

const assert = require('node:assert/strict');
const { ACL, CreateMode, Id, Permission } = require('node-zookeeper-client');
const { Watch, within, eventually, refused } = require('./cases');

const number = (buffer) => BigInt(`0x${buffer.toString('hex')}`);

module.exports = [
  ["a node's stat counts versions, children and bytes", async (world) => {
    const zk = await world.client();
    assert.deepEqual(await zk.create('/a', Buffer.from('one')), ['/a']);
    const [data, first] = await zk.getData('/a');
    assert.equal(data.toString(), 'one');
    assert.deepEqual([first.version, first.cversion, first.aversion, first.dataLength, first.numChildren], [0, 0, 0, 3, 0]);
    assert.deepEqual(first.czxid, first.mzxid);
    const [second] = await zk.setData('/a', Buffer.from('three'), 0);
    assert.deepEqual([second.version, second.dataLength], [1, 5]);
    assert.ok(number(second.mzxid) > number(first.mzxid));
    await zk.create('/a/b');
    await zk.create('/a/c');
    await zk.remove('/a/b', 0);
    const [children, third] = await zk.getChildren('/a');
    assert.deepEqual(children, ['c']);
    assert.deepEqual([third.cversion, third.numChildren], [3, 1]);
    assert.ok(number(third.pzxid) > number(second.mzxid));
    assert.deepEqual(await zk.exists('/missing'), [null]);
  }],

  ['each misuse is answered by the error of its own', async (world) => {
    const zk = await world.client();
    await zk.create('/a');
    await zk.create('/e', CreateMode.EPHEMERAL);
    await refused('NODE_EXISTS', zk.create('/a'));
    await refused('NO_NODE', zk.create('/x/y'));
    await refused('NO_CHILDREN_FOR_EPHEMERALS', zk.create('/e/y'));
    await refused('INVALID_ACL', zk.create('/b', ACL.CREATOR_ALL_ACL));
    await refused('NO_NODE', zk.getData('/x'));
    await refused('NO_NODE', zk.getChildren('/x'));
    await refused('BAD_VERSION', zk.setData('/a', Buffer.from('x'), 7));
    await refused('BAD_VERSION', zk.remove('/a', 7));
    await zk.create('/a/b');
    await refused('NOT_EMPTY', zk.remove('/a'));
  }],

  ['sequential names count the creations below the parent', async (world) => {
    const zk = await world.client();
    assert.deepEqual(await zk.create('/n-', CreateMode.PERSISTENT_SEQUENTIAL), ['/n-0000000000']);
    assert.deepEqual(await zk.create('/e-', CreateMode.EPHEMERAL_SEQUENTIAL), ['/e-0000000001']);
  }],

  ['missing parents are made along with a node', async (world) => {
    const zk = await world.client();
    await zk.mkdirp('/t/a/b/c');
    await zk.mkdirp('/t/a/d');
    assert.deepEqual((await zk.getChildren('/t/a'))[0].sort(), ['b', 'd']);
  }],

  ['data of every size comes back as it was sent', async (world) => {
    const zk = await world.client();
    for (const size of [1, 1000, 100000, 1000000]) {
      const data = Buffer.alloc(size, 'a\0\xff\n', 'latin1');
      await zk.create(`/size-${size}`, data);
      const [got] = await zk.getData(`/size-${size}`);
      assert.ok(got.equals(data), `${size} bytes changed`);
    }
  }],

  ['names outside of ASCII are kept', async (world) => {
    const zk = await world.client();
    await zk.create('/żółw 漢字');
    assert.deepEqual((await zk.getChildren('/'))[0], ['żółw 漢字']);
  }],

  ['hundreds of requests in flight are answered in order', async (world) => {
    const zk = await world.client();
    await zk.create('/a');
    const calls = [];
    for (let i = 0; i < 500; i++) {
      calls.push(zk.setData('/a', Buffer.from(`${i}`)));
    }
    const versions = (await Promise.all(calls)).map(([stat]) => stat.version);
    assert.deepEqual(versions, versions.map((_, i) => i + 1));
  }],

  ['a transaction happens as a whole', async (world) => {
    const zk = await world.client();
    await zk.create('/a');
    const results = await commit(zk.transaction()
      .check('/a', 0)
      .create('/a/b', Buffer.from('1'))
      .create('/a/n-', CreateMode.PERSISTENT_SEQUENTIAL)
      .setData('/a', Buffer.from('22'), 0)
      .remove('/a/b', 0));
    assert.equal(results.length, 5);
    assert.deepEqual([results[1].path, results[2].path], ['/a/b', '/a/n-0000000001']);
    assert.equal(results[3].stat.version, 1);
    assert.deepEqual((await zk.getChildren('/a'))[0], ['n-0000000001']);
  }],

  ['a refused transaction changes nothing', async (world) => {
    const zk = await world.client();
    await zk.create('/a');
    await refused('BAD_VERSION', commit(zk.transaction().create('/a/b').check('/a', 9).remove('/a')));
    assert.deepEqual((await zk.getChildren('/a'))[0], []);
  }],

  ['a digest identity opens what an ACL keeps closed to others', async (world) => {
    const [owner, other] = [await world.client(), await world.client()];
    owner.zk.addAuthInfo('digest', Buffer.from('ann:secret'));
    await owner.create('/mine', Buffer.from('x'), ACL.CREATOR_ALL_ACL);
    await refused('NO_AUTH', other.getData('/mine'));
    await refused('NO_AUTH', other.setData('/mine', Buffer.from('y')));
    const [[acl]] = await owner.getACL('/mine');
    assert.deepEqual([acl.permission, acl.id.scheme, acl.id.id], [Permission.ALL, 'digest', 'ann:7RJfAeIvrl4zdj6sS2fXrQHDvHM=']);
    other.zk.addAuthInfo('digest', Buffer.from('ann:secret'));
    assert.equal((await other.getData('/mine'))[0].toString(), 'x');
    const [stat] = await owner.setACL('/mine', [new ACL(Permission.READ, Id.ANYONE_ID_UNSAFE)], 0);
    assert.equal(stat.aversion, 1);
    await refused('NO_AUTH', owner.setData('/mine', Buffer.from('y')));
    assert.equal((await (await world.client()).getData('/mine'))[0].toString(), 'x');
  }],

  ['each kind of watch fires once, for its first change', async (world) => {
    const [zk, other] = [await world.client(), await world.client()];
    const [created, changed, children, deleted] = [new Watch(), new Watch(), new Watch(), new Watch()];
    await zk.exists('/a', created.watcher);
    await other.create('/a');
    await created.expect(0, 'NODE_CREATED /a');
    await zk.getData('/a', changed.watcher);
    await zk.getChildren('/a', children.watcher);
    await other.setData('/a', Buffer.from('1'));
    await other.setData('/a', Buffer.from('2'));
    await other.create('/a/b');
    await changed.expect(0, 'NODE_DATA_CHANGED /a');
    await children.expect(0, 'NODE_CHILDREN_CHANGED /a');
    await zk.getData('/a/b', deleted.watcher);
    await other.remove('/a/b');
    await deleted.expect(0, 'NODE_DELETED /a/b');
    assert.deepEqual([created, changed, children, deleted].map((watch) => watch.events.length), [1, 1, 1, 1]);
  }],

  ['an event comes before any answer that shows the change', async (world) => {
    const [zk, other] = [await world.client(), await world.client()];
    await zk.create('/a');
    for (let i = 0; i < 50; i++) {
      const watch = new Watch();
      await zk.getData('/a', watch.watcher);
      await other.setData('/a', Buffer.from(`${i}`));
      await eventually('the change shows', async () => (await zk.getData('/a'))[0]?.toString() === `${i}`);
      assert.equal(watch.events.length, 1);
    }
  }],
];

function commit(transaction) {
  return within('the commit', new Promise((resolve, reject) => {
    transaction.commit((error, results) => (error ? reject(error) : resolve(results)));
  }));
}
