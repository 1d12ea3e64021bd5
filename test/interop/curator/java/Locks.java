import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;

import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.recipes.leader.LeaderLatch;
import org.apache.curator.framework.recipes.leader.LeaderSelector;
import org.apache.curator.framework.recipes.leader.LeaderSelectorListenerAdapter;
import org.apache.curator.framework.recipes.locks.InterProcessMultiLock;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.framework.recipes.locks.InterProcessReadWriteLock;
import org.apache.curator.framework.recipes.locks.InterProcessSemaphoreV2;
import org.apache.curator.framework.recipes.locks.Lease;

/** Curator's locks and elections. */
final class Locks {
    private Locks() {}

    static void register() {
        Suite.add("a mutex is held by one, re-entered by its holder and handed over in the order of waiting", Locks::mutex);
        Suite.add("a counter under a mutex loses no increment", Locks::exclusion);
        Suite.add("a mutex passes on when its holder's session ends", Locks::mutexOfTheDead);
        Suite.add("readers share a lock that a writer has alone", Locks::readersAndWriters);
        Suite.add("a semaphore lets in as many as it has leases", Locks::semaphore);
        Suite.add("several locks are taken together or not at all", Locks::multiLock);
        Suite.add("a latch elects the next when the leader closes", Locks::latch);
        Suite.add("a selector gives leadership to one after the other", Locks::selector);
    }

    static boolean acquire(InterProcessMutex mutex) throws Exception {
        return mutex.acquire(Check.DEADLINE_MS, TimeUnit.MILLISECONDS);
    }

    private static void mutex(World world) throws Exception {
        InterProcessMutex first = new InterProcessMutex(world.client(), "/lock");
        Check.that(acquire(first), "the first has the lock");
        Check.that(acquire(first), "the first has it twice");
        List<Integer> order = Collections.synchronizedList(new ArrayList<>());
        List<Future<?>> waiting = new ArrayList<>();
        for (int i = 1; i <= 3; i++) {
            int number = i;
            InterProcessMutex mutex = new InterProcessMutex(world.client(), "/lock");
            waiting.add(world.thread(() -> {
                Check.that(acquire(mutex), "the lock is handed over");
                order.add(number);
                mutex.release();
                return null;
            }));
            Check.eventually("waiter " + number + " waits", () -> first.getParticipantNodes().size() == number + 1);
        }
        InterProcessMutex impatient = new InterProcessMutex(world.client(), "/lock");
        Check.equal(impatient.acquire(200, TimeUnit.MILLISECONDS), false);
        first.release();
        Check.equal(order.size(), 0);
        first.release();
        for (Future<?> one : waiting) {
            World.finish(one);
        }
        Check.equal(order, List.of(1, 2, 3));
    }

    private static void exclusion(World world) throws Exception {
        List<CuratorFramework> clients = world.clients(4);
        clients.get(0).create().forPath("/n", Calls.bytes("0"));
        List<Future<?>> work = new ArrayList<>();
        for (CuratorFramework client : clients) {
            work.add(world.thread(() -> {
                InterProcessMutex mutex = new InterProcessMutex(client, "/lock");
                for (int i = 0; i < 10; i++) {
                    Check.that(acquire(mutex), "the lock is had");
                    int n = Integer.parseInt(Calls.text(client.getData().forPath("/n")));
                    client.setData().forPath("/n", Calls.bytes("" + (n + 1)));
                    mutex.release();
                }
                return null;
            }));
        }
        for (Future<?> one : work) {
            World.finish(one);
        }
        Check.equal(Calls.text(clients.get(0).getData().forPath("/n")), "40");
    }

    private static void mutexOfTheDead(World world) throws Exception {
        CuratorFramework holder = world.client();
        Check.that(acquire(new InterProcessMutex(holder, "/lock")), "the holder has the lock");
        InterProcessMutex mutex = new InterProcessMutex(world.client(), "/lock");
        Future<Boolean> waiting = world.thread(() -> acquire(mutex));
        Check.eventually("the other waits", () -> mutex.getParticipantNodes().size() == 2);
        holder.close();
        Check.equal(World.finish(waiting), true);
    }

    private static void readersAndWriters(World world) throws Exception {
        InterProcessReadWriteLock a = new InterProcessReadWriteLock(world.client(), "/rw");
        InterProcessReadWriteLock b = new InterProcessReadWriteLock(world.client(), "/rw");
        InterProcessReadWriteLock c = new InterProcessReadWriteLock(world.client(), "/rw");
        Check.that(acquire(a.readLock()), "a reads");
        Check.equal(World.finish(world.thread(() -> acquire(b.readLock()))), true);
        Check.equal(c.writeLock().acquire(200, TimeUnit.MILLISECONDS), false);
        a.readLock().release();
        Check.equal(c.writeLock().acquire(200, TimeUnit.MILLISECONDS), false);
        Future<Boolean> writer = world.thread(() -> acquire(c.writeLock()));
        Check.eventually("the writer waits", () -> c.writeLock().getParticipantNodes().size() == 1);
        Check.equal(a.readLock().acquire(200, TimeUnit.MILLISECONDS), false);
        Check.equal(writer.isDone(), false);
    }

    private static void semaphore(World world) throws Exception {
        List<InterProcessSemaphoreV2> semaphores = new ArrayList<>();
        for (CuratorFramework client : world.clients(3)) {
            semaphores.add(new InterProcessSemaphoreV2(client, "/semaphore", 2));
        }
        Lease first = semaphores.get(0).acquire();
        Lease second = semaphores.get(1).acquire();
        Check.equal(semaphores.get(2).acquire(200, TimeUnit.MILLISECONDS), null);
        Future<Lease> third = world.thread(() -> semaphores.get(2).acquire(Check.DEADLINE_MS, TimeUnit.MILLISECONDS));
        first.close();
        Check.that(World.finish(third) != null, "the third has a lease");
        second.close();
        Collection<Lease> both = semaphores.get(0).acquire(1);
        Check.equal(both.size(), 1);
    }

    private static void multiLock(World world) throws Exception {
        InterProcessMultiLock both = new InterProcessMultiLock(world.client(), List.of("/one", "/two"));
        CuratorFramework other = world.client();
        InterProcessMutex two = new InterProcessMutex(other, "/two");
        Check.that(acquire(two), "the other has one of them");
        Check.equal(both.acquire(300, TimeUnit.MILLISECONDS), false);
        Check.that(acquire(new InterProcessMutex(other, "/one")), "nothing was kept");
        two.release();
    }

    private static void latch(World world) throws Exception {
        List<LeaderLatch> latches = new ArrayList<>();
        for (CuratorFramework client : world.clients(3)) {
            LeaderLatch latch = new LeaderLatch(client, "/latch", "candidate-" + latches.size());
            latch.start();
            latches.add(latch);
            Check.eventually("it stands", () -> latch.getParticipants().size() == latches.size());
        }
        Check.that(latches.get(0).await(Check.DEADLINE_MS, TimeUnit.MILLISECONDS), "the first leads");
        Check.equal(latches.get(2).getLeader().getId(), "candidate-0");
        latches.get(0).close();
        Check.that(latches.get(1).await(Check.DEADLINE_MS, TimeUnit.MILLISECONDS), "the second leads");
        Check.equal(latches.get(2).hasLeadership(), false);
        latches.get(1).close();
        Check.that(latches.get(2).await(Check.DEADLINE_MS, TimeUnit.MILLISECONDS), "the third leads");
        latches.get(2).close();
    }

    private static void selector(World world) throws Exception {
        List<Integer> leaders = Collections.synchronizedList(new ArrayList<>());
        List<CountDownLatch> leave = new ArrayList<>();
        List<LeaderSelector> selectors = new ArrayList<>();
        for (CuratorFramework client : world.clients(3)) {
            int number = selectors.size();
            CountDownLatch told = new CountDownLatch(1);
            LeaderSelector selector = new LeaderSelector(client, "/selector", new LeaderSelectorListenerAdapter() {
                @Override
                public void takeLeadership(CuratorFramework ignored) throws Exception {
                    leaders.add(number);
                    told.await();
                }
            });
            leave.add(told);
            selectors.add(world.closing(selector));
            selector.setId("candidate-" + number);
            selector.start();
            Check.eventually("it stands", () -> selector.getParticipants().size() == number + 1);
        }
        for (int i = 0; i < 3; i++) {
            List<Integer> want = List.of(0, 1, 2).subList(0, i + 1);
            Check.eventually("leaders are " + want, () -> leaders.equals(want));
            Check.equal(selectors.get(0).getLeader().getId(), "candidate-" + i);
            leave.get(i).countDown();
        }
    }
}
