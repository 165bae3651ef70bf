package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

// Bare gRPC without protoactor: bytes as a test gives them, so that what no real node would send
// can be sent, and what a node sends can be seen.
type rawCodec struct{}

func (rawCodec) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }
func (rawCodec) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = append([]byte(nil), data...)
	return nil
}
func (rawCodec) Name() string { return "proto" }

type rawEnd struct {
	stream grpc.Stream
	conn   *grpc.ClientConn
	cancel context.CancelFunc
	finish chan error // a server's stream ends with it
}

type rawEnds struct {
	sync.Mutex
	of      map[string]*rawEnd
	servers map[string]*grpc.Server
}

const receivePath = "/remote.Remoting/Receive"

func (r *rawEnds) put(tag string, end *rawEnd) {
	r.Lock()
	defer r.Unlock()
	if r.of == nil {
		r.of = map[string]*rawEnd{}
		r.servers = map[string]*grpc.Server{}
	}
	r.of[tag] = end
}

func (r *rawEnds) get(tag string) (*rawEnd, error) {
	r.Lock()
	defer r.Unlock()
	if end := r.of[tag]; end != nil {
		return end, nil
	}
	return nil, fmt.Errorf("there is no stream %q", tag)
}

// rawRead tells of everything that comes: "raw TAG HEX", then "raw-end TAG CODE TEXT".
func rawRead(tag string, stream grpc.Stream) error {
	for {
		var data []byte
		if err := stream.RecvMsg(&data); err != nil {
			if errors.Is(err, io.EOF) {
				say("raw-end %s OK", tag)
				return nil
			}
			say("raw-end %s %s %q", tag, status.Code(err), status.Convert(err).Message())
			return err
		}
		say("raw %s %s", tag, hexOf(data))
	}
}

func hexOf(data []byte) string {
	if len(data) == 0 {
		return "-"
	}
	return hex.EncodeToString(data)
}

func bytesOf(text string) ([]byte, error) {
	if text == "-" {
		return nil, nil
	}
	return hex.DecodeString(text)
}

func rawDial(address string) (*grpc.ClientConn, error) {
	return grpc.Dial(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
}

func (n *node) rawOpen(tag, address string) error {
	conn, err := rawDial(address)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true},
		receivePath, grpc.ForceCodec(rawCodec{}), grpc.MaxCallRecvMsgSize(256<<20))
	if err != nil {
		cancel()
		conn.Close()
		return err
	}
	n.raw.put(tag, &rawEnd{stream: stream, conn: conn, cancel: cancel})
	go rawRead(tag, stream)
	return nil
}

// rawServe accepts streams as "TAG.1", "TAG.2" … and answers nothing by itself.
func (n *node) rawServe(tag, address string) (string, error) {
	lis, err := net.Listen("tcp", address)
	if err != nil {
		return "", err
	}
	var count counter
	handler := func(_ any, stream grpc.ServerStream) error {
		count.add(1)
		name := fmt.Sprintf("%s.%d", tag, count.value.Load())
		end := &rawEnd{stream: stream, finish: make(chan error, 1)}
		n.raw.put(name, end)
		method, _ := grpc.MethodFromServerStream(stream)
		say("raw-open %s %s", name, method)
		go rawRead(name, stream)
		select {
		case err := <-end.finish:
			return err
		case <-stream.Context().Done():
			return stream.Context().Err()
		}
	}
	server := grpc.NewServer(grpc.UnknownServiceHandler(handler), grpc.ForceServerCodec(rawCodec{}),
		grpc.MaxRecvMsgSize(256<<20))
	n.raw.put("", nil)
	n.raw.Lock()
	n.raw.servers[tag] = server
	n.raw.Unlock()
	go server.Serve(lis)
	return lis.Addr().String(), nil
}

func rawUnary(tag, address, method, text string) error {
	data, err := bytesOf(text)
	if err != nil {
		return err
	}
	conn, err := rawDial(address)
	if err != nil {
		return err
	}
	go func() {
		defer conn.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		var reply []byte
		if err := conn.Invoke(ctx, method, &data, &reply, grpc.ForceCodec(rawCodec{})); err != nil {
			say("raw-end %s %s %q", tag, status.Code(err), status.Convert(err).Message())
			return
		}
		say("raw %s %s", tag, hexOf(reply))
	}()
	return nil
}

// rawHealth asks with grpc-go's own health client: "health TAG STATUS".
func rawHealth(tag, address, service string) error {
	conn, err := rawDial(address)
	if err != nil {
		return err
	}
	go func() {
		defer conn.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		request := &grpc_health_v1.HealthCheckRequest{Service: service}
		reply, err := grpc_health_v1.NewHealthClient(conn).Check(ctx, request)
		if err != nil {
			say("health %s %s", tag, status.Code(err))
			return
		}
		say("health %s %s", tag, reply.Status)
	}()
	return nil
}

// raw open TAG ADDRESS | serve TAG ADDRESS | send TAG HEX | half-close TAG | cancel TAG |
// finish TAG CODE | unary TAG ADDRESS METHOD HEX | health TAG ADDRESS [SERVICE] | unserve TAG
func (n *node) rawCommand(words []string) (string, error) {
	if len(words) < 2 {
		return "", errUsage
	}
	verb, tag, rest := words[0], words[1], words[2:]
	switch {
	case verb == "open" && len(rest) == 1:
		return "", n.rawOpen(tag, rest[0])
	case verb == "serve" && len(rest) == 1:
		return n.rawServe(tag, rest[0])
	case verb == "unary" && len(rest) == 3:
		return "", rawUnary(tag, rest[0], rest[1], rest[2])
	case verb == "health" && len(rest) == 1:
		return "", rawHealth(tag, rest[0], "")
	case verb == "health" && len(rest) == 2:
		return "", rawHealth(tag, rest[0], rest[1])
	case verb == "unserve" && len(rest) == 0:
		n.raw.Lock()
		defer n.raw.Unlock()
		if server := n.raw.servers[tag]; server != nil {
			server.Stop()
		}
		return "", nil
	}
	return "", n.rawStream(verb, tag, rest)
}

// rawStream is what a stream of its own is told.
func (n *node) rawStream(verb, tag string, rest []string) error {
	end, err := n.raw.get(tag)
	if err != nil {
		return err
	}
	switch {
	case verb == "send" && len(rest) == 1:
		data, err := bytesOf(rest[0])
		if err != nil {
			return err
		}
		return end.stream.SendMsg(&data)
	case verb == "half-close" && end.conn != nil:
		return end.stream.(grpc.ClientStream).CloseSend()
	case verb == "cancel" && end.conn != nil:
		end.cancel()
		return end.conn.Close()
	case verb == "finish" && end.finish != nil && len(rest) == 1:
		if rest[0] == "OK" {
			end.finish <- nil
		} else {
			end.finish <- status.Error(codeOf(rest[0]), "the test ends it")
		}
		return nil
	}
	return errUsage
}

func codeOf(text string) codes.Code {
	for code := codes.OK; code <= codes.Unauthenticated; code++ {
		if code.String() == text {
			return code
		}
	}
	return codes.Unknown
}
