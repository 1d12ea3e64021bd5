import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.retry.RetryNTimes;
import org.apache.zookeeper.Watcher;
import org.apache.zookeeper.ZooKeeper;

/** What a case is given: clients whose paths lie below a root of the case's own, and threads. */
final class World implements AutoCloseable {
    static final int LASTING_MS = 20_000; // session timeout of a client that is not meant to expire

    private final String address;
    private final String root;
    private final Deque<AutoCloseable> open = new ArrayDeque<>();
    private final ExecutorService threads = Executors.newCachedThreadPool(work -> {
        Thread thread = new Thread(work);
        thread.setDaemon(true);
        return thread;
    });

    World(String address, String root) {
        this.address = address;
        this.root = root;
    }

    /** Returns a connected client, closed when the case ends. */
    CuratorFramework client() throws Exception {
        return start(builder());
    }

    CuratorFrameworkFactory.Builder builder() {
        return CuratorFrameworkFactory.builder()
            .connectString(address)
            .namespace(root)
            .sessionTimeoutMs(LASTING_MS)
            .connectionTimeoutMs(LASTING_MS)
            .retryPolicy(new RetryNTimes(100, 100));
    }

    CuratorFramework start(CuratorFrameworkFactory.Builder builder) throws Exception {
        CuratorFramework client = builder.build();
        open.push(client);
        client.start();
        Check.that(client.blockUntilConnected((int) Check.DEADLINE_MS, TimeUnit.MILLISECONDS), "the client connects");
        return client;
    }

    List<CuratorFramework> clients(int count) throws Exception {
        List<CuratorFramework> clients = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            clients.add(client());
        }
        return clients;
    }

    /** Has thing closed when the case ends, before the clients made so far. */
    <T extends AutoCloseable> T closing(T thing) {
        open.push(thing);
        return thing;
    }

    <T> Future<T> thread(Callable<T> work) {
        return threads.submit(work);
    }

    static <T> T finish(Future<T> work) throws Exception {
        return work.get(Check.DEADLINE_MS, TimeUnit.MILLISECONDS);
    }

    /** Returns the path of a node as a client without the case's root sees it. */
    String full(String path) {
        return "/" + root + path;
    }

    /**
     * Ends the client's session from outside, which is as good as an expiry to its owner. The owner may come back in between and
     * take the connection over, so that is done until the session is no more.
     */
    void expire(CuratorFramework client) throws Exception {
        ZooKeeper owner = client.getZookeeperClient().getZooKeeper();
        long session = owner.getSessionId();
        byte[] password = owner.getSessionPasswd();
        Watcher.Event.KeeperState state;
        do {
            BlockingQueue<Watcher.Event.KeeperState> states = new LinkedBlockingQueue<>();
            ZooKeeper twin = new ZooKeeper(address, LASTING_MS, event -> states.add(event.getState()), session, password);
            state = states.poll(Check.DEADLINE_MS, TimeUnit.MILLISECONDS);
            Check.that(state != null, "the twin connects");
            twin.close();
        } while (state != Watcher.Event.KeeperState.Expired);
    }

    @Override
    public void close() throws Exception {
        while (!open.isEmpty()) {
            open.pop().close();
        }
        threads.shutdownNow();
    }
}
