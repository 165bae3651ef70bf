package bench;

import java.util.concurrent.atomic.AtomicLong;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.javadsl.AbstractBehavior;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.actor.typed.javadsl.Receive;

/** Workloads about actors coming and going: fork-join create, churn, memory. */
final class Life {
    private Life() {}

    enum Go { GO }

    record Ball(long left) {}

    /** Handles one message and ends, or stays: a sleeper. */
    static final class Child extends AbstractBehavior<Ball> {
        private final Run run;
        private final AtomicLong left;
        private final boolean stays;
        private long handled;

        Child(ActorContext<Ball> context, Run run, AtomicLong left, boolean stays) {
            super(context);
            this.run = run;
            this.left = left;
            this.stays = stays;
        }

        static Behavior<Ball> create(Run run, AtomicLong left, boolean stays) {
            return Behaviors.setup(context -> new Child(context, run, left, stays));
        }

        @Override
        public Receive<Ball> createReceive() {
            return newReceiveBuilder().onMessage(Ball.class, this::onBall).build();
        }

        private Behavior<Ball> onBall(Ball ball) {
            handled += ball.left + 1;
            if (left.decrementAndGet() == 0) {
                run.finish();
            }
            return stays ? this : Behaviors.stopped();
        }
    }

    static void create(Run run) {
        long count = run.count(1_000_000, 1);
        AtomicLong left = new AtomicLong(count);
        ActorRef<Go> creator = run.spawn(Behaviors.receive((context, go) -> {
            for (long i = 0; i < count; i++) {
                context.spawnAnonymous(Child.create(run, left, false)).tell(new Ball(i));
            }
            return Behaviors.same();
        }));
        run.begin(count);
        creator.tell(Go.GO);
        run.await();
    }

    interface BreederCommand {}

    enum Start implements BreederCommand { GO }

    enum Died implements BreederCommand { DONE }

    record Only(long left, ActorRef<BreederCommand> from) {}

    static Behavior<Only> mayfly() {
        return Behaviors.receiveMessage(only -> {
            only.from.tell(Died.DONE);
            return Behaviors.stopped();
        });
    }

    static final class Breeder extends AbstractBehavior<BreederCommand> {
        private final Run run;
        private long left;

        Breeder(ActorContext<BreederCommand> context, Run run, long count) {
            super(context);
            this.run = run;
            this.left = count;
        }

        @Override
        public Receive<BreederCommand> createReceive() {
            return newReceiveBuilder()
                .onMessage(Died.class, done -> --left == 0 ? end() : breed())
                .onMessage(Start.class, go -> breed())
                .build();
        }

        private Behavior<BreederCommand> end() {
            run.finish();
            return this;
        }

        private Behavior<BreederCommand> breed() {
            getContext().spawnAnonymous(mayfly()).tell(new Only(left, getContext().getSelf()));
            return this;
        }
    }

    static void churn(Run run) {
        long count = run.count(1_000_000, 1);
        ActorRef<BreederCommand> breeder =
            run.spawn(Behaviors.setup(context -> new Breeder(context, run, count)));
        run.begin(count);
        breeder.tell(Start.GO);
        run.await();
    }

    /** Bytes of the heap in use after collections. */
    private static long live() {
        for (int i = 0; i < 3; i++) {
            System.gc();
            Run.sleep(50);
        }
        return Runtime.getRuntime().totalMemory() - Runtime.getRuntime().freeMemory();
    }

    static void idleMemory(Run run) {
        long count = run.count(1_000_000, 1);
        AtomicLong left = new AtomicLong(count);
        long before = live();
        for (long i = 0; i < count; i++) {
            run.spawnUnlisted(Child.create(run, left, true)).tell(new Ball(i));
        }
        run.await();
        run.bytes = (double) (live() - before) / count;
    }
}
