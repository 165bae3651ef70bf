//! Workloads in which many messages are under way: counting, fork-join throughput, fan-in,
//! fan-out.

use crate::chain::{Finished, Referee};
use crate::{finish, Done, Run};
use ractor::{cast, Actor, ActorProcessingErr, ActorRef};

// ---- Counting and fan-in

/// The producer to acknowledge to comes along where it waits.
struct Item {
    number: u64,
    ack: Option<ActorRef<ProducerMsg>>,
}

struct Sink;

impl Actor for Sink {
    type Msg = Item;
    type State = u64;
    type Arguments = u64;

    async fn pre_start(&self, _: ActorRef<Item>, total: u64) -> Result<u64, ActorProcessingErr> {
        Ok(total)
    }

    async fn handle(&self, _: ActorRef<Item>, msg: Item, left: &mut u64) -> Done {
        if let Some(producer) = msg.ack {
            cast!(producer, ProducerMsg::Accepted(msg.number))?;
        }
        *left -= 1;
        if *left == 0 {
            finish();
        }
        Ok(())
    }
}

enum ProducerMsg {
    Go,
    Accepted(u64),
}

struct Producer;

struct ProducerState {
    sink: ActorRef<Item>,
    count: u64,
    window: u64,
}

impl Actor for Producer {
    type Msg = ProducerMsg;
    type State = ProducerState;
    type Arguments = ProducerState;

    async fn pre_start(
        &self,
        _: ActorRef<ProducerMsg>,
        args: ProducerState,
    ) -> Result<ProducerState, ActorProcessingErr> {
        Ok(args)
    }

    async fn handle(
        &self,
        myself: ActorRef<ProducerMsg>,
        msg: ProducerMsg,
        state: &mut ProducerState,
    ) -> Done {
        let sent = match msg {
            ProducerMsg::Go => 0,
            ProducerMsg::Accepted(number) => number,
        };
        let mut last = state.count;
        if state.window > 0 {
            last = last.min(sent + state.window);
        }
        for number in sent + 1..=last {
            let wait = number == last && last < state.count;
            let ack = wait.then(|| myself.clone());
            cast!(state.sink, Item { number, ack })?;
        }
        Ok(())
    }
}

pub async fn producers(run: &mut Run, count: u64, messages: u64, window: u64) {
    let each = run.count(messages, count) / count;
    let sink = run.spawn(Sink, each * count).await;
    let mut all = Vec::new();
    for _ in 0..count {
        let args = ProducerState {
            sink: sink.clone(),
            count: each,
            window,
        };
        all.push(run.spawn(Producer, args).await);
    }
    run.begin(each * count).await;
    for producer in &all {
        cast!(producer, ProducerMsg::Go).expect("alive");
    }
    run.wait().await;
}

// ---- Fork-join throughput

struct Ball(u64);

struct Worker;

impl Actor for Worker {
    type Msg = Ball;
    type State = (ActorRef<Finished>, u64);
    type Arguments = ActorRef<Finished>;

    async fn pre_start(
        &self,
        _: ActorRef<Ball>,
        referee: ActorRef<Finished>,
    ) -> Result<Self::State, ActorProcessingErr> {
        Ok((referee, 0))
    }

    async fn handle(&self, _: ActorRef<Ball>, msg: Ball, state: &mut Self::State) -> Done {
        state.1 += msg.0;
        if msg.0 == 0 {
            cast!(state.0, Finished)?;
        }
        Ok(())
    }
}

struct Dealer;

impl Actor for Dealer {
    type Msg = ();
    type State = (Vec<ActorRef<Ball>>, u64);
    type Arguments = Self::State;

    async fn pre_start(
        &self,
        _: ActorRef<()>,
        args: Self::State,
    ) -> Result<Self::State, ActorProcessingErr> {
        Ok(args)
    }

    async fn handle(&self, _: ActorRef<()>, _: (), state: &mut Self::State) -> Done {
        for left in (0..state.1).rev() {
            for worker in &state.0 {
                cast!(worker, Ball(left))?;
            }
        }
        Ok(())
    }
}

pub async fn fork_join_throughput(run: &mut Run) {
    let each = run.count(1_200_000, 60) / 60;
    let referee = run.spawn(Referee, 60).await;
    let mut workers = Vec::new();
    for _ in 0..60 {
        workers.push(run.spawn(Worker, referee.clone()).await);
    }
    let dealer = run.spawn(Dealer, (workers, each)).await;
    run.begin(each * 60).await;
    cast!(dealer, ()).expect("alive");
    run.wait().await;
}

// ---- Fan-out

struct Request {
    _rounds_left: u64,
    from: ActorRef<SourceMsg>,
}

struct Echo;

impl Actor for Echo {
    type Msg = Request;
    type State = u64;
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Request>, _: ()) -> Result<u64, ActorProcessingErr> {
        Ok(0)
    }

    async fn handle(&self, _: ActorRef<Request>, msg: Request, count: &mut u64) -> Done {
        *count += 1;
        cast!(msg.from, SourceMsg::Done)?;
        Ok(())
    }
}

enum SourceMsg {
    Go,
    Done,
}

struct Source;

struct SourceState {
    sinks: Vec<ActorRef<Request>>,
    rounds: u64,
    waiting: usize,
}

impl Actor for Source {
    type Msg = SourceMsg;
    type State = SourceState;
    type Arguments = SourceState;

    async fn pre_start(
        &self,
        _: ActorRef<SourceMsg>,
        args: SourceState,
    ) -> Result<SourceState, ActorProcessingErr> {
        Ok(args)
    }

    async fn handle(
        &self,
        myself: ActorRef<SourceMsg>,
        msg: SourceMsg,
        state: &mut SourceState,
    ) -> Done {
        if let SourceMsg::Done = msg {
            state.waiting -= 1;
            if state.waiting > 0 {
                return Ok(());
            }
            state.rounds -= 1;
            if state.rounds == 0 {
                finish();
                return Ok(());
            }
        }
        state.waiting = state.sinks.len();
        for sink in &state.sinks {
            cast!(
                sink,
                Request {
                    _rounds_left: state.rounds,
                    from: myself.clone()
                }
            )?;
        }
        Ok(())
    }
}

pub async fn fan_out(run: &mut Run) {
    let rounds = run.count(2_000_000, 2000) / 2000;
    let mut sinks = Vec::new();
    for _ in 0..1000 {
        sinks.push(run.spawn(Echo, ()).await);
    }
    let source = run
        .spawn(
            Source,
            SourceState {
                sinks,
                rounds,
                waiting: 0,
            },
        )
        .await;
    run.begin(rounds * 2000).await;
    cast!(source, SourceMsg::Go).expect("alive");
    run.wait().await;
}
