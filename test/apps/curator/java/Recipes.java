import java.util.List;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.api.transaction.CuratorTransactionResult;
import org.apache.curator.framework.recipes.nodes.GroupMember;
import org.apache.curator.framework.recipes.nodes.PersistentTtlNode;
import org.apache.curator.retry.RetryOneTime;
import org.apache.curator.x.discovery.ServiceCache;
import org.apache.curator.x.discovery.ServiceDiscovery;
import org.apache.curator.x.discovery.ServiceDiscoveryBuilder;
import org.apache.curator.x.discovery.ServiceInstance;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.Op;
import org.apache.zookeeper.OpResult;
import org.apache.zookeeper.ZooDefs;
import org.apache.zookeeper.ZooKeeper;

/** Recipes and calls that the older Curator does not have, or that ask for more than one kind of request. */
final class Recipes {
    static void cases() {
        Suite.play("services are found, and missed", Recipes::discovery);
        Suite.play("members of a group are known to each other", Recipes::group);
        Suite.play("a znode with a time to live outlives it while it is touched", Recipes::touched);
        Suite.play("a transaction is done as a whole", Recipes::transaction);
        Suite.play("a transaction is refused as a whole", Recipes::refused);
        Suite.play("several reads are one request", Recipes::reads);
        Suite.play("idempotent calls may be made twice", Recipes::idempotent);
        Suite.play("a znode of a credential's is nobody else's", Recipes::owned);
    }

    private static void discovery() throws Exception {
        try (ServiceDiscovery<Void> d = ServiceDiscoveryBuilder.builder(Void.class).client(Suite.one).basePath("/services").build();
                ServiceCache<Void> cache = d.serviceCacheBuilder().name("web").build()) {
            d.start();
            cache.start();
            ServiceInstance<Void> i = ServiceInstance.<Void>builder().name("web").id("1").address("127.0.0.1").port(80).build();
            d.registerService(i);
            Suite.until("it is found", () -> cache.getInstances().size() == 1);
            Suite.same(d.queryForInstance("web", "1").getPort(), 80);
            Suite.same(d.queryForNames(), List.of("web"));
            d.unregisterService(i);
            Suite.until("it is missed", () -> cache.getInstances().isEmpty());
        }
    }

    private static void group() throws Exception {
        try (GroupMember a = new GroupMember(Suite.one, "/group", "a", Suite.bytes("1"))) {
            try (GroupMember b = new GroupMember(Suite.other, "/group", "b", Suite.bytes("2"))) {
                a.start();
                b.start();
                for (GroupMember g : List.of(a, b)) {
                    Suite.until("both are there", () -> new TreeSet<>(g.getCurrentMembers().keySet()).equals(new TreeSet<>(List.of("a", "b"))));
                }
            }
            Suite.until("one has left", () -> a.getCurrentMembers().size() == 1);
        }
    }

    private static void touched() throws Exception {
        try (PersistentTtlNode n = new PersistentTtlNode(Suite.one, "/touched", 2000, Suite.bytes("x"))) {
            n.start();
            Suite.same(n.waitForInitialCreate(60, TimeUnit.SECONDS), true);
            Suite.until("it is touched many times", () -> {
                var stat = Suite.other.checkExists().forPath("/touched/touch");
                return stat != null && stat.getVersion() >= 3;
            });
            Suite.same(Suite.text(Suite.other.getData().forPath("/touched")), "x");
        }
    }

    private static void transaction() throws Exception {
        List<CuratorTransactionResult> results = Suite.one.transaction().forOperations(
            Suite.one.transactionOp().create().forPath("/tx", Suite.bytes("1")),
            Suite.one.transactionOp().setData().withVersion(0).forPath("/tx", Suite.bytes("22")),
            Suite.one.transactionOp().check().withVersion(1).forPath("/tx"),
            Suite.one.transactionOp().delete().forPath("/tx"),
            Suite.one.transactionOp().create().withTtl(60000).withMode(CreateMode.PERSISTENT_WITH_TTL).forPath("/tx-ttl"),
            Suite.one.transactionOp().create().withMode(CreateMode.CONTAINER).forPath("/tx-container"));
        Suite.same(results.stream().map(r -> r.getType() + " " + r.getForPath() + " " + r.getResultPath() + " "
            + (r.getType().name().equals("SET_DATA") ? r.getResultStat().getDataLength() : "-")).collect(Collectors.toList()), List.of(
            "CREATE /tx /tx -", "SET_DATA /tx null 2", "CHECK /tx null -", "DELETE /tx null -", "CREATE /tx-ttl null -",
            "CREATE /tx-container null -"));
    }

    private static void refused() throws Exception {
        try {
            Suite.one.transaction().forOperations(Suite.one.transactionOp().create().forPath("/never"),
                Suite.one.transactionOp().delete().forPath("/none"), Suite.one.transactionOp().create().forPath("/later"));
            throw new AssertionError("it was not refused");
        } catch (KeeperException.NoNodeException e) {
            Suite.same(e.getResults().stream().map(r -> ((OpResult.ErrorResult) r).getErr()).collect(Collectors.toList()),
                List.of(0, KeeperException.Code.NONODE.intValue(), KeeperException.Code.RUNTIMEINCONSISTENCY.intValue()));
        }
        Suite.same(Suite.one.checkExists().forPath("/never"), null);
    }

    private static void reads() throws Exception {
        ZooKeeper z = Suite.one.getZookeeperClient().getZooKeeper();
        Suite.one.create().creatingParentsIfNeeded().forPath("/reads/a", Suite.bytes("x"));
        List<OpResult> results = z.multi(List.of(Op.getData("/reads/a"), Op.getChildren("/none"), Op.getChildren("/reads")));
        Suite.same(Suite.text(((OpResult.GetDataResult) results.get(0)).getData()), "x");
        Suite.same(((OpResult.ErrorResult) results.get(1)).getErr(), KeeperException.Code.NONODE.intValue());
        Suite.same(((OpResult.GetChildrenResult) results.get(2)).getChildren(), List.of("a"));
        Suite.same(z.getAllChildrenNumber("/reads"), 1);
        Suite.same(z.getEphemerals("/reads"), List.of());
    }

    private static void idempotent() throws Exception {
        for (int i = 0; i < 2; i++) {
            Suite.one.create().idempotent().forPath("/twice", Suite.bytes("1"));
        }
        for (int i = 0; i < 2; i++) {
            Suite.one.setData().idempotent().withVersion(0).forPath("/twice", Suite.bytes("2"));
        }
        Suite.same(Suite.one.checkExists().forPath("/twice").getVersion(), 1);
        for (int i = 0; i < 2; i++) {
            Suite.one.delete().idempotent().forPath("/twice");
        }
    }

    private static void owned() throws Exception {
        try (CuratorFramework owner = CuratorFrameworkFactory.builder().connectString(Suite.servers).retryPolicy(new RetryOneTime(100))
                .authorization("digest", Suite.bytes("u:p")).build()) {
            owner.start();
            owner.create().withACL(ZooDefs.Ids.CREATOR_ALL_ACL).forPath("/owned", Suite.bytes("s"));
            Suite.same(Suite.text(owner.getData().forPath("/owned")), "s");
            Suite.same(owner.getZookeeperClient().getZooKeeper().whoAmI().stream().map(c -> c.getAuthScheme() + ":" + c.getUser())
                .collect(Collectors.toList()), List.of("ip:127.0.0.1", "digest:u"));
        }
        for (Suite.Case c : List.<Suite.Case>of(() -> Suite.one.getData().forPath("/owned"), () -> Suite.one.setData().forPath("/owned"),
                () -> Suite.one.getACL().forPath("/owned"), () -> Suite.one.setACL().withACL(ZooDefs.Ids.OPEN_ACL_UNSAFE).forPath("/owned"),
                () -> Suite.one.getChildren().forPath("/owned"), () -> Suite.one.create().forPath("/owned/x"))) {
            try {
                c.play();
                throw new AssertionError("a stranger got in");
            } catch (KeeperException.NoAuthException e) {
                continue; // as it has to be
            }
        }
    }
}
