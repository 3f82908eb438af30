package webchattest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
)

// patience is how long a fact in the page may take to come true.
const patience = 20 * time.Second

// Live is true in a page that follows the stream of changes.
const Live = `document.body?.dataset.live === "yes" && document.querySelector("#banner").hidden`

// Browser is a tab of a real browser in which a test is a visitor. A step that
// fails ends the test and leaves a picture, see Picture.
type Browser struct {
	t   *testing.T
	ctx context.Context
}

// Open starts Chromium, in a profile of its own, on a page. Without Chromium the
// test is left out loudly, or fails when MAITRED_REQUIRE is "all".
func Open(t *testing.T, url string) *Browser {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("MAITRED_REQUIRE") == "all" {
			t.Fatal("chromium is not installed: apt-get install chromium")
		}
		t.Skip("LEFT OUT: the chat page in a real browser. To run it: apt-get install chromium")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.WindowSize(1360, 860),
		chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true))
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	b := &Browser{t: t, ctx: ctx}
	if err := chromedp.Do(ctx); err != nil { // the first run must have no time limit
		t.Fatalf("start chromium: %v", err)
	}
	b.Go(url)
	return b
}

// Go opens another page and waits until it is live.
func (b *Browser) Go(url string) {
	b.t.Helper()
	b.do("open "+url, chromedp.Navigate(url))
	b.Until(Live)
}

// Type types text into the element, as keys.
func (b *Browser) Type(selector, text string) {
	b.t.Helper()
	b.do("type "+text+" into "+selector, chromedp.SendKeys(selector, text))
}

// Say types a line where one types in the channel, and sends it.
func (b *Browser) Say(line string) {
	b.t.Helper()
	b.Type("#composer-text", line)
	b.Press("Enter")
	b.Until(`document.querySelector("#composer-text").value === ""`)
}

// keyCodes are the keys that Press knows.
var keyCodes = map[string]int64{"Enter": 13, "Tab": 9, "Escape": 27, "ArrowUp": 38, "ArrowDown": 40}

// Press presses a key on whatever has the focus.
func (b *Browser) Press(key string) {
	b.t.Helper()
	b.do("press "+key, func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		down, text := input.DispatchKeyEventTypeRawKeyDown, ""
		if key == "Enter" { // the one of them that also types
			down, text = input.DispatchKeyEventTypeKeyDown, "\r"
		}
		for _, kind := range []input.DispatchKeyEventType{down, input.DispatchKeyEventTypeKeyUp} {
			_, err := cdp.Call(ctx, t, input.DispatchKeyEvent, input.DispatchKeyEventParams{
				Type: kind, Key: key, Code: key, Text: text, WindowsVirtualKeyCode: keyCodes[key], NativeVirtualKeyCode: keyCodes[key],
			})
			if err != nil {
				return chromedp.Void{}, err
			}
			text = ""
		}
		return chromedp.Void{}, nil
	})
}

// Click clicks the first element that the selector finds.
func (b *Browser) Click(selector string) {
	b.t.Helper()
	b.Until(fmt.Sprintf("!!document.querySelector(%q)", selector))
	b.do("click "+selector, chromedp.Click(selector))
}

// Until waits until an expression of JavaScript is true, also over a change of
// the page.
func (b *Browser) Until(expression string) {
	b.t.Helper()
	var err error
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		var is bool
		ctx, cancel := context.WithTimeout(b.ctx, 5*time.Second)
		is, err = chromedp.Run(ctx, chromedp.Evaluate[bool]("!!("+expression+")"))
		cancel()
		if err == nil && is {
			return
		}
	}
	b.Picture("failed-" + b.t.Name())
	b.t.Fatalf("this did not become true in %s: %s (%v)\nthe page says:\n%s", patience, expression, err, b.Text("body"))
}

// Sees waits until the element is there to be seen and has all of the words.
func (b *Browser) Sees(selector string, words ...string) {
	b.t.Helper()
	for _, w := range words {
		// A hidden element has an innerText as well, so ask for both.
		b.Until(fmt.Sprintf("document.querySelector(%[1]q)?.checkVisibility() && document.querySelector(%[1]q).innerText.includes(%[2]q)", selector, w))
	}
}

// Text is what an element shows.
func (b *Browser) Text(selector string) string {
	ctx, cancel := context.WithTimeout(b.ctx, 5*time.Second)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](fmt.Sprintf("document.querySelector(%q)?.innerText ?? ''", selector)))
	if err != nil {
		return err.Error()
	}
	return text
}

// Picture saves what the tab shows in the directory that MAITRED_SCREENSHOTS
// names, if it does.
func (b *Browser) Picture(name string) {
	b.t.Helper()
	dir := os.Getenv("MAITRED_SCREENSHOTS")
	if dir == "" {
		return
	}
	ctx, cancel := context.WithTimeout(b.ctx, 10*time.Second)
	defer cancel()
	settled := `document.getAnimations().every((a) => a.playState !== "running" || a.effect.getTiming().iterations === Infinity)`
	_, _ = chromedp.Run(ctx, chromedp.Poll[bool](settled, chromedp.WithPollingTimeout(2*time.Second))) // a blurred picture is better than none
	png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, strings.ReplaceAll(name, "/", "-")+".png"), png, 0o644)
	}
	if err != nil {
		b.t.Logf("no picture %s: %v", name, err)
	}
}

func (b *Browser) do(what string, action chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, action); err != nil {
		b.Picture("failed-" + b.t.Name())
		b.t.Fatalf("%s: %v", what, err)
	}
}

// Visit opens a page that is none of the chat's.
func (b *Browser) Visit(url string) {
	b.t.Helper()
	b.do("visit "+url, chromedp.Navigate(url))
}
