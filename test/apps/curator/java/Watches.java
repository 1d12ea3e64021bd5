import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.apache.curator.framework.recipes.cache.ChildData;
import org.apache.curator.framework.recipes.cache.CuratorCache;
import org.apache.curator.framework.recipes.cache.CuratorCacheListener;
import org.apache.curator.framework.recipes.watch.PersistentWatcher;
import org.apache.curator.x.async.AsyncCuratorFramework;
import org.apache.zookeeper.AddWatchMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.WatchedEvent;
import org.apache.zookeeper.Watcher;

/** Persistent watches and what stands on them. */
final class Watches {
    static void cases() {
        Suite.play("a cache tells what was there, and each change once and in order", Watches::cache);
        Suite.play("a recursive watcher sees everything below", Watches::recursive);
        Suite.play("a persistent watch stays until it is removed", Watches::persistent);
        Suite.play("a watch is completed as a future", Watches::future);
    }

    private static String one(ChildData d) {
        return d == null ? "-" : d.getPath() + "=" + Suite.text(d.getData());
    }

    private static void cache() throws Exception {
        List<String> seen = Collections.synchronizedList(new ArrayList<>());
        Suite.one.create().creatingParentsIfNeeded().forPath("/cache/a", Suite.bytes("1"));
        Suite.one.setData().forPath("/cache", Suite.bytes("0"));
        try (CuratorCache cache = CuratorCache.build(Suite.other, "/cache")) {
            CountDownLatch ready = new CountDownLatch(1);
            cache.listenable().addListener((type, before, now) -> seen.add(type + " " + one(before) + " " + one(now)));
            cache.listenable().addListener(CuratorCacheListener.builder().forInitialized(ready::countDown).build());
            cache.start();
            Suite.same(ready.await(60, TimeUnit.SECONDS), true);
            Suite.same(new TreeSet<>(seen), new TreeSet<>(List.of("NODE_CREATED - /cache/a=1", "NODE_CREATED - /cache=0")));
            seen.clear();
            Suite.one.create().forPath("/cache/b", Suite.bytes("2"));
            Suite.until("b is there", () -> seen.size() == 1);
            Suite.one.create().forPath("/cache/b/x", Suite.bytes("3"));
            Suite.until("x is there", () -> seen.size() == 2);
            Suite.one.setData().forPath("/cache/b", Suite.bytes("4"));
            Suite.until("b is another", () -> seen.size() == 3);
            Suite.one.delete().deletingChildrenIfNeeded().forPath("/cache/b");
            Suite.until("both are gone", () -> seen.size() == 5);
            Suite.same(seen, List.of("NODE_CREATED - /cache/b=2", "NODE_CREATED - /cache/b/x=3", "NODE_CHANGED /cache/b=2 /cache/b=4",
                "NODE_DELETED /cache/b/x=3 -", "NODE_DELETED /cache/b=4 -"));
            Suite.same(cache.stream().map(ChildData::getPath).sorted().collect(Collectors.toList()), List.of("/cache", "/cache/a"));
        }
    }

    private static void recursive() throws Exception {
        List<String> seen = Collections.synchronizedList(new ArrayList<>());
        try (PersistentWatcher w = new PersistentWatcher(Suite.other, "/all", true)) {
            CountDownLatch set = new CountDownLatch(1);
            w.getListenable().addListener(e -> seen.add(e.getType() + " " + e.getPath()));
            w.getResetListenable().addListener(set::countDown);
            w.start();
            Suite.same(set.await(60, TimeUnit.SECONDS), true);
            Suite.one.create().creatingParentsIfNeeded().forPath("/all/a/b", Suite.bytes(""));
            Suite.one.setData().forPath("/all/a", Suite.bytes("x"));
            Suite.one.delete().deletingChildrenIfNeeded().forPath("/all");
            Suite.until("all is seen", () -> seen.size() == 7);
            Suite.same(seen, List.of("NodeCreated /all", "NodeCreated /all/a", "NodeCreated /all/a/b", "NodeDataChanged /all/a",
                "NodeDeleted /all/a/b", "NodeDeleted /all/a", "NodeDeleted /all"));
        }
    }

    private static void persistent() throws Exception {
        List<String> seen = Collections.synchronizedList(new ArrayList<>());
        Watcher w = e -> seen.add(e.getType() + " " + e.getPath());
        Suite.other.watchers().add().withMode(AddWatchMode.PERSISTENT).usingWatcher(w).forPath("/stays");
        Suite.one.create().forPath("/stays", Suite.bytes(""));
        Suite.one.create().forPath("/stays/1", Suite.bytes(""));
        Suite.one.setData().forPath("/stays", Suite.bytes("2"));
        Suite.one.setData().forPath("/stays/1", Suite.bytes("3"));
        Suite.one.delete().forPath("/stays/1");
        Suite.until("four changes", () -> seen.size() == 4);
        Suite.other.watchers().remove(w).ofType(Watcher.WatcherType.Any).forPath("/stays");
        Suite.until("it is removed", () -> seen.size() == 5);
        Suite.same(seen, List.of("NodeCreated /stays", "NodeChildrenChanged /stays", "NodeDataChanged /stays", "NodeChildrenChanged /stays",
            "PersistentWatchRemoved /stays"));
        try {
            Suite.other.watchers().remove(w).ofType(Watcher.WatcherType.Any).forPath("/stays");
            throw new AssertionError("it was removed twice");
        } catch (KeeperException.NoWatcherException e) {
            Suite.one.delete().forPath("/stays");
        }
    }

    private static void future() throws Exception {
        AsyncCuratorFramework async = AsyncCuratorFramework.wrap(Suite.one);
        Suite.same(async.create().forPath("/async", Suite.bytes("1")).thenCompose(p -> async.setData().forPath(p, Suite.bytes("2")))
            .toCompletableFuture().get(60, TimeUnit.SECONDS).getVersion(), 1);
        var stage = async.watched().getData().forPath("/async");
        Suite.same(Suite.text(stage.toCompletableFuture().get(60, TimeUnit.SECONDS)), "2");
        CompletableFuture<WatchedEvent> event = stage.event().toCompletableFuture();
        Suite.other.setData().forPath("/async", Suite.bytes("3"));
        Suite.same(event.get(60, TimeUnit.SECONDS).getType(), Watcher.Event.EventType.NodeDataChanged);
    }
}
