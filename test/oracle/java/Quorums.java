import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.StringReader;
import java.nio.charset.StandardCharsets;
import java.util.Properties;
import java.util.TreeSet;
import org.apache.zookeeper.server.quorum.SyncedLearnerTracker;
import org.apache.zookeeper.server.quorum.flexible.QuorumHierarchical;
import org.apache.zookeeper.server.quorum.flexible.QuorumMaj;
import org.apache.zookeeper.server.quorum.flexible.QuorumVerifier;

/**
 * Quorums reads configurations, one a line with tabs for ends of lines, and says of each in a line of its own which sets of servers
 * ZooKeeper takes for a quorum, a digit a set: the bits of its place name the servers, the lowest id first. Then come the weight of
 * each voter and the configuration as ZooKeeper writes it. Of one that ZooKeeper refuses it says "refused".
 */
public final class Quorums {
    public static void main(String[] args) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            System.out.println(answer(line.replace('\t', '\n')));
        }
    }

    private static String answer(String text) throws Exception {
        Properties properties = new Properties();
        properties.load(new StringReader(text));
        QuorumVerifier quorums;
        try {
            boolean groups = properties.stringPropertyNames().stream().anyMatch(k -> k.startsWith("group") || k.startsWith("weight"));
            quorums = groups ? new QuorumHierarchical(properties) : new QuorumMaj(properties);
        } catch (Exception e) {
            return "refused";
        }
        Long[] ids = new TreeSet<>(quorums.getAllMembers().keySet()).toArray(new Long[0]);
        StringBuilder said = new StringBuilder();
        for (int set = 0; set < 1 << ids.length; set++) {
            SyncedLearnerTracker acks = new SyncedLearnerTracker();
            acks.addQuorumVerifier(quorums);
            for (int i = 0; i < ids.length; i++) {
                if ((set >> i & 1) != 0) {
                    acks.addAck(ids[i]);
                }
            }
            said.append(acks.hasAllQuorums() ? '1' : '0');
        }
        for (Long id : new TreeSet<>(quorums.getVotingMembers().keySet())) {
            said.append(' ').append(quorums.getWeight(id));
        }
        return said.append('\t').append(quorums.toString().replace('\n', '\t')).toString();
    }
}
