package bench;

import com.typesafe.config.ConfigFactory;
import java.util.Map;
import java.util.function.Consumer;
import org.apache.pekko.actor.ActorSystem;

/**
 * Bench WORKLOAD WORKERS SCALE [WARM_ROUNDS]: plays one of the workloads of
 * bench/README.md with Pekko and prints nanoseconds per unit (bytes per actor for
 * idle-memory). All rounds are alike; the last one is what is printed.
 */
public final class Bench {
    private static final Map<String, Consumer<Run>> WORKLOADS = Map.ofEntries(
        Map.entry("ping-pong", run -> Chain.rings(run, 2, 1)),
        Map.entry("pairs", run -> Chain.rings(run, 2, 1000)),
        Map.entry("ring-100", run -> Chain.rings(run, 100, 1)),
        Map.entry("ring-503", run -> Chain.rings(run, 503, 1)),
        Map.entry("ask", Chain::ask),
        Map.entry("counting", run -> Flow.producers(run, 1, 1_000_000, 0)),
        Map.entry("counting-warm", run -> Flow.producers(run, 1, 1_000_000, 0)),
        Map.entry("counting-windowed", run -> Flow.producers(run, 1, 1_000_000, 1000)),
        Map.entry("fan-in", run -> Flow.producers(run, 60, 1_200_000, 0)),
        Map.entry("fan-in-windowed", run -> Flow.producers(run, 60, 1_200_000, 100)),
        Map.entry("fork-join-throughput", Flow::forkJoinThroughput),
        Map.entry("fan-out", Flow::fanOut),
        Map.entry("fork-join-create", Life::create),
        Map.entry("churn", Life::churn),
        Map.entry("idle-memory", Life::idleMemory),
        Map.entry("chameneos", Mix::chameneos),
        Map.entry("big", Mix::big),
        Map.entry("parallel", Mix::parallel));

    private static final int WARM_ROUNDS = 5;

    private Bench() {}

    private static String config(int workers) {
        return "pekko.loglevel = OFF\n"
            + "pekko.stdout-loglevel = OFF\n"
            + "pekko.log-dead-letters = off\n"
            + "pekko.actor.default-dispatcher.fork-join-executor {\n"
            + "  parallelism-min = " + workers + "\n"
            + "  parallelism-max = " + workers + "\n"
            + "}\n";
    }

    public static void main(String[] args) throws InterruptedException {
        Consumer<Run> workload = args.length >= 3 ? WORKLOADS.get(args[0]) : null;
        if (workload == null) {
            System.err.println("usage: Bench WORKLOAD WORKERS SCALE [WARM_ROUNDS]");
            System.exit(2);
        }
        int warmRounds = args.length > 3 ? Integer.parseInt(args[3]) : WARM_ROUNDS;
        if (args[0].equals("idle-memory")) {
            warmRounds = 0;
        }
        ActorSystem system = ActorSystem.create("bench",
            ConfigFactory.parseString(config(Integer.parseInt(args[1])))
                .withFallback(ConfigFactory.load()));
        double result = 0;
        for (int round = 0; round <= warmRounds; round++) {
            Run run = new Run(system, Double.parseDouble(args[2]));
            workload.accept(run);
            result = run.result();
            run.stopAll();
        }
        System.out.printf("%.4f%n", result);
        System.out.flush();
        // The actors still running are no part of the figure.
        Runtime.getRuntime().halt(0);
    }
}
