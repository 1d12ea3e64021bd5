import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.recipes.cache.CuratorCache;
import org.apache.curator.framework.recipes.cache.CuratorCacheListener;
import org.apache.curator.framework.recipes.cache.NodeCache;
import org.apache.curator.framework.recipes.cache.PathChildrenCache;
import org.apache.curator.framework.recipes.cache.TreeCache;
import org.apache.curator.framework.recipes.cache.TreeCacheEvent;
import org.apache.curator.framework.recipes.watch.PersistentWatcher;
import org.apache.curator.framework.state.ConnectionState;

/** Curator's caches: those of persistent recursive watches, and the older ones of one-shot watches. */
final class Caches {
    private Caches() {}

    static void register() {
        Suite.add("CuratorCache mirrors a subtree", Caches::curatorCache);
        Suite.add("CuratorCache catches up with what changed while the server was away", Caches::curatorCacheOverRestart);
        Suite.add("TreeCache mirrors a subtree, over a restart too", Caches::treeCache);
        Suite.add("PathChildrenCache and NodeCache follow children and a node", Caches::olderCaches);
        Suite.add("PersistentWatcher goes on after a restart", Caches::persistentWatcher);
    }

    private static CuratorCache started(World world, CuratorFramework client, BlockingQueue<String> told) throws Exception {
        CuratorCache cache = world.closing(CuratorCache.build(client, "/t"));
        CountDownLatch filled = new CountDownLatch(1);
        cache.listenable().addListener(CuratorCacheListener.builder()
            .forInitialized(filled::countDown)
            .forCreates(node -> told.add("created " + node.getPath()))
            .forChanges((before, now) -> told.add("changed " + now.getPath() + " to " + Calls.text(now.getData())))
            .forDeletes(node -> told.add("deleted " + node.getPath()))
            .build());
        cache.start();
        Check.that(filled.await(Check.DEADLINE_MS, TimeUnit.MILLISECONDS), "the cache is filled");
        return cache;
    }

    private static void curatorCache(World world) throws Exception {
        CuratorFramework other = world.client();
        BlockingQueue<String> told = new LinkedBlockingQueue<>();
        other.create().creatingParentsIfNeeded().forPath("/t/a", Calls.bytes("1"));
        CuratorCache cache = started(world, world.client(), told);
        Check.equal(cache.size(), 2);
        Check.equal(Calls.text(cache.get("/t/a").get().getData()), "1");
        Calls.expect(told, "created /t", "created /t/a");
        other.setData().forPath("/t/a", Calls.bytes("2"));
        next(told, "changed /t/a to 2");
        other.create().forPath("/t/a/b");
        next(told, "created /t/a/b");
        other.delete().deletingChildrenIfNeeded().forPath("/t/a");
        next(told, "deleted /t/a/b");
        next(told, "deleted /t/a");
        Check.equal(cache.size(), 1);
    }

    private static void next(BlockingQueue<String> told, String want) throws Exception {
        Check.equal(told.poll(Check.DEADLINE_MS, TimeUnit.MILLISECONDS), want);
    }

    private static void curatorCacheOverRestart(World world) throws Exception {
        CuratorFramework client = world.client();
        BlockingQueue<ConnectionState> states = new LinkedBlockingQueue<>();
        client.getConnectionStateListenable().addListener((from, state) -> states.add(state));
        client.create().creatingParentsIfNeeded().forPath("/t/a", Calls.bytes("1"));
        CuratorCache cache = started(world, client, new LinkedBlockingQueue<>());
        Suite.server("restart");
        CuratorFramework other = world.client();
        other.setData().forPath("/t/a", Calls.bytes("2"));
        other.create().forPath("/t/b");
        Check.eventually("the cache catches up", () -> cache.get("/t/b").isPresent()
            && "2".equals(Calls.text(cache.get("/t/a").get().getData())));
        Check.eventually("the client reconnects", () -> states.contains(ConnectionState.RECONNECTED));
        Check.that(!states.contains(ConnectionState.LOST), "the session goes on");
        other.delete().forPath("/t/b");
        Check.eventually("the cache goes on", () -> cache.get("/t/b").isEmpty());
    }

    private static void treeCache(World world) throws Exception {
        CuratorFramework other = world.client();
        other.create().creatingParentsIfNeeded().forPath("/t/a", Calls.bytes("1"));
        TreeCache cache = world.closing(new TreeCache(world.client(), "/t"));
        CountDownLatch filled = new CountDownLatch(1);
        cache.getListenable().addListener((from, event) -> {
            if (event.getType() == TreeCacheEvent.Type.INITIALIZED) {
                filled.countDown();
            }
        });
        cache.start();
        Check.that(filled.await(Check.DEADLINE_MS, TimeUnit.MILLISECONDS), "the cache is filled");
        other.setData().forPath("/t/a", Calls.bytes("2"));
        Check.eventually("it changes", () -> "2".equals(Calls.text(cache.getCurrentData("/t/a").getData())));
        Suite.server("restart");
        other.create().creatingParentsIfNeeded().forPath("/t/a/b/c", Calls.bytes("3"));
        Check.eventually("it goes on", () -> cache.getCurrentData("/t/a/b/c") != null
            && "3".equals(Calls.text(cache.getCurrentData("/t/a/b/c").getData())));
        other.delete().deletingChildrenIfNeeded().forPath("/t/a");
        Check.eventually("the subtree goes", () -> cache.getCurrentChildren("/t").isEmpty());
    }

    @SuppressWarnings("deprecation")
    private static void olderCaches(World world) throws Exception {
        CuratorFramework client = world.client();
        CuratorFramework other = world.client();
        other.create().creatingParentsIfNeeded().forPath("/t/a", Calls.bytes("1"));
        PathChildrenCache children = world.closing(new PathChildrenCache(client, "/t", true));
        NodeCache node = world.closing(new NodeCache(client, "/t/a"));
        children.start(PathChildrenCache.StartMode.BUILD_INITIAL_CACHE);
        node.start(true);
        Check.equal(children.getCurrentData().size(), 1);
        Check.equal(Calls.text(node.getCurrentData().getData()), "1");
        other.setData().forPath("/t/a", Calls.bytes("2"));
        other.create().forPath("/t/b");
        Check.eventually("the child comes", () -> children.getCurrentData("/t/b") != null);
        Check.eventually("the node changes", () -> "2".equals(Calls.text(node.getCurrentData().getData())));
        Check.eventually("the child changes", () -> "2".equals(Calls.text(children.getCurrentData("/t/a").getData())));
        other.delete().forPath("/t/a");
        Check.eventually("the node goes", () -> node.getCurrentData() == null && children.getCurrentData("/t/a") == null);
    }

    private static void persistentWatcher(World world) throws Exception {
        CuratorFramework client = world.client();
        client.create().forPath("/t");
        BlockingQueue<String> told = new LinkedBlockingQueue<>();
        PersistentWatcher watcher = world.closing(new PersistentWatcher(client, "/t", true));
        CountDownLatch set = new CountDownLatch(1);
        watcher.getResetListenable().addListener(set::countDown);
        watcher.getListenable().addListener(Calls.telling(told));
        watcher.start();
        Check.that(set.await(Check.DEADLINE_MS, TimeUnit.MILLISECONDS), "the watch is set");
        client.create().forPath("/t/a");
        next(told, "NodeCreated /t/a");
        Suite.server("restart");
        // A call of the same client comes after its watches were set again.
        client.create().forPath("/t/b");
        next(told, "NodeCreated /t/b");
        client.setData().forPath("/t/b");
        next(told, "NodeDataChanged /t/b");
    }
}
