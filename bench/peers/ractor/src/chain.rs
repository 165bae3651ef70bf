//! Workloads in which one message is under way per chain: ping-pong, pairs, rings, ask.

use crate::{finish, Done, Run};
use ractor::{call_t, cast, Actor, ActorProcessingErr, ActorRef, RpcReplyPort};

pub struct Finished;

/// Counts `Finished` messages and finishes the round at the given number.
pub struct Referee;

impl Actor for Referee {
    type Msg = Finished;
    type State = u64;
    type Arguments = u64;

    async fn pre_start(&self, _: ActorRef<Finished>, n: u64) -> Result<u64, ActorProcessingErr> {
        Ok(n)
    }

    async fn handle(&self, _: ActorRef<Finished>, _: Finished, left: &mut u64) -> Done {
        *left -= 1;
        if *left == 0 {
            finish();
        }
        Ok(())
    }
}

pub enum PlayerMsg {
    Ball(u64),
    Peer(ActorRef<PlayerMsg>),
}

struct Player;

struct PlayerState {
    next: Option<ActorRef<PlayerMsg>>,
    referee: ActorRef<Finished>,
}

impl Actor for Player {
    type Msg = PlayerMsg;
    type State = PlayerState;
    type Arguments = ActorRef<Finished>;

    async fn pre_start(
        &self,
        _: ActorRef<PlayerMsg>,
        referee: ActorRef<Finished>,
    ) -> Result<PlayerState, ActorProcessingErr> {
        Ok(PlayerState {
            next: None,
            referee,
        })
    }

    async fn handle(
        &self,
        _: ActorRef<PlayerMsg>,
        msg: PlayerMsg,
        state: &mut PlayerState,
    ) -> Done {
        match msg {
            PlayerMsg::Ball(0) => cast!(state.referee, Finished)?,
            PlayerMsg::Ball(left) => {
                let next = state.next.as_ref().expect("linked");
                cast!(next, PlayerMsg::Ball(left - 1))?
            }
            PlayerMsg::Peer(next) => state.next = Some(next),
        }
        Ok(())
    }
}

pub async fn rings(run: &mut Run, size: u64, count: u64) {
    let each = run.count(4_000_000, count) / count;
    let referee = run.spawn(Referee, count).await;
    let mut firsts = Vec::new();
    for _ in 0..count {
        let first = run.spawn(Player, referee.clone()).await;
        let mut last = first.clone();
        for _ in 1..size {
            let next = run.spawn(Player, referee.clone()).await;
            cast!(last, PlayerMsg::Peer(next.clone())).expect("alive");
            last = next;
        }
        cast!(last, PlayerMsg::Peer(first.clone())).expect("alive");
        firsts.push(first);
    }
    run.begin(each * count).await;
    for first in &firsts {
        cast!(first, PlayerMsg::Ball(each - 1)).expect("alive");
    }
    run.wait().await;
    // Rings hold themselves: untie them.
    for first in firsts {
        first.stop(None);
    }
}

// ---- Ask

struct Question(u64, RpcReplyPort<u64>);

struct Server;

impl Actor for Server {
    type Msg = Question;
    type State = u64;
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Question>, _: ()) -> Result<u64, ActorProcessingErr> {
        Ok(0)
    }

    async fn handle(&self, _: ActorRef<Question>, msg: Question, asked: &mut u64) -> Done {
        *asked += 1;
        msg.1.send(msg.0 + 1)?;
        Ok(())
    }
}

struct Client;

impl Actor for Client {
    type Msg = ();
    type State = (ActorRef<Question>, u64);
    type Arguments = (ActorRef<Question>, u64);

    async fn pre_start(
        &self,
        _: ActorRef<()>,
        args: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        Ok(args)
    }

    async fn handle(&self, _: ActorRef<()>, _: (), state: &mut Self::State) -> Done {
        let mut value = 0;
        while value < state.1 {
            value = call_t!(state.0, Question, 30_000, value)?;
        }
        finish();
        Ok(())
    }
}

pub async fn ask(run: &mut Run) {
    let count = run.count(2_000_000, 1);
    let server = run.spawn(Server, ()).await;
    let client = run.spawn(Client, (server, count)).await;
    run.begin(count).await;
    cast!(client, ()).expect("alive");
    run.wait().await;
}
