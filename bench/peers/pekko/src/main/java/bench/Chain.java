package bench;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.javadsl.AbstractBehavior;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.actor.typed.javadsl.Receive;
import org.apache.pekko.util.Timeout;
import scala.reflect.ClassTag;

/** Workloads in which one message is under way per chain: ping-pong, pairs, rings, ask. */
final class Chain {
    enum Done { DONE }

    private Chain() {}

    /** Counts DONE messages and finishes the round at the given number. */
    static final class Referee extends AbstractBehavior<Done> {
        private final Run run;
        private long left;

        private Referee(ActorContext<Done> context, Run run, long expected) {
            super(context);
            this.run = run;
            this.left = expected;
        }

        static Behavior<Done> create(Run run, long expected) {
            return Behaviors.setup(context -> new Referee(context, run, expected));
        }

        @Override
        public Receive<Done> createReceive() {
            return newReceiveBuilder().onMessage(Done.class, this::onDone).build();
        }

        private Behavior<Done> onDone(Done done) {
            if (--left == 0) {
                run.finish();
            }
            return this;
        }
    }

    interface PlayerCommand {}

    record Ball(long left) implements PlayerCommand {}

    record Peer(ActorRef<PlayerCommand> next) implements PlayerCommand {}

    static final class Player extends AbstractBehavior<PlayerCommand> {
        private final ActorRef<Done> referee;
        private ActorRef<PlayerCommand> next;

        private Player(ActorContext<PlayerCommand> context, ActorRef<Done> referee) {
            super(context);
            this.referee = referee;
        }

        static Behavior<PlayerCommand> create(ActorRef<Done> referee) {
            return Behaviors.setup(context -> new Player(context, referee));
        }

        @Override
        public Receive<PlayerCommand> createReceive() {
            return newReceiveBuilder()
                .onMessage(Ball.class, this::onBall)
                .onMessage(Peer.class, this::onPeer)
                .build();
        }

        private Behavior<PlayerCommand> onBall(Ball ball) {
            if (ball.left == 0) {
                referee.tell(Done.DONE);
            } else {
                next.tell(new Ball(ball.left - 1));
            }
            return this;
        }

        private Behavior<PlayerCommand> onPeer(Peer peer) {
            next = peer.next;
            return this;
        }
    }

    static void rings(Run run, int size, int count) {
        long each = run.count(4_000_000, count) / count;
        ActorRef<Done> referee = run.spawn(Referee.create(run, count));
        List<ActorRef<PlayerCommand>> firsts = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            ActorRef<PlayerCommand> first = run.spawn(Player.create(referee));
            ActorRef<PlayerCommand> last = first;
            for (int j = 1; j < size; j++) {
                ActorRef<PlayerCommand> next = run.spawn(Player.create(referee));
                last.tell(new Peer(next));
                last = next;
            }
            last.tell(new Peer(first));
            firsts.add(first);
        }
        run.begin(each * count);
        for (ActorRef<PlayerCommand> first : firsts) {
            first.tell(new Ball(each - 1));
        }
        run.await();
    }

    // ---- Ask

    record Question(long value, ActorRef<Answer> replyTo) {}

    interface ClientCommand {}

    enum Go implements ClientCommand { GO }

    record Answer(long value) {}

    record Answered(long value, Throwable failure) implements ClientCommand {}

    static Behavior<Question> server() {
        return Behaviors.receiveMessage(question -> {
            question.replyTo.tell(new Answer(question.value + 1));
            return Behaviors.same();
        });
    }

    static final class Client extends AbstractBehavior<ClientCommand> {
        private static final Timeout TIMEOUT = Timeout.create(Duration.ofSeconds(30));
        private static final ClassTag<Answer> ANSWER = ClassTag.apply(Answer.class);
        private final Run run;
        private final ActorRef<Question> server;
        private final long roundTrips;

        Client(ActorContext<ClientCommand> context, Run run, ActorRef<Question> server, long roundTrips) {
            super(context);
            this.run = run;
            this.server = server;
            this.roundTrips = roundTrips;
        }

        @Override
        public Receive<ClientCommand> createReceive() {
            return newReceiveBuilder()
                .onMessage(Answered.class, this::onAnswered)
                .onMessage(Go.class, go -> ask(0))
                .build();
        }

        /**
         * The same call as in the Java API. That one's future completes on the common pool, or,
         * where two processors are all there are, on a new thread for each answer: 200
         * microseconds and more a round trip. This one's completes on the dispatcher.
         */
        private Behavior<ClientCommand> ask(long value) {
            getContext().asScala().ask(server, replyTo -> new Question(value, replyTo),
                answer -> answer.isSuccess()
                    ? new Answered(answer.get().value, null)
                    : new Answered(0, answer.failed().get()),
                TIMEOUT, ANSWER);
            return this;
        }

        private Behavior<ClientCommand> onAnswered(Answered answered) {
            if (answered.failure != null) {
                System.err.println("Bench: ask: a request failed: " + answered.failure);
                Runtime.getRuntime().halt(1);
            }
            if (answered.value == roundTrips) {
                run.finish();
                return this;
            }
            return ask(answered.value);
        }
    }

    static void ask(Run run) {
        long count = run.count(2_000_000, 1);
        ActorRef<Question> server = run.spawn(server());
        ActorRef<ClientCommand> client =
            run.spawn(Behaviors.setup(context -> new Client(context, run, server, count)));
        run.begin(count);
        client.tell(Go.GO);
        run.await();
    }
}
