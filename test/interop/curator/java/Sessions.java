import java.util.concurrent.BlockingQueue;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.recipes.leader.LeaderLatch;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.framework.state.ConnectionState;
import org.apache.zookeeper.CreateMode;

/** What happens to sessions, and to locks held in them, when connections and servers fail. */
final class Sessions {
    private Sessions() {}

    static void register() {
        Suite.add("a session, its ephemerals and its watches outlive a restart of the server", Sessions::restart);
        Suite.add("what was acknowledged before the server was killed is there afterwards", Sessions::crash);
        Suite.add("a mutex is still held after a restart and still handed over", Sessions::mutexOverRestart);
        Suite.add("a leader whose session ended hears of it, and another leads", Sessions::leaderLost);
    }

    private static BlockingQueue<ConnectionState> states(CuratorFramework client) {
        BlockingQueue<ConnectionState> states = new LinkedBlockingQueue<>();
        client.getConnectionStateListenable().addListener((from, state) -> states.add(state));
        return states;
    }

    private static void await(BlockingQueue<ConnectionState> states, ConnectionState want) throws Exception {
        ConnectionState state;
        do {
            state = states.poll(Check.DEADLINE_MS, TimeUnit.MILLISECONDS);
            Check.that(state != null, "the client comes to " + want);
        } while (state != want);
    }

    private static void restart(World world) throws Exception {
        CuratorFramework client = world.client();
        BlockingQueue<ConnectionState> states = states(client);
        BlockingQueue<String> told = new LinkedBlockingQueue<>();
        client.create().forPath("/a");
        client.create().withMode(CreateMode.EPHEMERAL).forPath("/e");
        long session = client.getZookeeperClient().getZooKeeper().getSessionId();
        client.getData().usingWatcher(Calls.telling(told)).forPath("/a");
        Suite.server("restart");
        await(states, ConnectionState.SUSPENDED);
        await(states, ConnectionState.RECONNECTED);
        Check.equal(client.getZookeeperClient().getZooKeeper().getSessionId(), session);
        Check.equal(client.checkExists().forPath("/e").getEphemeralOwner(), session);
        world.client().setData().forPath("/a");
        Calls.expect(told, "NodeDataChanged /a");
        Check.equal(states.poll(), null);
    }

    private static void crash(World world) throws Exception {
        CuratorFramework client = world.client();
        for (int i = 0; i < 200; i++) {
            client.create().forPath("/n-" + i);
        }
        Suite.server("kill");
        Suite.server("start");
        Check.equal(client.getChildren().forPath("/").size(), 200);
    }

    private static void mutexOverRestart(World world) throws Exception {
        InterProcessMutex first = new InterProcessMutex(world.client(), "/lock");
        InterProcessMutex second = new InterProcessMutex(world.client(), "/lock");
        Check.that(Locks.acquire(first), "the first has the lock");
        Future<Boolean> waiting = world.thread(() -> Locks.acquire(second));
        Check.eventually("the second waits", () -> first.getParticipantNodes().size() == 2);
        Suite.server("restart");
        Check.equal(first.getParticipantNodes().size(), 2);
        Check.equal(waiting.isDone(), false);
        first.release();
        Check.equal(World.finish(waiting), true);
    }

    private static void leaderLost(World world) throws Exception {
        CuratorFramework client = world.client();
        BlockingQueue<ConnectionState> states = states(client);
        LeaderLatch first = world.closing(new LeaderLatch(client, "/latch", "first"));
        LeaderLatch second = world.closing(new LeaderLatch(world.client(), "/latch", "second"));
        first.start();
        Check.that(first.await(Check.DEADLINE_MS, TimeUnit.MILLISECONDS), "the first leads");
        second.start();
        Check.eventually("the second stands", () -> first.getParticipants().size() == 2);
        world.expire(client);
        await(states, ConnectionState.LOST);
        Check.that(second.await(Check.DEADLINE_MS, TimeUnit.MILLISECONDS), "the second leads");
        await(states, ConnectionState.RECONNECTED);
        Check.eventually("the first stands again", () -> second.getParticipants().size() == 2);
        Check.equal(first.hasLeadership(), false);
    }
}
