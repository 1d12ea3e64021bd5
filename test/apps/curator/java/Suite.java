import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.retry.ExponentialBackoffRetry;

/** Plays all cases against the servers in its argument, with two clients: "pass NAME" or "fail NAME: REASON" is printed of each. */
final class Suite {
    private static final long DEADLINE = TimeUnit.SECONDS.toNanos(60);
    private static final BufferedReader IN = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));

    static String servers;
    static CuratorFramework one;
    static CuratorFramework other;

    interface Case {
        void play() throws Exception;
    }

    public static void main(String[] args) throws Exception {
        servers = args[0];
        one = client();
        other = client();
        Watches.cases();
        Recipes.cases();
        Storms.cases();
        one.close();
        other.close();
        System.exit(0);
    }

    static CuratorFramework client() throws InterruptedException {
        CuratorFramework c = CuratorFrameworkFactory.builder().connectString(servers).sessionTimeoutMs(15000).connectionTimeoutMs(15000)
            .retryPolicy(new ExponentialBackoffRetry(100, 10, 3000)).build();
        c.start();
        c.blockUntilConnected();
        return c;
    }

    static void play(String name, Case c) {
        try {
            c.play();
            System.out.println("pass " + name);
        } catch (Throwable e) {
            e.printStackTrace();
            System.out.println("fail " + name + ": " + e.toString().replace('\n', ' '));
        }
    }

    /** Has something done to the servers. */
    static void servers(String what) throws Exception {
        System.out.println("server " + what);
        IN.readLine();
    }

    static void same(Object got, Object want) {
        if (!Objects.equals(got, want)) {
            throw new AssertionError("got " + got + ", want " + want);
        }
    }

    /** Waits until something is so. */
    static void until(String what, Callable<Boolean> so) throws Exception {
        for (long end = System.nanoTime() + DEADLINE; !so.call(); TimeUnit.MILLISECONDS.sleep(20)) {
            if (System.nanoTime() > end) {
                throw new AssertionError("never: " + what);
            }
        }
    }

    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    static String text(byte[] bytes) {
        return bytes == null ? null : new String(bytes, StandardCharsets.UTF_8);
    }
}
