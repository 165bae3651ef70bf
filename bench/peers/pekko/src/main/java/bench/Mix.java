package bench;

import bench.Chain.Done;
import bench.Chain.Referee;
import java.util.ArrayList;
import java.util.List;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.javadsl.AbstractBehavior;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.actor.typed.javadsl.Receive;

/** Workloads with a busy middle: chameneos, big, parallel. */
final class Mix {
    private static final int CREATURES = 100;
    private static final int BIG_ACTORS = 120;
    private static final int COMPUTERS = 64;
    private static final int COMPUTE_STEPS = 910;

    private Mix() {}

    // ---- Chameneos

    record Meet(int colour, ActorRef<CreatureCommand> from) {}

    interface CreatureCommand {}

    enum Go implements CreatureCommand { GO }

    record Met(int colour) implements CreatureCommand {}

    static final class Creature extends AbstractBehavior<CreatureCommand> {
        private final ActorRef<Meet> mall;
        private int colour;

        Creature(ActorContext<CreatureCommand> context, ActorRef<Meet> mall, int colour) {
            super(context);
            this.mall = mall;
            this.colour = colour;
        }

        @Override
        public Receive<CreatureCommand> createReceive() {
            return newReceiveBuilder()
                .onMessage(Met.class, this::onMet)
                .onMessage(Go.class, go -> enter())
                .build();
        }

        private Behavior<CreatureCommand> onMet(Met met) {
            if (met.colour != colour) {
                colour = 3 - colour - met.colour;
            }
            return enter();
        }

        private Behavior<CreatureCommand> enter() {
            mall.tell(new Meet(colour, getContext().getSelf()));
            return this;
        }
    }

    static final class Mall extends AbstractBehavior<Meet> {
        private final Run run;
        private long left;
        private Meet waiting;

        Mall(ActorContext<Meet> context, Run run, long meetings) {
            super(context);
            this.run = run;
            this.left = meetings;
        }

        @Override
        public Receive<Meet> createReceive() {
            return newReceiveBuilder().onMessage(Meet.class, this::onMeet).build();
        }

        private Behavior<Meet> onMeet(Meet meet) {
            if (left == 0) {
                return this;
            }
            if (waiting == null) {
                waiting = meet;
                return this;
            }
            waiting.from.tell(new Met(meet.colour));
            meet.from.tell(new Met(waiting.colour));
            waiting = null;
            if (--left == 0) {
                run.finish();
            }
            return this;
        }
    }

    static void chameneos(Run run) {
        long meetings = run.count(500_000, 1);
        ActorRef<Meet> mall = run.spawn(Behaviors.setup(context -> new Mall(context, run, meetings)));
        List<ActorRef<CreatureCommand>> creatures = new ArrayList<>();
        for (int i = 0; i < CREATURES; i++) {
            int colour = i % 3;
            creatures.add(run.spawn(Behaviors.setup(context -> new Creature(context, mall, colour))));
        }
        run.begin(meetings);
        for (ActorRef<CreatureCommand> creature : creatures) {
            creature.tell(Go.GO);
        }
        run.await();
    }

    // ---- Big

    interface BigCommand {}

    record All(List<ActorRef<BigCommand>> all) implements BigCommand {}

    enum Start implements BigCommand { GO }

    record Ping(ActorRef<BigCommand> from) implements BigCommand {}

    enum Pong implements BigCommand { PONG }

    static final class Big extends AbstractBehavior<BigCommand> {
        private final ActorRef<Done> referee;
        private List<ActorRef<BigCommand>> all;
        private long pings;
        private int seed;

        Big(ActorContext<BigCommand> context, ActorRef<Done> referee, long pings, int seed) {
            super(context);
            this.referee = referee;
            this.pings = pings;
            this.seed = seed;
        }

        @Override
        public Receive<BigCommand> createReceive() {
            return newReceiveBuilder()
                .onMessage(Ping.class, this::onPing)
                .onMessage(Pong.class, this::onPong)
                .onMessage(Start.class, go -> ping())
                .onMessage(All.class, this::onAll)
                .build();
        }

        private Behavior<BigCommand> onAll(All msg) {
            all = msg.all;
            return this;
        }

        private Behavior<BigCommand> onPing(Ping msg) {
            msg.from.tell(Pong.PONG);
            return this;
        }

        private Behavior<BigCommand> onPong(Pong msg) {
            if (--pings > 0) {
                return ping();
            }
            referee.tell(Done.DONE);
            return this;
        }

        private Behavior<BigCommand> ping() {
            seed = seed * 1664525 + 1013904223;
            all.get((seed >>> 8) % BIG_ACTORS).tell(new Ping(getContext().getSelf()));
            return this;
        }
    }

    static void big(Run run) {
        long pings = run.count(2_400_000, 2 * BIG_ACTORS) / (2 * BIG_ACTORS);
        ActorRef<Done> referee = run.spawn(Referee.create(run, BIG_ACTORS));
        List<ActorRef<BigCommand>> all = new ArrayList<>();
        for (int i = 0; i < BIG_ACTORS; i++) {
            int seed = i + 1;
            all.add(run.spawn(Behaviors.setup(context -> new Big(context, referee, pings, seed))));
        }
        for (ActorRef<BigCommand> to : all) {
            to.tell(new All(List.copyOf(all)));
        }
        run.begin(pings * 2 * BIG_ACTORS);
        for (ActorRef<BigCommand> to : all) {
            to.tell(Start.GO);
        }
        run.await();
    }

    // ---- Parallel

    record Ball(long left) {}

    static final class Computer extends AbstractBehavior<Ball> {
        private final ActorRef<Done> referee;
        private int value;

        Computer(ActorContext<Ball> context, ActorRef<Done> referee) {
            super(context);
            this.referee = referee;
        }

        @Override
        public Receive<Ball> createReceive() {
            return newReceiveBuilder().onMessage(Ball.class, this::onBall).build();
        }

        private Behavior<Ball> onBall(Ball ball) {
            int x = value;
            for (int i = 0; i < COMPUTE_STEPS; i++) {
                x = x * 1664525 + 1013904223;
            }
            value = x;
            if (ball.left == 0) {
                referee.tell(Done.DONE);
            } else {
                getContext().getSelf().tell(new Ball(ball.left - 1));
            }
            return this;
        }
    }

    static void parallel(Run run) {
        long each = run.count(64_000, COMPUTERS) / COMPUTERS;
        ActorRef<Done> referee = run.spawn(Referee.create(run, COMPUTERS));
        List<ActorRef<Ball>> all = new ArrayList<>();
        for (int i = 0; i < COMPUTERS; i++) {
            all.add(run.spawn(Behaviors.setup(context -> new Computer(context, referee))));
        }
        run.begin(each * COMPUTERS);
        for (ActorRef<Ball> computer : all) {
            computer.tell(new Ball(each - 1));
        }
        run.await();
    }
}
