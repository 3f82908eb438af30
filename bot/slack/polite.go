package slack

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// dialer opens connections that say good-bye. slack-go only drops them, and
// Slack goes on counting a dropped connection, and delivers to it, for a while.
func dialer() *websocket.Dialer {
	plain := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 15 * time.Second}
	return &websocket.Dialer{
		Proxy: http.ProxyFromEnvironment, HandshakeTimeout: 15 * time.Second,
		WriteBufferSize: 32 << 10, // an acknowledgement in several frames is dropped by Slack
		NetDialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := plain.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return &polite{Conn: conn}, nil
		},
		NetDialTLSContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			d := tls.Dialer{NetDialer: plain, Config: &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}}
			conn, err := d.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return &polite{Conn: conn}, nil
		},
	}
}

// polite is a connection that sends a close frame before it is closed.
type polite struct {
	net.Conn

	mu     sync.Mutex // one frame at a time
	talked bool       // something was sent
	closed bool
}

// Write sends a frame, or the request of the handshake before them.
func (p *polite) Write(data []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.talked = true
	return p.Conn.Write(data)
}

// Close says that maitred goes away, and closes.
func (p *polite) Close() error {
	p.Conn.SetWriteDeadline(time.Now().Add(time.Second)) //nolint:errcheck // the write tells; one that hangs ends
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.talked && !p.closed {
		p.closed = true
		p.Conn.Write(goingAway()) //nolint:errcheck // a dead connection hears nothing
	}
	return p.Conn.Close()
}

// goingAway is a close frame with the code 1001, masked as a client's must be.
func goingAway() []byte {
	mask := make([]byte, 4)
	rand.Read(mask) //nolint:errcheck // crypto/rand.Read never fails
	const code = websocket.CloseGoingAway
	return append([]byte{0x88, 0x82}, append(mask, byte(code>>8)^mask[0], byte(code&0xff)^mask[1])...)
}
