//! Workloads with a busy middle: chameneos, big, parallel.

use crate::chain::{Finished, Referee};
use crate::{finish, Done, Run};
use ractor::{cast, Actor, ActorProcessingErr, ActorRef};
use std::hint::black_box;

// ---- Chameneos

struct Meet {
    colour: u32,
    from: ActorRef<CreatureMsg>,
}

enum CreatureMsg {
    Go,
    Met(u32),
}

struct Creature;

impl Actor for Creature {
    type Msg = CreatureMsg;
    type State = (ActorRef<Meet>, u32);
    type Arguments = Self::State;

    async fn pre_start(
        &self,
        _: ActorRef<CreatureMsg>,
        args: Self::State,
    ) -> Result<Self::State, ActorProcessingErr> {
        Ok(args)
    }

    async fn handle(
        &self,
        myself: ActorRef<CreatureMsg>,
        msg: CreatureMsg,
        (mall, colour): &mut Self::State,
    ) -> Done {
        if let CreatureMsg::Met(other) = msg {
            if other != *colour {
                *colour = 3 - *colour - other;
            }
        }
        cast!(
            mall,
            Meet {
                colour: *colour,
                from: myself
            }
        )?;
        Ok(())
    }
}

struct Mall;

struct MallState {
    left: u64,
    waiting: Option<Meet>,
}

impl Actor for Mall {
    type Msg = Meet;
    type State = MallState;
    type Arguments = u64;

    async fn pre_start(
        &self,
        _: ActorRef<Meet>,
        left: u64,
    ) -> Result<MallState, ActorProcessingErr> {
        Ok(MallState {
            left,
            waiting: None,
        })
    }

    async fn handle(&self, _: ActorRef<Meet>, msg: Meet, state: &mut MallState) -> Done {
        if state.left == 0 {
            return Ok(());
        }
        let Some(first) = state.waiting.take() else {
            state.waiting = Some(msg);
            return Ok(());
        };
        cast!(first.from, CreatureMsg::Met(msg.colour))?;
        cast!(msg.from, CreatureMsg::Met(first.colour))?;
        state.left -= 1;
        if state.left == 0 {
            finish();
        }
        Ok(())
    }
}

pub async fn chameneos(run: &mut Run) {
    let meetings = run.count(500_000, 1);
    let mall = run.spawn(Mall, meetings).await;
    let mut creatures = Vec::new();
    for i in 0..100 {
        creatures.push(run.spawn(Creature, (mall.clone(), i % 3)).await);
    }
    run.begin(meetings).await;
    for creature in &creatures {
        cast!(creature, CreatureMsg::Go).expect("alive");
    }
    run.wait().await;
}

// ---- Big

const BIG_ACTORS: u64 = 120;

enum BigMsg {
    All(Vec<ActorRef<BigMsg>>),
    Go,
    Ping(ActorRef<BigMsg>),
    Pong,
}

struct Big;

struct BigState {
    all: Vec<ActorRef<BigMsg>>,
    referee: ActorRef<Finished>,
    pings: u64,
    seed: u32,
}

impl BigState {
    fn ping(&mut self, myself: ActorRef<BigMsg>) -> Done {
        self.seed = self.seed.wrapping_mul(1664525).wrapping_add(1013904223);
        cast!(
            self.all[(self.seed >> 8) as usize % self.all.len()],
            BigMsg::Ping(myself)
        )?;
        Ok(())
    }
}

impl Actor for Big {
    type Msg = BigMsg;
    type State = BigState;
    type Arguments = BigState;

    async fn pre_start(
        &self,
        _: ActorRef<BigMsg>,
        args: BigState,
    ) -> Result<BigState, ActorProcessingErr> {
        Ok(args)
    }

    async fn handle(&self, myself: ActorRef<BigMsg>, msg: BigMsg, state: &mut BigState) -> Done {
        match msg {
            BigMsg::All(all) => state.all = all,
            BigMsg::Go => state.ping(myself)?,
            BigMsg::Ping(from) => cast!(from, BigMsg::Pong)?,
            BigMsg::Pong => {
                state.pings -= 1;
                if state.pings > 0 {
                    state.ping(myself)?;
                } else {
                    cast!(state.referee, Finished)?;
                }
            }
        }
        Ok(())
    }
}

pub async fn big(run: &mut Run) {
    let pings = run.count(2_400_000, 2 * BIG_ACTORS) / (2 * BIG_ACTORS);
    let referee = run.spawn(Referee, BIG_ACTORS).await;
    let mut all = Vec::new();
    for i in 0..BIG_ACTORS {
        let args = BigState {
            all: Vec::new(),
            referee: referee.clone(),
            pings,
            seed: i as u32 + 1,
        };
        all.push(run.spawn(Big, args).await);
    }
    for to in &all {
        cast!(to, BigMsg::All(all.clone())).expect("alive");
    }
    run.begin(pings * 2 * BIG_ACTORS).await;
    for to in &all {
        cast!(to, BigMsg::Go).expect("alive");
    }
    run.wait().await;
}

// ---- Parallel

const COMPUTERS: u64 = 64;
const COMPUTE_STEPS: u32 = 910;

struct Ball(u64);

struct Computer;

impl Actor for Computer {
    type Msg = Ball;
    type State = (ActorRef<Finished>, u32);
    type Arguments = ActorRef<Finished>;

    async fn pre_start(
        &self,
        _: ActorRef<Ball>,
        referee: ActorRef<Finished>,
    ) -> Result<Self::State, ActorProcessingErr> {
        Ok((referee, 0))
    }

    async fn handle(&self, myself: ActorRef<Ball>, msg: Ball, state: &mut Self::State) -> Done {
        let mut value = state.1;
        for _ in 0..COMPUTE_STEPS {
            // Opaque, or the compiler folds several steps into one.
            value = black_box(value.wrapping_mul(1664525)).wrapping_add(1013904223);
        }
        state.1 = value;
        if msg.0 == 0 {
            cast!(state.0, Finished)?;
        } else {
            cast!(myself, Ball(msg.0 - 1))?;
        }
        Ok(())
    }
}

pub async fn parallel(run: &mut Run) {
    let each = run.count(64_000, COMPUTERS) / COMPUTERS;
    let referee = run.spawn(Referee, COMPUTERS).await;
    let mut all = Vec::new();
    for _ in 0..COMPUTERS {
        all.push(run.spawn(Computer, referee.clone()).await);
    }
    run.begin(each * COMPUTERS).await;
    for to in &all {
        cast!(to, Ball(each - 1)).expect("alive");
    }
    run.wait().await;
}
