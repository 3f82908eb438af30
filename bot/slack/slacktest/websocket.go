package slacktest

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// frame is one WebSocket frame (RFC 6455). Frames are seen one by one, because
// Slack treats a message in several frames otherwise than one in a single frame.
type frame struct {
	op    byte
	final bool
	data  []byte
}

const (
	opMore, opText          = 0x0, 0x1
	opClose, opPing, opPong = 0x8, 0x9, 0xa
	maxFrame                = 1 << 20
	websocketGUID           = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
	writeWithin             = 5 * time.Second
	closeNormal             = 1000
)

// wire is the server's end of a WebSocket.
type wire struct {
	tcp net.Conn
	in  *bufio.Reader

	mu     sync.Mutex // of writing
	frozen bool       // half open: nothing comes through any more, and nobody is told
}

var errNotWebSocket = errors.New("not a WebSocket handshake")

func accept(w http.ResponseWriter, r *http.Request) (*wire, error) {
	key := r.Header.Get("Sec-WebSocket-Key")
	hijacker, ok := w.(http.Hijacker)
	if key == "" || !ok || r.Header.Get("Sec-WebSocket-Version") != "13" {
		http.Error(w, errNotWebSocket.Error(), http.StatusBadRequest)
		return nil, errNotWebSocket
	}
	tcp, buf, err := hijacker.Hijack()
	if err != nil {
		return nil, fmt.Errorf("hijack: %w", err)
	}
	sum := sha1.Sum([]byte(key + websocketGUID))
	_, err = fmt.Fprintf(tcp, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
		base64.StdEncoding.EncodeToString(sum[:]))
	if err != nil {
		tcp.Close()
		return nil, fmt.Errorf("handshake: %w", err)
	}
	return &wire{tcp: tcp, in: buf.Reader}, nil
}

// read returns the next frame. A client's frames are masked, always.
func (w *wire) read() (frame, error) {
	var head [2]byte
	if _, err := io.ReadFull(w.in, head[:]); err != nil {
		return frame{}, err
	}
	f := frame{op: head[0] & 0x0f, final: head[0]&0x80 != 0}
	if head[1]&0x80 == 0 || head[0]&0x70 != 0 {
		return frame{}, errors.New("a frame without a mask, or with an extension that was not agreed")
	}
	size := uint64(head[1] & 0x7f)
	var err error
	switch size {
	case 126:
		var n uint16
		err = binary.Read(w.in, binary.BigEndian, &n)
		size = uint64(n)
	case 127:
		err = binary.Read(w.in, binary.BigEndian, &size)
	}
	if err != nil {
		return frame{}, err
	}
	if size > maxFrame {
		return frame{}, fmt.Errorf("a frame of %d bytes", size)
	}
	body := make([]byte, 4+size)
	if _, err := io.ReadFull(w.in, body); err != nil {
		return frame{}, err
	}
	f.data = body[4:]
	for i := range f.data {
		f.data[i] ^= body[i%4]
	}
	return f, nil
}

// write sends one frame. On a frozen wire it succeeds, as writing into a dead
// connection does.
func (w *wire) write(op byte, data []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.frozen {
		return nil
	}
	out := []byte{0x80 | op}
	switch n := len(data); {
	case n < 126:
		out = append(out, byte(n))
	case n < 1<<16:
		out = binary.BigEndian.AppendUint16(append(out, 126), uint16(n))
	default:
		out = binary.BigEndian.AppendUint64(append(out, 127), uint64(n))
	}
	if err := w.tcp.SetWriteDeadline(time.Now().Add(writeWithin)); err != nil {
		return err
	}
	_, err := w.tcp.Write(append(out, data...))
	return err
}

func (w *wire) close(code uint16) error {
	return w.write(opClose, binary.BigEndian.AppendUint16(nil, code))
}

// freeze makes the connection half open.
func (w *wire) freeze() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.frozen = true
}

func (w *wire) isFrozen() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.frozen
}

// reset ends TCP the rude way.
func (w *wire) reset() {
	if tcp, ok := w.tcp.(*net.TCPConn); ok {
		tcp.SetLinger(0) //nolint:errcheck // the connection ends in any case
	}
	w.tcp.Close()
}
