%% Plays one of the workloads of bench/README.md in Erlang/OTP and prints nanoseconds per
%% unit (bytes per actor for idle-memory).
%%
%%   erl +S WORKERS:WORKERS -noshell -s bench -extra WORKLOAD SCALE
-module(bench).
-export([start/0]).

-define(COMPUTE_NS, 1000).

start() ->
    [Name, ScaleText] = init:get_plain_arguments(),
    Scale = number(ScaleText),
    case workload(Name) of
        none ->
            io:format(standard_error, "bench: no workload \"~s\"~n", [Name]),
            halt(2);
        {Play, WarmRounds, WarmScale} ->
            put(steps, calibrate(Name)),
            [play(Play, Scale * WarmScale) || WarmScale > 0],
            [play(Play, Scale) || _ <- lists:seq(1, WarmRounds)],
            io:format("~.4f~n", [play(Play, Scale)]),
            halt(0)
    end.

number(Text) ->
    try list_to_float(Text) catch error:badarg -> float(list_to_integer(Text)) end.

workload("ping-pong") -> {fun(S) -> rings(S, 2, 1) end, 0, 0.1};
workload("pairs") -> {fun(S) -> rings(S, 2, 1000) end, 0, 0.1};
workload("ring-100") -> {fun(S) -> rings(S, 100, 1) end, 0, 0.1};
workload("ring-503") -> {fun(S) -> rings(S, 503, 1) end, 0, 0.1};
workload("counting") -> {fun(S) -> producers(S, 1, 1000000, 0) end, 0, 0};
workload("counting-warm") -> {fun(S) -> producers(S, 1, 1000000, 0) end, 3, 0};
workload("counting-windowed") -> {fun(S) -> producers(S, 1, 1000000, 1000) end, 0, 0.1};
workload("fork-join-throughput") -> {fun fork_join_throughput/1, 0, 0.1};
workload("fork-join-create") -> {fun fork_join_create/1, 0, 0.1};
workload("churn") -> {fun churn/1, 0, 0.1};
workload("chameneos") -> {fun chameneos/1, 0, 0.1};
workload("big") -> {fun big/1, 0, 0.1};
workload("fan-in") -> {fun(S) -> producers(S, 60, 1200000, 0) end, 0, 0.1};
workload("fan-in-windowed") -> {fun(S) -> producers(S, 60, 1200000, 100) end, 0, 0.1};
workload("fan-out") -> {fun fan_out/1, 0, 0.1};
workload("ask") -> {fun ask/1, 0, 0.1};
workload("idle-memory") -> {fun idle_memory/1, 0, 0};
workload("parallel") -> {fun parallel/1, 0, 0.1};
workload(_) -> none.

%% Plays one round: the workload returns {Units, Began, Ended} or {bytes, PerActor}, and
%% its processes end with the process that started them.
play(Play, Scale) ->
    put(spawned, []),
    Result = Play(Scale),
    [exit(Pid, kill) || Pid <- get(spawned)],
    case Result of
        {bytes, Bytes} -> float(Bytes);
        {Units, Began, Ended} -> (Ended - Began) / Units
    end.

spawned(Fun) ->
    Pid = spawn(Fun),
    put(spawned, [Pid | get(spawned)]),
    Pid.

count(Base, Scale, Least) -> max(trunc(Base * Scale), Least).

%% The clock starts once the processes that were set up are at rest.
now_begin() ->
    timer:sleep(50),
    erlang:monotonic_time(nanosecond).

finish(Main) -> Main ! {finished, erlang:monotonic_time(nanosecond)}.

await(Units, Began) ->
    receive {finished, Ended} -> {Units, Began, Ended} end.

referee(Main, 0) -> finish(Main);
referee(Main, Left) -> receive done -> referee(Main, Left - 1) end.

spawn_referee(Expected) ->
    Main = self(),
    spawned(fun() -> referee(Main, Expected) end).

%% ---- Ping-pong, pairs and rings

player(Next, Referee) ->
    receive
        {ball, 0} -> Referee ! done, player(Next, Referee);
        {ball, Left} -> Next ! {ball, Left - 1}, player(Next, Referee);
        {peer, Pid} -> player(Pid, Referee)
    end.

rings(Scale, Size, Count) ->
    Each = count(4000000, Scale, Count) div Count,
    Referee = spawn_referee(Count),
    Firsts = [spawn_ring(Size, Referee) || _ <- lists:seq(1, Count)],
    Began = now_begin(),
    [First ! {ball, Each - 1} || First <- Firsts],
    await(Each * Count, Began).

spawn_ring(Size, Referee) ->
    First = spawned(fun() -> player(none, Referee) end),
    Last = lists:foldl(
        fun(_, Last) ->
            Next = spawned(fun() -> player(none, Referee) end),
            Last ! {peer, Next},
            Next
        end, First, lists:seq(2, Size)),
    Last ! {peer, First},
    First.

%% ---- Ask: a call with a reference, a monitor and a time limit, as gen_server:call

server(Asked) ->
    receive
        {call, {From, Reference}, {question, Value}} ->
            From ! {Reference, {answer, Value + 1}},
            server(Asked + 1)
    end.

call(Server, Question) ->
    Reference = erlang:monitor(process, Server, [{alias, reply_demonitor}]),
    Server ! {call, {Reference, Reference}, Question},
    receive
        {Reference, Answer} -> Answer;
        {'DOWN', Reference, _, _, Reason} -> exit(Reason)
    after 30000 -> exit(timeout)
    end.

client(Server, RoundTrips, Main) ->
    receive go -> client(Server, 0, RoundTrips, Main) end.

client(_, RoundTrips, RoundTrips, Main) -> finish(Main);
client(Server, Value, RoundTrips, Main) ->
    {answer, Next} = call(Server, {question, Value}),
    client(Server, Next, RoundTrips, Main).

ask(Scale) ->
    Count = count(2000000, Scale, 1),
    Main = self(),
    Server = spawned(fun() -> server(0) end),
    Client = spawned(fun() -> client(Server, Count, Main) end),
    Began = now_begin(),
    Client ! go,
    await(Count, Began).

%% ---- Counting and fan-in

sink(Main, 0) -> finish(Main);
sink(Main, Left) ->
    receive
        {item, _, none} -> sink(Main, Left - 1);
        {item, Number, From} -> From ! {accepted, Number}, sink(Main, Left - 1)
    end.

producer(Sink, Count, Window) ->
    receive
        go -> produce(Sink, Count, Window, 0);
        {accepted, Number} -> produce(Sink, Count, Window, Number)
    end,
    producer(Sink, Count, Window).

produce(Sink, Count, 0, Sent) -> send_items(Sink, Sent + 1, Count, Count);
produce(Sink, Count, Window, Sent) ->
    send_items(Sink, Sent + 1, min(Sent + Window, Count), Count).

send_items(Sink, Last, Last, Count) when Last < Count -> Sink ! {item, Last, self()};
send_items(_, Number, Last, _) when Number > Last -> ok;
send_items(Sink, Number, Last, Count) ->
    Sink ! {item, Number, none},
    send_items(Sink, Number + 1, Last, Count).

producers(Scale, Producers, Messages, Window) ->
    Main = self(),
    Each = count(Messages, Scale, Producers) div Producers,
    Total = Each * Producers,
    Sink = spawned(fun() -> sink(Main, Total) end),
    Pids = [spawned(fun() -> producer(Sink, Each, Window) end) || _ <- lists:seq(1, Producers)],
    Began = now_begin(),
    [Pid ! go || Pid <- Pids],
    await(Total, Began).

%% ---- Fork-join throughput

worker(Referee, Sum) ->
    receive
        {ball, 0} -> Referee ! done, worker(Referee, Sum);
        {ball, Left} -> worker(Referee, Sum + Left)
    end.

deal(_, 0) -> ok;
deal(Workers, Left) ->
    [Worker ! {ball, Left - 1} || Worker <- Workers],
    deal(Workers, Left - 1).

fork_join_throughput(Scale) ->
    Each = count(1200000, Scale, 60) div 60,
    Referee = spawn_referee(60),
    Workers = [spawned(fun() -> worker(Referee, 0) end) || _ <- lists:seq(1, 60)],
    Dealer = spawned(fun() -> receive go -> deal(Workers, Each) end end),
    Began = now_begin(),
    Dealer ! go,
    await(Each * 60, Began).

%% ---- Fan-out

echo(Count) -> receive {ball, From, _} -> From ! done, echo(Count + 1) end.

source(_, 0, Main) -> finish(Main);
source(Sinks, Rounds, Main) ->
    Self = self(),
    [Sink ! {ball, Self, Rounds} || Sink <- Sinks],
    wait_done(length(Sinks)),
    source(Sinks, Rounds - 1, Main).

wait_done(0) -> ok;
wait_done(Left) -> receive done -> wait_done(Left - 1) end.

fan_out(Scale) ->
    Main = self(),
    Rounds = count(2000000, Scale, 2000) div 2000,
    Sinks = [spawned(fun() -> echo(0) end) || _ <- lists:seq(1, 1000)],
    Source = spawned(fun() -> receive go -> source(Sinks, Rounds, Main) end end),
    Began = now_begin(),
    Source ! go,
    await(Rounds * 2000, Began).

%% ---- Fork-join create and churn

child(Left, Main) ->
    receive
        {ball, _} ->
            case atomics:sub_get(Left, 1, 1) of
                0 -> finish(Main);
                _ -> ok
            end
    end.

create(Count, Count, _, _) -> ok;
create(I, Count, Left, Main) ->
    Child = spawn(fun() -> child(Left, Main) end),
    Child ! {ball, I},
    create(I + 1, Count, Left, Main).

fork_join_create(Scale) ->
    Main = self(),
    Count = count(1000000, Scale, 1),
    Left = atomics:new(1, []),
    atomics:put(Left, 1, Count),
    Creator = spawned(fun() -> receive go -> create(0, Count, Left, Main) end end),
    Began = now_begin(),
    Creator ! go,
    await(Count, Began).

mayfly() -> receive {ball, From, _} -> From ! done end.

breed(0, Main) -> finish(Main);
breed(Left, Main) ->
    Child = spawn(fun mayfly/0),
    Child ! {ball, self(), Left},
    receive done -> breed(Left - 1, Main) end.

churn(Scale) ->
    Main = self(),
    Count = count(1000000, Scale, 1),
    Breeder = spawned(fun() -> receive go -> breed(Count, Main) end end),
    Began = now_begin(),
    Breeder ! go,
    await(Count, Began).

%% ---- Chameneos

creature(Mall, Colour) ->
    receive
        go ->
            Mall ! {meet, self(), Colour},
            creature(Mall, Colour);
        {met, Other} ->
            New = mix(Colour, Other),
            Mall ! {meet, self(), New},
            creature(Mall, New)
    end.

mix(Colour, Colour) -> Colour;
mix(Colour, Other) -> 3 - Colour - Other.

%% Closed: whoever comes now waits for ever.
mall(0, Main) -> finish(Main), receive stop -> ok end;
mall(Left, Main) ->
    receive
        {meet, First, FirstColour} ->
            receive
                {meet, Second, SecondColour} ->
                    First ! {met, SecondColour},
                    Second ! {met, FirstColour},
                    mall(Left - 1, Main)
            end
    end.

chameneos(Scale) ->
    Main = self(),
    Meetings = count(500000, Scale, 1),
    Mall = spawned(fun() -> mall(Meetings, Main) end),
    Creatures = [spawned(fun() -> creature(Mall, I rem 3) end) || I <- lists:seq(0, 99)],
    Began = now_begin(),
    [Creature ! go || Creature <- Creatures],
    await(Meetings, Began).

%% ---- Big

big_actor(All, Referee, Pings, Seed) ->
    receive
        go ->
            big_actor(All, Referee, Pings, big_ping(All, Seed));
        {ping, From} ->
            From ! pong,
            big_actor(All, Referee, Pings, Seed);
        pong when Pings =:= 1 ->
            Referee ! done,
            big_actor(All, Referee, 0, Seed);
        pong ->
            big_actor(All, Referee, Pings - 1, big_ping(All, Seed));
        {all, Pids} ->
            big_actor(Pids, Referee, Pings, Seed)
    end.

big_ping(All, Seed) ->
    Next = (Seed * 1664525 + 1013904223) band 16#ffffffff,
    element((Next bsr 8) rem tuple_size(All) + 1, All) ! {ping, self()},
    Next.

big(Scale) ->
    Pings = count(2400000, Scale, 240) div 240,
    Referee = spawn_referee(120),
    Pids = [spawned(fun() -> big_actor({}, Referee, Pings, I) end) || I <- lists:seq(1, 120)],
    All = list_to_tuple(Pids),
    [Pid ! {all, All} || Pid <- Pids],
    Began = now_begin(),
    [Pid ! go || Pid <- Pids],
    await(Pings * 240, Began).

%% ---- Parallel: a microsecond of work, in as many steps as this machine does in it

compute(0, Value) -> Value;
compute(Left, Value) -> compute(Left - 1, (Value * 1664525 + 1013904223) band 16#ffffffff).

calibrate("parallel") ->
    Steps = 1000000,
    Fastest = lists:min([element(1, timer:tc(fun() -> compute(Steps, 1) end)) || _ <- lists:seq(1, 9)]),
    max(1, round(Steps * ?COMPUTE_NS / (Fastest * 1000)));
calibrate(_) -> 0.

computer(Steps, Referee, Value) ->
    receive
        {ball, Left} ->
            New = compute(Steps, Value),
            case Left of
                0 -> Referee ! done;
                _ -> self() ! {ball, Left - 1}
            end,
            computer(Steps, Referee, New)
    end.

parallel(Scale) ->
    Steps = get(steps),
    Each = count(64000, Scale, 64) div 64,
    Referee = spawn_referee(64),
    Pids = [spawned(fun() -> computer(Steps, Referee, 1) end) || _ <- lists:seq(1, 64)],
    Began = now_begin(),
    [Pid ! {ball, Each - 1} || Pid <- Pids],
    await(Each * 64, Began).

%% ---- Memory of idle processes that have handled one message

sleeper(Handled, Referee) ->
    receive {ball, Value} -> Referee ! done, sleeper(Handled + Value + 1, Referee) end.

idle_memory(Scale) ->
    Count = count(1000000, Scale, 1),
    Referee = spawn_referee(Count),
    erlang:garbage_collect(),
    Before = erlang:memory(processes_used),
    Pids = spawn_sleepers(Count, Referee, []),
    receive {finished, _} -> ok end,
    After = erlang:memory(processes_used),
    [exit(Pid, kill) || Pid <- Pids],
    {bytes, (After - Before) / Count}.

spawn_sleepers(0, _, Pids) -> Pids;
spawn_sleepers(Left, Referee, Pids) ->
    Pid = spawn(fun() -> sleeper(0, Referee) end),
    Pid ! {ball, Left},
    spawn_sleepers(Left - 1, Referee, [Pid | Pids]).
