import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.recipes.atomic.DistributedAtomicLong;
import org.apache.curator.framework.recipes.cache.CuratorCache;
import org.apache.curator.framework.recipes.leader.LeaderLatch;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.framework.recipes.nodes.PersistentNode;
import org.apache.curator.retry.RetryNTimes;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.ZooKeeper;

/** What recipes come to while servers are killed and restarted, and after a session is over. */
final class Storms {
    static void cases() {
        for (String what : List.of("restart", "kill")) {
            Suite.play("a cache is complete after servers " + what, () -> caches(what));
            Suite.play("a lock is held by one and a leader is one while servers " + what, () -> locks(what));
        }
        Suite.play("after the end of a session all comes back", Storms::expiry);
    }

    /** Changes a tree while the servers are under way, and then compares caches with it. */
    private static void caches(String what) throws Exception {
        String top = "/storm-" + what;
        List<CuratorCache> caches = new ArrayList<>();
        for (CuratorFramework c : List.of(Suite.one, Suite.other)) {
            CuratorCache cache = CuratorCache.build(c, top);
            cache.start();
            caches.add(cache);
        }
        AtomicBoolean over = new AtomicBoolean();
        try (CuratorFramework writer = Suite.client()) {
            Thread t = new Thread(() -> {
                for (int i = 0; !over.get(); i++) {
                    try {
                        String path = top + "/" + i % 7 + "/" + i % 5;
                        if (i % 3 == 2) {
                            writer.delete().quietly().deletingChildrenIfNeeded().forPath(top + "/" + i % 7);
                        } else {
                            writer.create().orSetData().creatingParentsIfNeeded().forPath(path, Suite.bytes("" + i));
                        }
                    } catch (Exception e) {
                        continue; // the connection is lost for longer than it is tried, or another got there first
                    }
                }
            });
            t.start();
            Suite.servers(what);
            over.set(true);
            t.join();
            writer.create().orSetData().creatingParentsIfNeeded().forPath(top + "/end", Suite.bytes("end"));
            Map<String, String> tree = new TreeMap<>();
            walk(writer, top, tree);
            for (CuratorCache cache : caches) {
                Suite.until("the cache is the tree", () -> {
                    Map<String, String> cached = new TreeMap<>();
                    cache.stream().forEach(d -> cached.put(d.getPath(), d.getStat().getMzxid() + " " + Suite.text(d.getData())));
                    return cached.equals(tree);
                });
                cache.close();
            }
        }
    }

    private static void walk(CuratorFramework c, String path, Map<String, String> into) throws Exception {
        into.put(path, c.checkExists().forPath(path).getMzxid() + " " + Suite.text(c.getData().forPath(path)));
        for (String child : c.getChildren().forPath(path)) {
            walk(c, path + "/" + child, into);
        }
    }

    /** Counts under a lock while the servers are under way. Each has a session of its own, which lives on. */
    private static void locks(String what) throws Exception {
        AtomicInteger inside = new AtomicInteger();
        AtomicInteger most = new AtomicInteger();
        AtomicInteger counted = new AtomicInteger();
        AtomicBoolean over = new AtomicBoolean();
        List<CuratorFramework> clients = List.of(Suite.client(), Suite.client(), Suite.client());
        List<LeaderLatch> latches = new ArrayList<>();
        List<Thread> threads = new ArrayList<>();
        for (CuratorFramework c : clients) {
            LeaderLatch latch = new LeaderLatch(c, "/latch-" + what);
            latch.start();
            latches.add(latch);
            Thread t = new Thread(() -> count(c, what, over, inside, most, counted));
            t.start();
            threads.add(t);
        }
        Suite.until("somebody counts", () -> counted.get() > 5);
        Suite.servers(what);
        int before = counted.get();
        Suite.until("counting goes on", () -> counted.get() > before + 5);
        over.set(true);
        for (Thread t : threads) {
            t.join();
        }
        Suite.same(most.get(), 1);
        Suite.until("one leads", () -> latches.stream().filter(LeaderLatch::hasLeadership).count() == 1);
        for (int i = 0; i < clients.size(); i++) {
            latches.get(i).close();
            clients.get(i).close();
        }
        long sum = new DistributedAtomicLong(Suite.one, "/count-" + what, new RetryNTimes(10, 100)).get().postValue();
        if (sum < counted.get()) { // one whose answer was lost may be counted besides
            throw new AssertionError("counted " + counted.get() + " times, and the count is " + sum);
        }
    }

    private static void count(CuratorFramework c, String what, AtomicBoolean over, AtomicInteger inside, AtomicInteger most, AtomicInteger counted) {
        InterProcessMutex lock = new InterProcessMutex(c, "/mutex-" + what);
        DistributedAtomicLong sum = new DistributedAtomicLong(c, "/count-" + what, new RetryNTimes(10, 100));
        while (!over.get()) {
            try {
                if (!lock.acquire(1, TimeUnit.SECONDS)) {
                    continue;
                }
                most.accumulateAndGet(inside.incrementAndGet(), Math::max);
                try {
                    if (sum.increment().succeeded()) {
                        counted.incrementAndGet();
                    }
                } finally {
                    inside.decrementAndGet();
                    lock.release();
                }
            } catch (Exception e) {
                continue; // the connection is lost for longer than it is tried
            }
        }
    }

    /** Ends a session from another connection, as an operator's mistake or a long pause would. */
    private static void expiry() throws Exception {
        try (CuratorFramework c = Suite.client(); LeaderLatch latch = new LeaderLatch(c, "/latch-expiry");
                PersistentNode node = new PersistentNode(c, CreateMode.EPHEMERAL, false, "/back", Suite.bytes("x"));
                CuratorCache cache = CuratorCache.build(c, "/cached")) {
            latch.start();
            node.start();
            cache.start();
            Suite.same(latch.await(60, TimeUnit.SECONDS) && node.waitForInitialCreate(60, TimeUnit.SECONDS), true);
            ZooKeeper z = c.getZookeeperClient().getZooKeeper();
            long old = z.getSessionId();
            ZooKeeper same = new ZooKeeper(Suite.servers, 15000, e -> { }, old, z.getSessionPasswd());
            Suite.until("the session is taken", () -> same.getState() == ZooKeeper.States.CONNECTED);
            same.close();
            Suite.until("there is another session", () -> c.getZookeeperClient().getZooKeeper().getSessionId() != old);
            Suite.until("it leads, and its znode is there", () -> {
                try {
                    var stat = Suite.one.checkExists().forPath("/back");
                    return latch.hasLeadership() && stat != null && stat.getEphemeralOwner() == c.getZookeeperClient().getZooKeeper().getSessionId();
                } catch (KeeperException e) {
                    return false;
                }
            });
            Suite.one.create().forPath("/cached", Suite.bytes("new"));
            Suite.until("it is cached", () -> cache.get("/cached").isPresent());
        }
    }
}
