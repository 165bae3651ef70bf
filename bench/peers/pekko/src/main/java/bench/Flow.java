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

/** Workloads in which many messages are under way: counting, fork-join, fan-in, fan-out. */
final class Flow {
    private static final int WORKERS = 60;
    private static final int SINKS = 1000;

    private Flow() {}

    // ---- Counting and fan-in

    /** The producer to acknowledge to comes along where it waits; otherwise null. */
    record Item(long number, ActorRef<ProducerCommand> ack) {}

    interface ProducerCommand {}

    enum Go implements ProducerCommand { GO }

    record Accepted(long number) implements ProducerCommand {}

    static final class Sink extends AbstractBehavior<Item> {
        private final Run run;
        private long left;

        Sink(ActorContext<Item> context, Run run, long total) {
            super(context);
            this.run = run;
            this.left = total;
        }

        @Override
        public Receive<Item> createReceive() {
            return newReceiveBuilder().onMessage(Item.class, this::onItem).build();
        }

        private Behavior<Item> onItem(Item item) {
            if (item.ack != null) {
                item.ack.tell(new Accepted(item.number));
            }
            if (--left == 0) {
                run.finish();
            }
            return this;
        }
    }

    static final class Producer extends AbstractBehavior<ProducerCommand> {
        private final ActorRef<Item> sink;
        private final long count;
        private final long window;

        Producer(ActorContext<ProducerCommand> context, ActorRef<Item> sink, long count, long window) {
            super(context);
            this.sink = sink;
            this.count = count;
            this.window = window;
        }

        @Override
        public Receive<ProducerCommand> createReceive() {
            return newReceiveBuilder()
                .onMessage(Accepted.class, accepted -> produce(accepted.number))
                .onMessage(Go.class, go -> produce(0))
                .build();
        }

        private Behavior<ProducerCommand> produce(long sent) {
            long last = window > 0 ? Math.min(sent + window, count) : count;
            for (long number = sent + 1; number <= last; number++) {
                boolean waits = number == last && last < count;
                sink.tell(new Item(number, waits ? getContext().getSelf() : null));
            }
            return this;
        }
    }

    static void producers(Run run, int producers, long messages, long window) {
        long each = run.count(messages, producers) / producers;
        ActorRef<Item> sink =
            run.spawn(Behaviors.setup(context -> new Sink(context, run, each * producers)));
        List<ActorRef<ProducerCommand>> all = new ArrayList<>();
        for (int i = 0; i < producers; i++) {
            all.add(run.spawn(Behaviors.setup(context -> new Producer(context, sink, each, window))));
        }
        run.begin(each * producers);
        for (ActorRef<ProducerCommand> producer : all) {
            producer.tell(Go.GO);
        }
        run.await();
    }

    // ---- Fork-join throughput

    record Ball(long left) {}

    static final class Worker extends AbstractBehavior<Ball> {
        private final ActorRef<Done> referee;
        private long sum;

        Worker(ActorContext<Ball> context, ActorRef<Done> referee) {
            super(context);
            this.referee = referee;
        }

        @Override
        public Receive<Ball> createReceive() {
            return newReceiveBuilder().onMessage(Ball.class, this::onBall).build();
        }

        private Behavior<Ball> onBall(Ball ball) {
            sum += ball.left;
            if (ball.left == 0) {
                referee.tell(Done.DONE);
            }
            return this;
        }
    }

    static void forkJoinThroughput(Run run) {
        long each = run.count(1_200_000, WORKERS) / WORKERS;
        ActorRef<Done> referee = run.spawn(Referee.create(run, WORKERS));
        List<ActorRef<Ball>> workers = new ArrayList<>();
        for (int i = 0; i < WORKERS; i++) {
            workers.add(run.spawn(Behaviors.setup(context -> new Worker(context, referee))));
        }
        ActorRef<Go> dealer = run.spawn(Behaviors.receiveMessage(go -> {
            for (long left = each - 1; left >= 0; left--) {
                for (ActorRef<Ball> worker : workers) {
                    worker.tell(new Ball(left));
                }
            }
            return Behaviors.same();
        }));
        run.begin(each * WORKERS);
        dealer.tell(Go.GO);
        run.await();
    }

    // ---- Fan-out

    record Request(long roundsLeft, ActorRef<SourceCommand> from) {}

    enum SourceCommand { GO, DONE }

    static final class Echo extends AbstractBehavior<Request> {
        private long count;

        Echo(ActorContext<Request> context) {
            super(context);
        }

        @Override
        public Receive<Request> createReceive() {
            return newReceiveBuilder().onMessage(Request.class, this::onRequest).build();
        }

        private Behavior<Request> onRequest(Request request) {
            count++;
            request.from.tell(SourceCommand.DONE);
            return this;
        }
    }

    static final class Source extends AbstractBehavior<SourceCommand> {
        private final Run run;
        private final List<ActorRef<Request>> sinks;
        private long rounds;
        private int waiting;

        Source(ActorContext<SourceCommand> context, Run run, List<ActorRef<Request>> sinks, long rounds) {
            super(context);
            this.run = run;
            this.sinks = sinks;
            this.rounds = rounds;
        }

        @Override
        public Receive<SourceCommand> createReceive() {
            return newReceiveBuilder().onMessage(SourceCommand.class, this::onCommand).build();
        }

        private Behavior<SourceCommand> onCommand(SourceCommand command) {
            if (command == SourceCommand.DONE) {
                if (--waiting > 0) {
                    return this;
                }
                if (--rounds == 0) {
                    run.finish();
                    return this;
                }
            }
            waiting = sinks.size();
            for (ActorRef<Request> sink : sinks) {
                sink.tell(new Request(rounds, getContext().getSelf()));
            }
            return this;
        }
    }

    static void fanOut(Run run) {
        long rounds = run.count(2_000_000, 2 * SINKS) / (2 * SINKS);
        List<ActorRef<Request>> sinks = new ArrayList<>();
        for (int i = 0; i < SINKS; i++) {
            sinks.add(run.spawn(Behaviors.setup(Echo::new)));
        }
        ActorRef<SourceCommand> source =
            run.spawn(Behaviors.setup(context -> new Source(context, run, sinks, rounds)));
        run.begin(rounds * 2 * SINKS);
        source.tell(SourceCommand.GO);
        run.await();
    }
}
