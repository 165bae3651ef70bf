%% overload_erlang.erl - Erlang under ten times the load it can take: the phases of overload.h.
-module(overload_erlang).
-export([main/1]).

-define(WINDOW_NS, 250000000).
-define(BUCKETS, 640).
-define(STEPS, 16).
-define(ROW, (4 + 2 * ?BUCKETS)). % offered, done, controls, rss, latencies, controls' latencies

now_ns() -> erlang:monotonic_time(nanosecond).

bucket(Us) when Us < ?STEPS -> max(Us, 0);
bucket(Us) ->
    D = high_bit(Us, 0) - 4,
    min((D + 1) * ?STEPS + (Us bsr D) - ?STEPS, ?BUCKETS - 1).

high_bit(1, N) -> N;
high_bit(V, N) -> high_bit(V bsr 1, N + 1).

top(B) when B < ?STEPS -> B;
top(B) -> ((?STEPS + B rem ?STEPS + 1) bsl (B div ?STEPS - 1)) - 1.

row(Start, Max, Now) -> min((Now - Start) div ?WINDOW_NS, Max - 1) * ?ROW.

spin(End) ->
    case now_ns() of
        Now when Now < End -> spin(End);
        Now -> Now
    end.

server(C, Done, Start, Max, Work) ->
    receive
        {work, Sent} ->
            Now = spin(now_ns() + Work),
            Row = row(Start, Max, Now),
            counters:add(C, Row + 2, 1),
            counters:add(C, Row + 5 + bucket((Now - Sent) div 1000), 1),
            counters:add(Done, 1, 1);
        {control, Sent} ->
            Now = now_ns(),
            Row = row(Start, Max, Now),
            counters:add(C, Row + 3, 1),
            counters:add(C, Row + 5 + ?BUCKETS + bucket((Now - Sent) div 1000), 1)
    end,
    server(C, Done, Start, Max, Work).

rss() ->
    {ok, Bin} = file:read_file("/proc/self/statm"),
    [_, Pages | _] = binary:split(Bin, <<" ">>, [global]),
    binary_to_integer(Pages) * 4096.

%% One phase; Rate 0: eight messages at a time.
drive(S = #{start := Start, max := Max}, Seconds, Rate) ->
    Now = now_ns(),
    loop(S, Rate, Now + Seconds * 1000000000, Now, float(Now), row(Start, Max, Now) - 1,
         counters:get(maps:get(done, S), 1)).

loop(S = #{c := C, server := Server, start := Start, max := Max, done := Done}, Rate, End,
     Control, Next, Seen, Sent) ->
    Now = now_ns(),
    if
        Now >= End -> ok;
        true ->
            Row = row(Start, Max, Now),
            if Row =/= Seen -> counters:put(C, Row + 4, rss()); true -> ok end,
            Control1 = if Now >= Control -> Server ! {control, Now}, Control + 10000000;
                          true -> Control end,
            case Rate of
                0 ->
                    case Sent - counters:get(Done, 1) < 8 of
                        true ->
                            Server ! {work, Now},
                            counters:add(C, Row + 1, 1),
                            loop(S, Rate, End, Control1, Next, Row, Sent + 1);
                        false -> loop(S, Rate, End, Control1, Next, Row, Sent)
                    end;
                _ when Now >= Next ->
                    Server ! {work, Now},
                    counters:add(C, Row + 1, 1),
                    Next1 = Next - math:log(1.0 - rand:uniform()) * 1.0e9 / Rate,
                    loop(S, Rate, End, Control1, Next1, Row, Sent);
                _ -> loop(S, Rate, End, Control1, Next, Row, Sent)
            end
    end.

sum(C, Rows, Offset) -> lists:sum([counters:get(C, R * ?ROW + Offset) || R <- Rows]).

quantile(C, Rows, Base, Q) ->
    Buckets = [{B, sum(C, Rows, Base + B)} || B <- lists:seq(0, ?BUCKETS - 1)],
    Count = lists:sum([N || {_, N} <- Buckets]),
    quantile(Buckets, ceil(Count * Q)).

quantile(_, 0) -> 0;
quantile([{B, N} | _], Want) when N >= Want -> top(B);
quantile([{_, N} | Rest], Want) -> quantile(Rest, Want - N);
quantile([], _) -> 0.

phase(C, {Name, Seconds, Rows}) ->
    io_lib:format("{\"phase\":\"~s\",\"seconds\":~b,\"offered\":~b,\"done\":~b,\"p50_us\":~b,"
                  "\"p99_us\":~b,\"control_p99_us\":~b,\"controls\":~b,\"rss\":~b}",
                  [Name, Seconds, sum(C, Rows, 1), sum(C, Rows, 2), quantile(C, Rows, 5, 0.5),
                   quantile(C, Rows, 5, 0.99), quantile(C, Rows, 5 + ?BUCKETS, 0.99),
                   sum(C, Rows, 3), lists:max([counters:get(C, R * ?ROW + 4) || R <- Rows])]).

main([WorkArg, SecondsArg]) ->
    Work = list_to_integer(WorkArg) * 1000,
    Overload = list_to_integer(SecondsArg),
    {Peak, Normal} = if Overload < 10 -> {1, 2}; true -> {4, 10} end,
    Max = (Peak + 2 * Normal + Overload + 2) * 4,
    C = counters:new(Max * ?ROW, [write_concurrency]),
    Done = counters:new(1, [atomics]),
    Start = now_ns(),
    Server = spawn(fun() -> server(C, Done, Start, Max, Work) end),
    S = #{c => C, server => Server, start => Start, max => Max, done => Done},
    drive(S, Peak, 0),
    Rate = sum(C, lists:seq(0, Peak * 4 - 1), 2) / Peak,
    drive(S, Normal, Rate * 0.8),
    drive(S, Overload, Rate * 10),
    drive(S, Normal, Rate * 0.8),
    A = Peak * 4, B = A + Normal * 4, D = B + Overload * 4, E = D + Normal * 4,
    Phases = [{"peak", Peak, lists:seq(0, A - 1)}, {"normal", Normal, lists:seq(A, B - 1)},
              {"overload", Overload, lists:seq(B, D - 1)},
              {"recovery", Normal, lists:seq(D, E - 1)}],
    Of = fun(R) when R < A -> 0; (R) when R < B -> 1; (R) when R < D -> 2; (_) -> 3 end,
    io:format("{\"system\":\"erlang\",\"work_us\":~b,\"window_ms\":250,\"peak\":~b,\"phases\":[~s],"
              "\"windows\":[~s]}~n",
              [Work div 1000, round(Rate), lists:join(",", [phase(C, P) || P <- Phases]),
               lists:join(",", [io_lib:format("[~b,~b,~b,~b,~b,~b]",
                   [Of(R), counters:get(C, R * ?ROW + 1), counters:get(C, R * ?ROW + 2),
                    quantile(C, [R], 5, 0.99), quantile(C, [R], 5 + ?BUCKETS, 0.99),
                    counters:get(C, R * ?ROW + 4)]) || R <- lists:seq(0, E - 1)])]),
    erlang:halt(0, [{flush, true}]).
