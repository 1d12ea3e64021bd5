import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.ArrayList;
import java.util.List;

/**
 * Plays the cases of the other files, in this order, against the server at the address given as the last argument, and speaks
 * with the test that started it.
 */
public final class Suite {
    /** What a case does; it ends well by returning. */
    interface Play {
        void play(World world) throws Exception;
    }

    private record Case(String name, Play play) {}

    private static final List<Case> CASES = new ArrayList<>();
    private static final BufferedReader ANSWERS = new BufferedReader(new InputStreamReader(System.in));

    /** Adds a case; its name is a sentence. */
    static void add(String name, Play play) {
        CASES.add(new Case(name, play));
    }

    /** Has the server stopped, started, killed or restarted. */
    static void server(String what) throws Exception {
        say("server " + what);
        String answer = ANSWERS.readLine();
        Check.that("done".equals(answer), "server " + what + ": " + answer);
    }

    private static void say(String line) {
        System.out.println(line.replace('\n', ' '));
        System.out.flush();
    }

    public static void main(String[] arguments) {
        String address = arguments[arguments.length - 1];
        Calls.register();
        Locks.register();
        Recipes.register();
        Caches.register();
        Sessions.register();
        int number = 0;
        for (Case one : CASES) {
            say("case " + one.name);
            try (World world = new World(address, "curator-" + number++)) {
                one.play.play(world);
                say("pass");
            } catch (Throwable problem) {
                problem.printStackTrace();
                say("fail " + problem);
            }
        }
        System.exit(0); // threads that a failed case left behind must not keep the program alive
    }
}
