import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.api.CuratorEvent;
import org.apache.curator.framework.api.transaction.CuratorTransactionResult;
import org.apache.zookeeper.AddWatchMode;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.Op;
import org.apache.zookeeper.OpResult;
import org.apache.zookeeper.WatchedEvent;
import org.apache.zookeeper.Watcher;
import org.apache.zookeeper.ZooDefs;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.data.ClientInfo;
import org.apache.zookeeper.data.Stat;

/** Plain calls, through Curator where it has them and through Java's own client where it does not. */
final class Calls {
    private Calls() {}

    static void register() {
        Suite.add("nodes are created with their parents, read, changed and deleted with their children", Calls::tree);
        Suite.add("each misuse throws the exception of its own", Calls::misuse);
        Suite.add("a protected node is found again by its name", Calls::protectedNode);
        Suite.add("a transaction happens as a whole", Calls::transaction);
        Suite.add("a refused transaction changes nothing and names the operation at fault", Calls::refusedTransaction);
        Suite.add("calls in the background are answered in order", Calls::background);
        Suite.add("reads of many kinds go in one request", Calls::multiRead);
        Suite.add("a session's own ephemerals and the number of all descendants are told", Calls::counting);
        Suite.add("the server tells a client who it is", Calls::whoAmI);
        Suite.add("a digest identity opens what an ACL keeps closed to others", Calls::digest);
        Suite.add("containers and nodes with a time to live go on their own", Calls::containersAndTtl);
        Suite.add("persistent watches fire again and again, recursive ones for what is below", Calls::persistentWatches);
        Suite.add("a removed watch stays silent", Calls::removedWatch);
    }

    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    static String text(byte[] data) {
        return data == null ? null : new String(data, StandardCharsets.UTF_8);
    }

    private static void tree(World world) throws Exception {
        CuratorFramework client = world.client();
        client.create().creatingParentsIfNeeded().forPath("/a/b/c", bytes("one"));
        Stat stat = new Stat();
        Check.equal(text(client.getData().storingStatIn(stat).forPath("/a/b/c")), "one");
        Check.equal(stat.getVersion(), 0);
        Check.equal(stat.getDataLength(), 3);
        Check.equal(stat.getCzxid(), stat.getMzxid());
        Check.equal(client.setData().withVersion(0).forPath("/a/b/c", bytes("two")).getVersion(), 1);
        client.create().orSetData().forPath("/a/b/c", bytes("three"));
        Check.equal(text(client.getData().forPath("/a/b/c")), "three");
        Check.equal(client.create().withMode(CreateMode.PERSISTENT_SEQUENTIAL).forPath("/a/n-"), "/a/n-0000000001");
        Check.equal(client.getChildren().forPath("/a").size(), 2);
        client.delete().deletingChildrenIfNeeded().forPath("/a");
        Check.equal(client.checkExists().forPath("/a"), null);
    }

    private static void misuse(World world) throws Exception {
        CuratorFramework client = world.client();
        client.create().forPath("/a");
        client.create().withMode(CreateMode.EPHEMERAL).forPath("/e");
        Check.raises(KeeperException.NodeExistsException.class, () -> client.create().forPath("/a"));
        Check.raises(KeeperException.NoNodeException.class, () -> client.create().forPath("/x/y"));
        Check.raises(KeeperException.NoChildrenForEphemeralsException.class, () -> client.create().forPath("/e/y"));
        Check.raises(KeeperException.NoNodeException.class, () -> client.getData().forPath("/x"));
        Check.raises(KeeperException.BadVersionException.class, () -> client.setData().withVersion(7).forPath("/a"));
        Check.raises(KeeperException.BadVersionException.class, () -> client.delete().withVersion(7).forPath("/a"));
        Check.raises(KeeperException.InvalidACLException.class,
            () -> client.create().withACL(ZooDefs.Ids.CREATOR_ALL_ACL).forPath("/b"));
        client.create().forPath("/a/b");
        Check.raises(KeeperException.NotEmptyException.class, () -> client.delete().forPath("/a"));
    }

    private static void protectedNode(World world) throws Exception {
        CuratorFramework client = world.client();
        String path = client.create().withProtection().withMode(CreateMode.EPHEMERAL_SEQUENTIAL).forPath("/p-");
        Check.that(path.startsWith("/_c_") && path.endsWith("-p-0000000000"), path);
        Check.that(client.checkExists().forPath(path).getEphemeralOwner() != 0, "it is ephemeral");
    }

    private static void transaction(World world) throws Exception {
        CuratorFramework client = world.client();
        client.create().forPath("/a");
        List<CuratorTransactionResult> results = client.transaction().forOperations(
            client.transactionOp().check().withVersion(0).forPath("/a"),
            client.transactionOp().create().forPath("/a/b", bytes("1")),
            client.transactionOp().create().withMode(CreateMode.PERSISTENT_SEQUENTIAL).forPath("/a/n-", bytes("")),
            client.transactionOp().setData().withVersion(0).forPath("/a", bytes("22")),
            client.transactionOp().delete().forPath("/a/b"));
        Check.equal(results.get(1).getResultPath(), "/a/b");
        Check.equal(results.get(2).getResultPath(), "/a/n-0000000001");
        Check.equal(results.get(3).getResultStat().getVersion(), 1);
        Check.equal(client.checkExists().forPath("/a/n-0000000001").getCzxid(), results.get(3).getResultStat().getMzxid());
        Check.equal(client.getChildren().forPath("/a"), List.of("n-0000000001"));
    }

    private static void refusedTransaction(World world) throws Exception {
        CuratorFramework client = world.client();
        client.create().forPath("/a");
        KeeperException problem = Check.raises(KeeperException.BadVersionException.class, () -> client.transaction().forOperations(
            client.transactionOp().create().forPath("/a/b"),
            client.transactionOp().setData().withVersion(9).forPath("/a"),
            client.transactionOp().delete().forPath("/a")));
        List<Integer> codes = new ArrayList<>();
        for (OpResult result : problem.getResults()) {
            codes.add(((OpResult.ErrorResult) result).getErr());
        }
        Check.equal(codes, List.of(
            KeeperException.Code.OK.intValue(),
            KeeperException.Code.BADVERSION.intValue(),
            KeeperException.Code.RUNTIMEINCONSISTENCY.intValue()));
        Check.equal(client.checkExists().forPath("/a/b"), null);
    }

    private static void background(World world) throws Exception {
        CuratorFramework client = world.client();
        client.create().forPath("/a");
        BlockingQueue<CuratorEvent> events = new LinkedBlockingQueue<>();
        for (int i = 0; i < 500; i++) {
            client.setData().inBackground((from, event) -> events.add(event)).forPath("/a", bytes("" + i));
        }
        client.sync().inBackground((from, event) -> events.add(event)).forPath("/a");
        for (int i = 0; i < 500; i++) {
            CuratorEvent event = events.poll(Check.DEADLINE_MS, TimeUnit.MILLISECONDS);
            Check.equal(event.getResultCode(), 0);
            Check.equal(event.getStat().getVersion(), i + 1);
        }
        Check.equal(events.poll(Check.DEADLINE_MS, TimeUnit.MILLISECONDS).getPath(), "/a");
    }

    private static void multiRead(World world) throws Exception {
        CuratorFramework client = world.client();
        client.create().forPath("/a", bytes("x"));
        client.create().forPath("/a/b");
        ZooKeeper zk = client.getZookeeperClient().getZooKeeper();
        String a = world.full("/a");
        List<OpResult> results = zk.multi(Arrays.asList(Op.getData(a), Op.getChildren(a), Op.getData(a + "/missing")));
        Check.equal(text(((OpResult.GetDataResult) results.get(0)).getData()), "x");
        Check.equal(((OpResult.GetChildrenResult) results.get(1)).getChildren(), List.of("b"));
        Check.equal(((OpResult.ErrorResult) results.get(2)).getErr(), KeeperException.Code.NONODE.intValue());
    }

    private static void counting(World world) throws Exception {
        CuratorFramework client = world.client();
        CuratorFramework other = world.client();
        client.create().forPath("/a");
        client.create().withMode(CreateMode.EPHEMERAL).forPath("/a/mine");
        client.create().withMode(CreateMode.EPHEMERAL).forPath("/b");
        other.create().withMode(CreateMode.EPHEMERAL).forPath("/a/theirs");
        ZooKeeper zk = client.getZookeeperClient().getZooKeeper();
        Check.equal(zk.getAllChildrenNumber(world.full("/a")), 2);
        List<String> mine = new ArrayList<>(zk.getEphemerals(world.full("")));
        Collections.sort(mine);
        Check.equal(mine, List.of(world.full("/a/mine"), world.full("/b")));
        Check.equal(zk.getEphemerals(world.full("/a")), List.of(world.full("/a/mine")));
    }

    private static void whoAmI(World world) throws Exception {
        CuratorFramework client = world.start(world.builder().authorization("digest", bytes("ann:secret")));
        List<String> identities = new ArrayList<>();
        for (ClientInfo info : client.getZookeeperClient().getZooKeeper().whoAmI()) {
            identities.add(info.getAuthScheme() + " " + info.getUser());
        }
        Collections.sort(identities);
        Check.equal(identities, List.of("digest ann", "ip 127.0.0.1"));
    }

    private static void digest(World world) throws Exception {
        CuratorFramework owner = world.start(world.builder().authorization("digest", bytes("ann:secret")));
        CuratorFramework other = world.client();
        owner.create().withACL(ZooDefs.Ids.CREATOR_ALL_ACL).forPath("/mine", bytes("x"));
        Check.raises(KeeperException.NoAuthException.class, () -> other.getData().forPath("/mine"));
        Check.raises(KeeperException.NoAuthException.class, () -> other.setData().forPath("/mine"));
        Check.equal(owner.getACL().forPath("/mine").get(0).getId().getScheme(), "digest");
        Check.equal(owner.setACL().withVersion(0).withACL(ZooDefs.Ids.READ_ACL_UNSAFE).forPath("/mine").getAversion(), 1);
        Check.equal(text(other.getData().forPath("/mine")), "x");
        Check.raises(KeeperException.NoAuthException.class, () -> owner.setData().forPath("/mine"));
    }

    private static void containersAndTtl(World world) throws Exception {
        CuratorFramework client = world.client();
        client.create().creatingParentContainersIfNeeded().forPath("/container/child");
        Check.equal(client.checkExists().forPath("/container").getEphemeralOwner(), 0L);
        client.create().withTtl(300).withMode(CreateMode.PERSISTENT_WITH_TTL).forPath("/short");
        client.create().withTtl(3_600_000).withMode(CreateMode.PERSISTENT_SEQUENTIAL_WITH_TTL).forPath("/long-");
        client.delete().forPath("/container/child");
        Check.eventually("the container goes", () -> client.checkExists().forPath("/container") == null);
        Check.eventually("the node with a time to live goes", () -> client.checkExists().forPath("/short") == null);
        Check.that(client.checkExists().forPath("/long-0000000002") != null, "the other one has an hour to go");
    }

    private static void persistentWatches(World world) throws Exception {
        CuratorFramework client = world.client();
        CuratorFramework other = world.client();
        client.create().forPath("/a");
        BlockingQueue<String> plain = new LinkedBlockingQueue<>();
        BlockingQueue<String> recursive = new LinkedBlockingQueue<>();
        client.watchers().add().withMode(AddWatchMode.PERSISTENT).usingWatcher(telling(plain)).forPath("/a");
        // A session has one persistent watch on a path, of the mode that was asked for last: the second watch is another's.
        world.client().watchers().add().withMode(AddWatchMode.PERSISTENT_RECURSIVE).usingWatcher(telling(recursive)).forPath("/a");
        other.setData().forPath("/a");
        other.setData().forPath("/a");
        other.create().forPath("/a/b");
        other.setData().forPath("/a/b");
        other.create().forPath("/a/b/c");
        other.delete().deletingChildrenIfNeeded().forPath("/a");
        expect(plain, "NodeDataChanged /a", "NodeDataChanged /a", "NodeChildrenChanged /a", "NodeChildrenChanged /a", "NodeDeleted /a");
        expect(recursive, "NodeDataChanged /a", "NodeDataChanged /a", "NodeCreated /a/b", "NodeDataChanged /a/b", "NodeCreated /a/b/c",
            "NodeDeleted /a/b/c", "NodeDeleted /a/b", "NodeDeleted /a");
    }

    static Watcher telling(BlockingQueue<String> told) {
        return (WatchedEvent event) -> {
            if (event.getType() != Watcher.Event.EventType.None) {
                told.add(event.getType() + " " + event.getPath());
            }
        };
    }

    static void expect(BlockingQueue<String> told, String... wants) throws Exception {
        for (String want : wants) {
            Check.equal(told.poll(Check.DEADLINE_MS, TimeUnit.MILLISECONDS), want);
        }
        Check.equal(told.poll(), null);
    }

    private static void removedWatch(World world) throws Exception {
        CuratorFramework client = world.client();
        client.create().forPath("/a");
        BlockingQueue<String> removed = new LinkedBlockingQueue<>();
        BlockingQueue<String> kept = new LinkedBlockingQueue<>();
        Watcher watcher = telling(removed);
        client.getData().usingWatcher(watcher).forPath("/a");
        client.getChildren().usingWatcher(telling(kept)).forPath("/a");
        client.watches().remove(watcher).ofType(Watcher.WatcherType.Any).forPath("/a");
        expect(removed, "DataWatchRemoved /a");
        client.setData().forPath("/a");
        client.create().forPath("/a/b");
        expect(kept, "NodeChildrenChanged /a");
        Check.equal(removed.poll(), null);
        Check.raises(KeeperException.NoWatcherException.class,
            () -> client.watches().removeAll().ofType(Watcher.WatcherType.Data).forPath("/a"));
    }
}
