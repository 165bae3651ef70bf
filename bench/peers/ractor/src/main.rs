//! bench_ractor WORKLOAD WORKERS SCALE: plays one of the workloads of bench/README.md with
//! ractor and prints nanoseconds per unit (bytes per actor for idle-memory).

mod chain;
mod flow;
mod life;
mod mix;

use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef};
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

type Done = Result<(), ActorProcessingErr>;

/// Where the actor that sees the last message says when it saw it.
static FINISHED: OnceLock<mpsc::UnboundedSender<Instant>> = OnceLock::new();

/// The clock stops.
fn finish() {
    let _ = FINISHED.get().expect("set by main").send(Instant::now());
}

/// One workload; rounds share the runtime but no actors.
struct Run {
    scale: f64,
    units: u64,
    bytes: f64,
    began: Instant,
    ended: Instant,
    finished: mpsc::UnboundedReceiver<Instant>,
    spawned: Vec<ActorCell>,
}

impl Run {
    async fn spawn<A: Actor>(&mut self, actor: A, args: A::Arguments) -> ActorRef<A::Msg> {
        let (to, _) = Actor::spawn(None, actor, args)
            .await
            .expect("the actor starts");
        self.spawned.push(to.get_cell());
        to
    }

    fn count(&self, base: u64, least: u64) -> u64 {
        ((base as f64 * self.scale) as u64).max(least)
    }

    /// The clock starts once the actors that were set up are at rest.
    async fn begin(&mut self, units: u64) {
        tokio::time::sleep(Duration::from_millis(50)).await;
        self.units = units;
        self.began = Instant::now();
    }

    async fn wait(&mut self) {
        self.ended = self.finished.recv().await.expect("main holds a sender");
    }

    async fn play(&mut self, name: &str, scale: f64) -> f64 {
        self.scale = scale;
        match name {
            "ping-pong" => chain::rings(self, 2, 1).await,
            "pairs" => chain::rings(self, 2, 1000).await,
            "ring-100" => chain::rings(self, 100, 1).await,
            "ring-503" => chain::rings(self, 503, 1).await,
            "ask" => chain::ask(self).await,
            "counting" | "counting-warm" => flow::producers(self, 1, 1_000_000, 0).await,
            "counting-windowed" => flow::producers(self, 1, 1_000_000, 1000).await,
            "fan-in" => flow::producers(self, 60, 1_200_000, 0).await,
            "fan-in-windowed" => flow::producers(self, 60, 1_200_000, 100).await,
            "fork-join-throughput" => flow::fork_join_throughput(self).await,
            "fan-out" => flow::fan_out(self).await,
            "fork-join-create" => life::create(self).await,
            "churn" => life::churn(self).await,
            "idle-memory" => life::idle_memory(self).await,
            "chameneos" => mix::chameneos(self).await,
            "big" => mix::big(self).await,
            "parallel" => mix::parallel(self).await,
            _ => {
                eprintln!("bench_ractor: no workload \"{name}\"");
                std::process::exit(2);
            }
        }
        for cell in self.spawned.drain(..) {
            cell.stop(None);
        }
        if self.bytes > 0.0 {
            return self.bytes;
        }
        (self.ended - self.began).as_nanos() as f64 / self.units as f64
    }
}

async fn measure(name: String, scale: f64) -> f64 {
    let (sender, finished) = mpsc::unbounded_channel();
    FINISHED.set(sender).expect("main runs once");
    let now = Instant::now();
    let mut run = Run {
        scale,
        units: 0,
        bytes: 0.0,
        began: now,
        ended: now,
        finished,
        spawned: Vec::new(),
    };
    match name.as_str() {
        "counting" | "idle-memory" => {}
        "counting-warm" => {
            for _ in 0..3 {
                run.play(&name, scale).await;
            }
        }
        _ => {
            run.play(&name, scale * 0.1).await;
        }
    }
    run.play(&name, scale).await
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [name, workers, scale] = args.as_slice() else {
        eprintln!("usage: bench_ractor WORKLOAD WORKERS SCALE");
        std::process::exit(2);
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers.parse().expect("WORKERS is a number"))
        .enable_time()
        .build()
        .expect("the runtime starts");
    let scale = scale.parse().expect("SCALE is a number");
    // On a worker, as the actors are: block_on itself would use this thread besides.
    let task = runtime.spawn(measure(name.clone(), scale));
    println!("{:.4}", runtime.block_on(task).expect("the workload ends"));
    // The actors still running are no part of the figure.
    std::process::exit(0);
}
