package bench;

import com.typesafe.config.ConfigFactory;
import java.util.Map;
import java.util.function.Consumer;
import org.apache.pekko.actor.ActorSystem;

/**
 * Bench WORKLOAD WORKERS SCALE [WARM_SECONDS]: plays one of the workloads of
 * bench/README.md with Pekko and prints nanoseconds per unit (bytes per actor for
 * idle-memory). All rounds are alike. At least two are played until that much time is over;
 * the next one is what is printed.
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

    private static final double WARM_SECONDS = 2;
    private static final int WARM_ROUNDS_MIN = 2;

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

    private static double play(Consumer<Run> workload, ActorSystem system, double scale) {
        Run run = new Run(system, scale);
        workload.accept(run);
        run.stopAll();
        return run.result();
    }

    public static void main(String[] args) throws InterruptedException {
        Consumer<Run> workload = args.length >= 3 ? WORKLOADS.get(args[0]) : null;
        if (workload == null) {
            System.err.println("usage: Bench WORKLOAD WORKERS SCALE [WARM_SECONDS]");
            System.exit(2);
        }
        double warmSeconds = args.length > 3 ? Double.parseDouble(args[3]) : WARM_SECONDS;
        ActorSystem system = ActorSystem.create("bench",
            ConfigFactory.parseString(config(Integer.parseInt(args[1])))
                .withFallback(ConfigFactory.load()));
        double scale = Double.parseDouble(args[2]);
        if (!args[0].equals("idle-memory")) {
            long began = System.nanoTime();
            for (int round = 0; round < WARM_ROUNDS_MIN
                    || System.nanoTime() - began < warmSeconds * 1e9; round++) {
                play(workload, system, scale);
            }
        }
        double result = play(workload, system, scale);
        System.out.printf("%.4f%n", result);
        System.out.flush();
        // The actors still running are no part of the figure.
        Runtime.getRuntime().halt(0);
    }
}
