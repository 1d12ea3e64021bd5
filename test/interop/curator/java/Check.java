import java.util.Objects;
import java.util.concurrent.Callable;

/** What a case requires. */
final class Check {
    static final long DEADLINE_MS = 30_000; // until a condition that a case waits for must hold
    private static final long POLL_MS = 20; // between two looks at a condition

    private Check() {}

    static void that(boolean condition, String what) {
        if (!condition) {
            throw new AssertionError("not so: " + what);
        }
    }

    static void equal(Object got, Object want) {
        if (!Objects.equals(got, want)) {
            throw new AssertionError("got " + got + ", want " + want);
        }
    }

    static void eventually(String what, Callable<Boolean> condition) throws Exception {
        long end = System.nanoTime() + DEADLINE_MS * 1_000_000;
        while (!condition.call()) {
            if (System.nanoTime() > end) {
                throw new AssertionError("never happened: " + what);
            }
            Thread.sleep(POLL_MS);
        }
    }

    /** Requires call to throw exactly kind, and returns what it threw. */
    static <E extends Exception> E raises(Class<E> kind, Callable<?> call) {
        Object value;
        try {
            value = call.call();
        } catch (Exception problem) {
            if (problem.getClass() == kind) {
                return kind.cast(problem);
            }
            throw new AssertionError("threw " + problem + ", not " + kind.getSimpleName(), problem);
        }
        throw new AssertionError("returned " + value + " instead of throwing " + kind.getSimpleName());
    }
}
