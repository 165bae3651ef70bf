// Command peer runs grpc-go against the wire: its client against our server, its server against our
// client. It prints what failed and exits 1, or says how much it has checked.
//
//	peer SERVER CLIENT
package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

// raw passes bytes through.
type raw struct{}

func (raw) Name() string { return "raw" }
func (raw) Marshal(v any) ([]byte, error) {
	return *v.(*[]byte), nil
}
func (raw) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = append([]byte(nil), data...)
	return nil
}

var (
	checks    int
	checkLock sync.Mutex
)

func must(ok bool, format string, args ...any) {
	checkLock.Lock()
	checks++
	checkLock.Unlock()
	if !ok {
		fmt.Fprintf(os.Stderr, "failed: "+format+"\n", args...)
		os.Exit(1)
	}
}

func ok(err error, what string) { must(err == nil, "%s: %v", what, err) }

func code(err error, want codes.Code, what string) {
	must(status.Code(err) == want, "%s: %v, want %v", what, err, want)
}

var echoDesc = &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}

func soon() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), 60*time.Second)
}

// pattern is a message that tells its number.
func pattern(number, size int) []byte {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(number*31 + i*7 + i/256)
	}
	return b
}

func echo(conn *grpc.ClientConn, count, size int, options ...grpc.CallOption) {
	ctx, cancel := soon()
	defer cancel()
	options = append(options, grpc.ForceCodec(raw{}), grpc.MaxCallRecvMsgSize(64<<20))
	stream, err := conn.NewStream(ctx, echoDesc, "/test/Echo", options...)
	ok(err, "stream")
	go func() {
		for i := range count {
			message := pattern(i, size)
			if err := stream.SendMsg(&message); err != nil {
				return // RecvMsg tells why.
			}
		}
		_ = stream.CloseSend()
	}()
	for i := range count {
		var got []byte
		ok(stream.RecvMsg(&got), "echo")
		must(bytes.Equal(got, pattern(i, size)), "message %d of %d bytes differs", i, size)
	}
	var more []byte
	err = stream.RecvMsg(&more)
	must(errors.Is(err, io.EOF), "the end: %v", err)
}

func cancelled(conn *grpc.ClientConn) {
	ctx, cancel := soon()
	stream, err := conn.NewStream(ctx, echoDesc, "/test/Echo", grpc.ForceCodec(raw{}))
	ok(err, "stream")
	message := pattern(1, 10)
	ok(stream.SendMsg(&message), "send")
	var got []byte
	ok(stream.RecvMsg(&got), "receive")
	cancel()
	code(stream.RecvMsg(&got), codes.Canceled, "after cancel")
	ctx, cancel = context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	stream, err = conn.NewStream(ctx, echoDesc, "/test/Echo", grpc.ForceCodec(raw{}))
	ok(err, "stream")
	code(stream.RecvMsg(&got), codes.DeadlineExceeded, "after the deadline")
}

func health(conn *grpc.ClientConn, control io.Writer) {
	ctx, cancel := soon()
	defer cancel()
	client := grpc_health_v1.NewHealthClient(conn)
	for _, service := range []string{"", "remote.Remoting"} {
		answer, err := client.Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: service})
		ok(err, "Check")
		must(answer.Status == grpc_health_v1.HealthCheckResponse_SERVING, "Check: %v", answer)
	}
	_, err := client.Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: "nobody"})
	code(err, codes.NotFound, "Check of nobody")
	watch, err := client.Watch(ctx, &grpc_health_v1.HealthCheckRequest{})
	ok(err, "Watch")
	expect := func(from grpc_health_v1.Health_WatchClient,
		want grpc_health_v1.HealthCheckResponse_ServingStatus) {
		answer, err := from.Recv()
		ok(err, "Watch")
		must(answer.Status == want, "Watch: %v, want %v", answer, want)
	}
	expect(watch, grpc_health_v1.HealthCheckResponse_SERVING)
	fmt.Fprintln(control, "stopped")
	expect(watch, grpc_health_v1.HealthCheckResponse_NOT_SERVING)
	fmt.Fprintln(control, "serving")
	expect(watch, grpc_health_v1.HealthCheckResponse_SERVING)
	nobody, err := client.Watch(ctx, &grpc_health_v1.HealthCheckRequest{Service: "nobody"})
	ok(err, "Watch of nobody")
	expect(nobody, grpc_health_v1.HealthCheckResponse_SERVICE_UNKNOWN)
}

// start runs our server and gives its address and what sets its health.
func start(program string, args ...string) (string, io.WriteCloser, func()) {
	command := exec.Command(program, args...)
	command.Stderr = os.Stderr
	in, err := command.StdinPipe()
	ok(err, "pipe")
	out, err := command.StdoutPipe()
	ok(err, "pipe")
	ok(command.Start(), "start of "+program)
	port, err := bufio.NewReader(out).ReadString('\n')
	ok(err, "the server's port")
	return "127.0.0.1:" + strings.TrimSpace(port), in, func() {
		_ = in.Close()
		ok(command.Wait(), "the server's end")
	}
}

func clients(server string, with credentials.TransportCredentials, args ...string) {
	address, control, stop := start(server, args...)
	defer stop()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(with))
	ok(err, "client")
	defer conn.Close()
	health(conn, control)
	echo(conn, 1, 0)
	echo(conn, 20000, 100)
	echo(conn, 20, 1<<20)
	echo(conn, 2, 20<<20)
	echo(conn, 100, 50000, grpc.UseCompressor(gzip.Name))
	cancelled(conn)
	ctx, cancel := soon()
	defer cancel()
	var answer []byte
	err = conn.Invoke(ctx, "/nobody/Knows", &answer, &answer, grpc.ForceCodec(raw{}))
	code(err, codes.Unimplemented, "unknown method")
	var streams sync.WaitGroup
	for range 50 {
		streams.Add(1)
		go func() {
			defer streams.Done()
			echo(conn, 50, 5000)
		}()
	}
	streams.Wait()
}

// serve is grpc-go's server; /test/Echo echoes, /test/Fail fails.
func serve(options ...grpc.ServerOption) (*grpc.Server, string) {
	encoding.RegisterCodec(raw{})
	options = append(options, grpc.ForceServerCodec(raw{}), grpc.MaxRecvMsgSize(64<<20),
		grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
			if method, _ := grpc.MethodFromServerStream(stream); method != "/test/Echo" {
				return status.Error(codes.DataLoss, "50% für dich\nund mehr")
			}
			for {
				var message []byte
				if err := stream.RecvMsg(&message); err != nil {
					if errors.Is(err, io.EOF) {
						return nil
					}
					return err
				}
				if err := stream.SendMsg(&message); err != nil {
					return err
				}
			}
		}))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	ok(err, "listen")
	server := grpc.NewServer(options...)
	go func() { _ = server.Serve(listener) }()
	return server, listener.Addr().String()
}

func call(client, want string, args ...string) {
	out, err := exec.Command(client, args...).CombinedOutput()
	must(err == nil && strings.TrimSpace(string(out)) == want, "client %v: %v: %q, want %q", args, err,
		out, want)
}

func servers(client string, tlsArgs []string, options ...grpc.ServerOption) {
	server, address := serve(options...)
	with := func(args ...string) []string { return append(append([]string{address}, args...), tlsArgs...) }
	call(client, "0 0 0", with("0", "0")...)
	call(client, "1 0 0", with("1", "0")...)
	call(client, "20000 2000000 0", with("20000", "100")...)
	call(client, "20 20971520 0", with("20", "1048576")...)
	call(client, "0 0 15 50% für dich?und mehr", with("0", "0", "--path", "/test/Fail")...)
	server.Stop()
}

// certificates lie in the folder.
func certificates(folder string) (ours []string, server, client credentials.TransportCredentials) {
	authority, pool := makeAuthority(folder)
	certificate := authority.issue(folder)
	config := &tls.Config{Certificates: []tls.Certificate{certificate}, RootCAs: pool, ClientCAs: pool,
		ClientAuth: tls.RequireAndVerifyClientCert}
	return []string{"--tls", filepath.Join(folder, "cert.pem"), filepath.Join(folder, "key.pem"),
		filepath.Join(folder, "ca.pem")}, credentials.NewTLS(config), credentials.NewTLS(config.Clone())
}

func main() {
	must(len(os.Args) == 3, "usage: peer SERVER CLIENT")
	folder, err := os.MkdirTemp("", "wire")
	ok(err, "folder")
	ours, server, client := certificates(folder)
	clients(os.Args[1], insecure.NewCredentials())
	clients(os.Args[1], client, append(ours, "--mutual")...)
	servers(os.Args[2], nil)
	servers(os.Args[2], ours, grpc.Creds(server))
	ok(os.RemoveAll(folder), "folder")
	fmt.Printf("%d checks against grpc-go %s\n", checks, grpc.Version)
}
