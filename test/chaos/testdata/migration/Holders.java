import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;

import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.framework.state.ConnectionState;
import org.apache.curator.retry.RetryForever;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.data.Stat;

/** Many Curator clients in one process; what holders.py is for kazoo, with the same arguments and the same words. */
public final class Holders {
    private static final long DEADLINE_MS = 90_000;
    private static final int WAITERS = 10;

    private static synchronized void say(String format, Object... args) {
        System.out.println(String.format(format, args));
        System.out.flush();
    }

    /** A client and the lock that it holds. Locks belong to threads, so each holder has one. */
    private static final class Holder {
        final ExecutorService thread = Executors.newSingleThreadExecutor(Holders::daemon);
        final CuratorFramework client;
        final String path;
        InterProcessMutex lock;
        String node;
        long session;
        volatile boolean released;

        Holder(String address, int number, int timeoutMs) {
            path = "/locks/curator-" + number;
            client = CuratorFrameworkFactory.builder().connectString(address).sessionTimeoutMs(timeoutMs)
                .connectionTimeoutMs(timeoutMs).retryPolicy(new RetryForever(200)).build();
            client.getConnectionStateListenable().addListener((c, state) -> {
                if (state == ConnectionState.LOST && !released) {
                    say("bad: the session of %s is lost", path);
                }
            });
        }

        Void acquire() throws Exception {
            client.start();
            lock = new InterProcessMutex(client, path);
            if (!lock.acquire(DEADLINE_MS, TimeUnit.MILLISECONDS)) {
                throw new IllegalStateException(path + ": not acquired");
            }
            session = client.getZookeeperClient().getZooKeeper().getSessionId();
            node = path + "/" + first(client.getChildren().forPath(path));
            return null;
        }

        /** Is the lock's znode there, its own, and the first of all? */
        Void check() throws Exception {
            long end = System.nanoTime() + DEADLINE_MS * 1_000_000;
            while (true) {
                try {
                    String front = path + "/" + first(client.getChildren().forPath(path));
                    Stat stat = client.checkExists().forPath(node);
                    long now = client.getZookeeperClient().getZooKeeper().getSessionId();
                    if (now != session || stat == null || stat.getEphemeralOwner() != session || !front.equals(node)) {
                        say("bad: %s: session %x, was %x; %s is %s; %s is first", path, now, session, node, stat, front);
                    }
                    return null;
                } catch (KeeperException.ConnectionLossException | KeeperException.OperationTimeoutException problem) {
                    if (System.nanoTime() > end) {
                        say("bad: %s cannot be looked at: %s", path, problem);
                        return null;
                    }
                }
            }
        }

        Void release() throws Exception {
            released = true;
            lock.release();
            return null;
        }
    }

    private static String first(List<String> names) {
        return Collections.min(names, (a, b) -> a.substring(a.length() - 10).compareTo(b.substring(b.length() - 10)));
    }

    private static Thread daemon(Runnable work) {
        Thread thread = new Thread(null, work, "holder", 256 << 10);
        thread.setDaemon(true);
        return thread;
    }

    private static Future<?> await(ExecutorService threads, Holder by, Holder of) {
        return threads.submit(() -> {
            new InterProcessMutex(by.client, of.path).acquire();
            if (!of.released) {
                say("bad: %s was given to another while its holder had it", of.path);
            }
            return null;
        });
    }

    private interface Step {
        Void of(Holder holder) throws Exception;
    }

    private static void each(List<Holder> holders, Step step) throws Exception {
        List<Future<?>> work = new ArrayList<>();
        for (Holder h : holders) {
            work.add(h.thread.submit(() -> step.of(h)));
        }
        for (Future<?> w : work) {
            w.get(2 * DEADLINE_MS, TimeUnit.MILLISECONDS);
        }
    }

    public static void main(String[] args) throws Exception {
        int count = Integer.parseInt(args[1]);
        int timeoutMs = (int) (1000 * Double.parseDouble(args[2]));
        List<Holder> holders = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            holders.add(new Holder(args[0], i, timeoutMs));
        }
        each(holders, Holder::acquire);
        ExecutorService threads = Executors.newCachedThreadPool(Holders::daemon);
        List<Future<?>> waiters = new ArrayList<>();
        for (int i = WAITERS - 1; i < count; i += WAITERS) {
            waiters.add(await(threads, holders.get(i), holders.get(i - 1)));
            while (holders.get(i).client.getChildren().forPath(holders.get(i - 1).path).size() < 2) {
                Thread.sleep(50); // until it waits
            }
        }
        say("ready");
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            each(holders, Holder::check);
            if (line.equals("finish")) {
                each(holders, Holder::release);
                for (Future<?> w : waiters) {
                    w.get(DEADLINE_MS, TimeUnit.MILLISECONDS);
                }
                say("finished");
            } else {
                say("checked");
            }
        }
        System.exit(0);
    }
}
