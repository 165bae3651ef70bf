%% The benchmark between two Erlang nodes: see bench/remote/README.md.
%%
%%   erl … -s bench_remote -extra serve
%%   erl … -s bench_remote -extra run NODE      then lines WORKLOAD SIZE PAIRS COUNT
-module(bench_remote).
-export([start/0]).

-define(WINDOW, 1000).

start() ->
    case init:get_plain_arguments() of
        ["serve"] -> serve();
        ["run", Node] -> run(list_to_atom(Node))
    end.

name(Kind, Number) -> list_to_atom(Kind ++ integer_to_list(Number)).

serve() ->
    [register(name("sink", I), spawn(fun sink/0)) || I <- lists:seq(0, 99)],
    [register(name("echo", I), spawn(fun echo/0)) || I <- lists:seq(0, 99)],
    io:format("ready ~s~n", [node()]),
    eof = io:get_line(""),
    halt(0).

%% Counts what comes, and answers when as many have come as it was told.
sink() ->
    receive
        {count, From, Count} ->
            sink(Count),
            From ! done,
            sink()
    end.

sink(0) -> ok;
sink(Left) -> receive {load, _} -> sink(Left - 1); nothing -> sink(Left - 1) end.

echo() ->
    receive
        {From, Message} ->
            From ! {self(), Message},
            echo()
    end.

message(0) -> nothing;
message(Size) -> {load, binary:copy(<<0>>, Size)}.

run(Node) ->
    pong = net_adm:ping(Node),
    io:format("ready ~s~n", [node()]),
    lines(Node).

lines(Node) ->
    case io:get_line("") of
        eof ->
            halt(0);
        Line ->
            [Workload | Numbers] = string:lexemes(Line, " \n"),
            [Size, Pairs, Count] = [list_to_integer(N) || N <- Numbers],
            Began = erlang:monotonic_time(nanosecond),
            Each = Count div Pairs,
            Self = self(),
            [spawn(fun() -> task(Workload, Node, I, Size, Each, Pairs), Self ! finished end)
             || I <- lists:seq(0, Pairs - 1)],
            [receive finished -> ok end || _ <- lists:seq(1, Pairs)],
            Took = erlang:monotonic_time(nanosecond) - Began,
            io:format("end ~.9f ~b~n", [Took / 1.0e9, Each * Pairs]),
            lines(Node)
    end.

task("stream", Node, I, Size, Count, _Pairs) ->
    To = {name("sink", I), Node},
    To ! {count, self(), Count},
    stream(To, message(Size), Count),
    receive done -> ok end;
task(Workload, Node, I, Size, Count, Pairs) ->
    To = {name("echo", I), Node},
    AtOnce = case Workload of "window" -> ?WINDOW div Pairs; "ask" -> 1 end,
    Message = {self(), message(Size)},
    [To ! Message || _ <- lists:seq(1, min(AtOnce, Count))],
    ask(To, Message, max(0, Count - AtOnce), Count).

stream(_, _, 0) -> ok;
stream(To, Message, Left) ->
    To ! Message,
    stream(To, Message, Left - 1).

ask(_, _, _, 0) -> ok;
ask(To, Message, ToSend, Left) ->
    receive
        {_, _} when ToSend > 0 ->
            To ! Message,
            ask(To, Message, ToSend - 1, Left - 1);
        {_, _} ->
            ask(To, Message, 0, Left - 1)
    end.
