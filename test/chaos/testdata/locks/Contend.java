import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.retry.RetryForever;

/**
 * One Curator client that takes an InterProcessMutex again and again, and looks whether it is alone. Arguments: addresses, the lock's path,
 * the path of a znode that is empty while nobody holds the lock, and how often. Anything wrong is a line that begins with "bad"; the last
 * line is "done".
 */
public class Contend {
    public static void main(String[] args) throws Exception {
        CuratorFramework client = CuratorFrameworkFactory.newClient(args[0], 20000, 20000, new RetryForever(100));
        client.start();
        client.blockUntilConnected();
        InterProcessMutex mutex = new InterProcessMutex(client, args[1]);
        for (int n = 0; n < Integer.parseInt(args[3]); n++) {
            String me = "curator " + n;
            mutex.acquire();
            String found = new String(client.getData().forPath(args[2]));
            if (!found.isEmpty()) {
                System.out.println("bad: Curator holds the lock while " + found + " does");
            }
            client.setData().forPath(args[2], me.getBytes());
            found = new String(client.getData().forPath(args[2]));
            if (!found.equals(me)) {
                System.out.println("bad: Curator holds the lock, and then " + found + " does");
            }
            client.setData().forPath(args[2], new byte[0]);
            mutex.release();
        }
        client.close();
        System.out.println("done");
        System.exit(0);
    }
}
