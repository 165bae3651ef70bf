package bench;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import org.apache.pekko.actor.ActorSystem;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.javadsl.Adapter;

/** One round of a workload; rounds share the system but no actors. */
final class Run {
    private final ActorSystem system;
    private final double scale;
    private final CountDownLatch finished = new CountDownLatch(1);
    private final List<ActorRef<?>> spawned = new ArrayList<>();
    private long began;
    private volatile long ended;
    private long units;
    double bytes;

    Run(ActorSystem system, double scale) {
        this.system = system;
        this.scale = scale;
    }

    <T> ActorRef<T> spawn(Behavior<T> behavior) {
        ActorRef<T> ref = Adapter.spawnAnonymous(system, behavior);
        spawned.add(ref);
        return ref;
    }

    /** Remembers nothing: for many actors that are not stopped. */
    <T> ActorRef<T> spawnUnlisted(Behavior<T> behavior) {
        return Adapter.spawnAnonymous(system, behavior);
    }

    long count(long base, long least) {
        return Math.max((long) (base * scale), least);
    }

    /** The clock starts once the actors that were set up are at rest. */
    void begin(long units) {
        sleep(50);
        this.units = units;
        began = System.nanoTime();
    }

    /** The clock stops, from whichever actor sees the last message. */
    void finish() {
        ended = System.nanoTime();
        finished.countDown();
    }

    void await() {
        try {
            finished.await();
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    void stopAll() {
        for (ActorRef<?> ref : spawned) {
            system.stop(Adapter.toClassic(ref));
        }
    }

    double result() {
        return bytes > 0 ? bytes : (double) (ended - began) / units;
    }

    static void sleep(long ms) {
        try {
            Thread.sleep(ms);
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }
}
