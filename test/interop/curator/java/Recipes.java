import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.recipes.atomic.DistributedAtomicLong;
import org.apache.curator.framework.recipes.barriers.DistributedBarrier;
import org.apache.curator.framework.recipes.barriers.DistributedDoubleBarrier;
import org.apache.curator.framework.recipes.nodes.GroupMember;
import org.apache.curator.framework.recipes.nodes.PersistentNode;
import org.apache.curator.framework.recipes.queue.DistributedQueue;
import org.apache.curator.framework.recipes.queue.QueueBuilder;
import org.apache.curator.framework.recipes.queue.QueueConsumer;
import org.apache.curator.framework.recipes.queue.QueueSerializer;
import org.apache.curator.framework.recipes.queue.SimpleDistributedQueue;
import org.apache.curator.framework.recipes.shared.SharedCount;
import org.apache.curator.framework.recipes.shared.SharedCountListener;
import org.apache.curator.framework.recipes.shared.SharedCountReader;
import org.apache.curator.framework.state.ConnectionState;
import org.apache.curator.retry.RetryNTimes;
import org.apache.zookeeper.CreateMode;

/** Curator's barriers, counters, queues and nodes that are kept. */
final class Recipes {
    private Recipes() {}

    static void register() {
        Suite.add("a barrier holds everybody until it is removed", Recipes::barrier);
        Suite.add("a double barrier is entered and left together", Recipes::doubleBarrier);
        Suite.add("a shared count tells its listeners and refuses those who are late", Recipes::sharedCount);
        Suite.add("an atomic number that many change loses no change", Recipes::atomicLong);
        Suite.add("a simple queue gives what it was given, in order", Recipes::simpleQueue);
        Suite.add("a queue hands every item to one consumer", Recipes::queue);
        Suite.add("a kept node comes back when its session ends or somebody deletes it", Recipes::persistentNode);
        Suite.add("a group lists its members and forgets who has left", Recipes::group);
    }

    private static void barrier(World world) throws Exception {
        DistributedBarrier keeper = new DistributedBarrier(world.client(), "/barrier");
        DistributedBarrier waiter = new DistributedBarrier(world.client(), "/barrier");
        keeper.setBarrier();
        Check.equal(waiter.waitOnBarrier(200, TimeUnit.MILLISECONDS), false);
        Future<Boolean> waiting = world.thread(() -> waiter.waitOnBarrier(Check.DEADLINE_MS, TimeUnit.MILLISECONDS));
        keeper.removeBarrier();
        Check.equal(World.finish(waiting), true);
    }

    private static void doubleBarrier(World world) throws Exception {
        List<Future<Boolean>> entering = new ArrayList<>();
        List<DistributedDoubleBarrier> barriers = new ArrayList<>();
        for (CuratorFramework client : world.clients(3)) {
            barriers.add(new DistributedDoubleBarrier(client, "/barrier", 3));
        }
        Check.equal(barriers.get(0).enter(200, TimeUnit.MILLISECONDS), false);
        Check.equal(barriers.get(0).leave(Check.DEADLINE_MS, TimeUnit.MILLISECONDS), true);
        for (DistributedDoubleBarrier barrier : barriers) {
            entering.add(world.thread(() -> barrier.enter(Check.DEADLINE_MS, TimeUnit.MILLISECONDS)
                && barrier.leave(Check.DEADLINE_MS, TimeUnit.MILLISECONDS)));
        }
        for (Future<Boolean> one : entering) {
            Check.equal(World.finish(one), true);
        }
    }

    private static void sharedCount(World world) throws Exception {
        SharedCount a = world.closing(new SharedCount(world.client(), "/count", 5));
        SharedCount b = world.closing(new SharedCount(world.client(), "/count", 5));
        BlockingQueue<Integer> told = new LinkedBlockingQueue<>();
        b.addListener(new SharedCountListener() {
            @Override
            public void countHasChanged(SharedCountReader count, int value) {
                told.add(value);
            }

            @Override
            public void stateChanged(CuratorFramework client, ConnectionState state) {}
        });
        a.start();
        b.start();
        Check.equal(a.getCount(), 5);
        var late = b.getVersionedValue();
        a.setCount(6);
        Check.equal(told.poll(Check.DEADLINE_MS, TimeUnit.MILLISECONDS), 6);
        Check.equal(b.trySetCount(late, 7), false);
        Check.equal(b.trySetCount(b.getVersionedValue(), 7), true);
        Check.eventually("the first hears of it", () -> a.getCount() == 7);
    }

    private static void atomicLong(World world) throws Exception {
        List<Future<?>> work = new ArrayList<>();
        List<CuratorFramework> clients = world.clients(3);
        for (CuratorFramework client : clients) {
            DistributedAtomicLong number = new DistributedAtomicLong(client, "/number", new RetryNTimes(1000, 2));
            work.add(world.thread(() -> {
                for (int i = 0; i < 20; i++) {
                    Check.that(number.increment().succeeded(), "the number is raised");
                }
                return null;
            }));
        }
        for (Future<?> one : work) {
            World.finish(one);
        }
        Check.equal(new DistributedAtomicLong(clients.get(0), "/number", new RetryNTimes(1, 1)).get().postValue(), 60L);
    }

    private static void simpleQueue(World world) throws Exception {
        SimpleDistributedQueue from = new SimpleDistributedQueue(world.client(), "/queue");
        SimpleDistributedQueue to = new SimpleDistributedQueue(world.client(), "/queue");
        Check.equal(from.poll(), null);
        Future<byte[]> taking = world.thread(from::take);
        for (int i = 0; i < 10; i++) {
            Check.that(to.offer(Calls.bytes("item " + i)), "it is taken on");
        }
        Check.equal(Calls.text(World.finish(taking)), "item 0");
        for (int i = 1; i < 10; i++) {
            Check.equal(Calls.text(from.poll(Check.DEADLINE_MS, TimeUnit.MILLISECONDS)), "item " + i);
        }
        Check.equal(from.peek(), null);
    }

    private static void queue(World world) throws Exception {
        BlockingQueue<String> consumed = new LinkedBlockingQueue<>();
        QueueSerializer<String> texts = new QueueSerializer<>() {
            @Override
            public byte[] serialize(String item) {
                return Calls.bytes(item);
            }

            @Override
            public String deserialize(byte[] data) {
                return Calls.text(data);
            }
        };
        for (CuratorFramework client : world.clients(2)) {
            QueueConsumer<String> consumer = new QueueConsumer<>() {
                @Override
                public void consumeMessage(String item) {
                    consumed.add(item);
                }

                @Override
                public void stateChanged(CuratorFramework ignored, ConnectionState state) {}
            };
            DistributedQueue<String> queue = QueueBuilder.builder(client, consumer, texts, "/queue").lockPath("/locks").buildQueue();
            world.closing(queue).start();
        }
        DistributedQueue<String> producer = QueueBuilder.builder(world.client(), null, texts, "/queue").buildQueue();
        world.closing(producer).start();
        List<String> want = new ArrayList<>();
        for (int i = 0; i < 30; i++) {
            producer.put("item " + (10 + i));
            want.add("item " + (10 + i));
        }
        List<String> got = new ArrayList<>();
        while (got.size() < want.size()) {
            String item = consumed.poll(Check.DEADLINE_MS, TimeUnit.MILLISECONDS);
            Check.that(item != null, "30 items come, not " + got);
            got.add(item);
        }
        got.sort(null);
        Check.equal(got, want);
        Check.equal(consumed.poll(), null);
    }

    private static void persistentNode(World world) throws Exception {
        CuratorFramework client = world.client();
        CuratorFramework other = world.client();
        PersistentNode node = world.closing(new PersistentNode(client, CreateMode.EPHEMERAL, false, "/kept", Calls.bytes("x")));
        node.start();
        Check.that(node.waitForInitialCreate(Check.DEADLINE_MS, TimeUnit.MILLISECONDS), "it is created");
        long first = other.checkExists().forPath("/kept").getCzxid();
        other.delete().forPath("/kept");
        Check.eventually("it comes back", () -> other.checkExists().forPath("/kept") != null);
        long second = other.checkExists().forPath("/kept").getCzxid();
        Check.that(second > first, "it is another one");
        world.expire(client);
        Check.eventually("it comes back in another session", () -> {
            var stat = other.checkExists().forPath("/kept");
            return stat != null && stat.getCzxid() > second;
        });
        Check.equal(Calls.text(other.getData().forPath("/kept")), "x");
    }

    private static void group(World world) throws Exception {
        GroupMember ann = world.closing(new GroupMember(world.client(), "/group", "ann", Calls.bytes("a")));
        GroupMember bob = new GroupMember(world.client(), "/group", "bob", Calls.bytes("b"));
        ann.start();
        bob.start();
        Check.eventually("both are there", () -> ann.getCurrentMembers().size() == 2);
        Check.equal(Calls.text(ann.getCurrentMembers().get("bob")), "b");
        bob.close();
        Check.eventually("one has left", () -> ann.getCurrentMembers().size() == 1);
    }
}
