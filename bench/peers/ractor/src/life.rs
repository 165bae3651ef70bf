//! Workloads about actors coming and going: fork-join create, churn, memory.

use crate::{finish, Done, Run};
use ractor::{cast, Actor, ActorProcessingErr, ActorRef};
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts all children down.
static CHILDREN_LEFT: AtomicU64 = AtomicU64::new(0);

fn one_less() {
    if CHILDREN_LEFT.fetch_sub(1, Ordering::Relaxed) == 1 {
        finish();
    }
}

struct Ball(u64);

/// Handles one message and ends; or stays, as a sleeper.
struct Child {
    stays: bool,
}

impl Actor for Child {
    type Msg = Ball;
    type State = u64;
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Ball>, _: ()) -> Result<u64, ActorProcessingErr> {
        Ok(0)
    }

    async fn handle(&self, myself: ActorRef<Ball>, msg: Ball, handled: &mut u64) -> Done {
        *handled += msg.0 + 1;
        if !self.stays {
            myself.stop(None);
        }
        one_less();
        Ok(())
    }
}

struct Creator;

impl Actor for Creator {
    type Msg = ();
    type State = u64;
    type Arguments = u64;

    async fn pre_start(&self, _: ActorRef<()>, count: u64) -> Result<u64, ActorProcessingErr> {
        Ok(count)
    }

    async fn handle(&self, _: ActorRef<()>, _: (), count: &mut u64) -> Done {
        for i in 0..*count {
            let (child, _) = Actor::spawn(None, Child { stays: false }, ()).await?;
            cast!(child, Ball(i))?;
        }
        Ok(())
    }
}

pub async fn create(run: &mut Run) {
    let count = run.count(1_000_000, 1);
    CHILDREN_LEFT.store(count, Ordering::Relaxed);
    let creator = run.spawn(Creator, count).await;
    run.begin(count).await;
    cast!(creator, ()).expect("alive");
    run.wait().await;
}

// ---- Churn

struct Only {
    left: u64,
    from: ActorRef<BreederMsg>,
}

struct Mayfly;

impl Actor for Mayfly {
    type Msg = Only;
    type State = u64;
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Only>, _: ()) -> Result<u64, ActorProcessingErr> {
        Ok(0)
    }

    async fn handle(&self, myself: ActorRef<Only>, msg: Only, handled: &mut u64) -> Done {
        *handled += msg.left + 1;
        cast!(msg.from, BreederMsg::Done)?;
        myself.stop(None);
        Ok(())
    }
}

enum BreederMsg {
    Go,
    Done,
}

struct Breeder;

impl Actor for Breeder {
    type Msg = BreederMsg;
    type State = u64;
    type Arguments = u64;

    async fn pre_start(
        &self,
        _: ActorRef<BreederMsg>,
        count: u64,
    ) -> Result<u64, ActorProcessingErr> {
        Ok(count)
    }

    async fn handle(&self, myself: ActorRef<BreederMsg>, msg: BreederMsg, left: &mut u64) -> Done {
        if let BreederMsg::Done = msg {
            *left -= 1;
            if *left == 0 {
                finish();
                return Ok(());
            }
        }
        let (child, _) = Actor::spawn(None, Mayfly, ()).await?;
        cast!(
            child,
            Only {
                left: *left,
                from: myself
            }
        )?;
        Ok(())
    }
}

pub async fn churn(run: &mut Run) {
    let count = run.count(1_000_000, 1);
    let breeder = run.spawn(Breeder, count).await;
    run.begin(count).await;
    cast!(breeder, BreederMsg::Go).expect("alive");
    run.wait().await;
}

// ---- Memory of idle actors that have handled one message

fn resident() -> f64 {
    let text = std::fs::read_to_string("/proc/self/statm").expect("/proc is there");
    let pages: f64 = text
        .split(' ')
        .nth(1)
        .and_then(|n| n.parse().ok())
        .expect("two numbers");
    pages * 4096.0
}

pub async fn idle_memory(run: &mut Run) {
    let count = run.count(1_000_000, 1);
    CHILDREN_LEFT.store(count, Ordering::Relaxed);
    let before = resident();
    for i in 0..count {
        let child = run.spawn(Child { stays: true }, ()).await;
        cast!(child, Ball(i)).expect("alive");
    }
    run.wait().await;
    run.bytes = (resident() - before) / count as f64;
}
