package balance

import (
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A play is what happens to an app step by step, in words.
type play struct {
	*queueWorld
	guests map[string]*guest
	story  []string // what became of whom, in order
}

// do takes one step. Its word may say more behind a colon:
//
//	come abc        requests come, each a letter
//	come:ADDR abc   and from this address
//	come:=ID abc    and with the cookie of this process
//	again abc       requests come back that had a process
//	end 12          the session of each of these processes ends
//	gone abc        clients leave
//	wait 1s         time passes
//	places 6        the queue has so many
//	set 6           and a setting says so
//	pause hold      the app is paused, with page so that clients get that
//	pause           and no longer
func (p *play) do(what, which string) {
	what, more, _ := strings.Cut(what, ":")
	switch what {
	case "come", "again":
		from, _ := netip.ParseAddr(more)
		for _, name := range strings.Split(which, "") {
			g := p.guest(name, from)
			if id, ok := strings.CutPrefix(more, "="); ok {
				g.Wanted = []byte(StickyID(id))
			}
			p.guests[name] = g
			go p.ask(g, what == "again")
			p.settle()
		}
	case "end":
		for _, id := range strings.Split(which, "") {
			for name, g := range p.guests {
				if g.on != nil && g.on.ID == id {
					delete(p.guests, name)
					p.Release(g.on, nil, 1, 0, Fine)
					break
				}
			}
			p.settle()
		}
	case "gone":
		for _, name := range strings.Split(which, "") {
			p.guests[name].conn.gone.Store(true)
		}
	case "wait":
		d, _ := time.ParseDuration(which)
		time.Sleep(d)
	case "places":
		p.places, _ = strconv.Atoi(which)
	case "set":
		p.route.QueueSize, _ = strconv.Atoi(which)
		p.route.QueueOpen = false
		p.apply()
	case "pause":
		p.route.Paused = which
		p.apply()
	}
	p.settle()
}

func (p *play) settle() { p.story = append(p.story, p.news()...) }

// Who gets a process, who is refused and who leaves, on a clock that the table
// moves. One process takes one request at a time; a busy one has X.
func TestWhoGetsAPlaceAndAProcess(t *testing.T) {
	t.Parallel()
	const a, b = "192.0.2.1", "2001:db8::"
	for _, tt := range []struct{ name, does, want string }{
		{"who comes first is served first", "come abc, end 1111", "a b c"},
		{"the oldest makes room", "places 2, come abcd, end 111", "a!full b!full c d"},
		{"one that had a process does not", "places 2, again a, come bcd, end 111", "b!full c!full a d"},
		{"and needs no place", "places 2, come ab, again c, end 111", "c a b"},
		{"a setting refuses the newest", "set 2, come abcd, end 111", "c!full d!full a b"},
		{"or everybody", "set 0, come ab, end 1, come c", "a!full b!full c"},
		{"no place at all", "places 0, come a, end 1", "a!full"},

		{"one address may fill a queue alone", "places 4, come:" + a + " abcde, end 11111", "a!full b c d e"},
		{"it yields to others", "places 4, come:" + a + " abcd, come:" + b + " efg, end 11111", "a!full b!full e!full c d f g"},
		{"but not below half", "places 4, come:" + a + " abcd, come:" + b + " ef, come gh, end 1111", "a!full b!full c!full d!full e f g h"},
		{"while others wait it gets no more than half", "places 6, come:" + b + " z, come:" + a + " abcdef, end 111111", "a!full b!full c!full z d e f"},
		{"what others leave it may have again", "places 4, come:" + b + " z, come:" + a + " abc, end 1, come:" + a + " defg, end 1111", "a!full z b!full c!full d e f g"},
		{"clients without address are many", "places 4, come abcd, come:" + a + " efg, end 11111", "a!full b!full e!full c d f g"},
		{"a setting refuses the newest of one address", "set 4, come:" + b + " z, come:" + a + " abcd, end 11111", "c!full d!full z a b"},
		{"and others have what it has over half", "set 4, come:" + a + " abcd, come:" + b + " efg, end 11111", "a!full b!full g!full c d e f"},
		{"one place is nobody's half", "set 1, come:" + a + " a, come:" + b + " b, end 1", "b!full a"},

		{"who left gets no process", "come abc, wait 150ms, gone ab, end 11", "a!gone b!gone c"},
		{"and leaves soon in any case", "come ab, gone a, wait 400ms, end 1", "a!gone b"},
		{"who waited too long gets none", "come a, wait 59900ms, come b, wait 500ms, end 1", "a!time b"},

		{"a cookie of a process that is gone is for any", "come:=2 ab, end 11", "a b"},
		{"one waits for its process, the oldest first", "come:=1 abc, wait 1s, end 111", "a b c"},
		{"but not where many leave", "come:=1 abcdefghijklm, gone abcdefghij, wait 400ms, end 111", "a!gone b!gone c!gone d!gone e!gone f!gone g!gone h!gone i!gone j!gone m l k"},
		{"a paused app serves nobody", "pause hold, end 1, come ab", ""},
		{"and then in order", "pause hold, end 1, come ab, pause, end 1", "a b"},
		{"its full queue sheds the oldest", "places 2, pause hold, end 1, come abc, pause, end 1", "a!full b c"},
		{"with a page it keeps nobody", "come ab, pause page, come c", "a!paused b!paused c!paused"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			inQueueWorld(t, 1, 1, func(w *queueWorld) {
				p := &play{queueWorld: w, guests: map[string]*guest{}}
				p.do("come", "X")
				p.story = nil
				for step := range strings.SplitSeq(tt.does, ", ") {
					what, which, _ := strings.Cut(step, " ")
					p.do(what, which)
				}
				if got := strings.Join(p.story, " "); got != tt.want {
					t.Errorf("%s:\ngot  %q\nwant %q", tt.does, got, tt.want)
				}
			})
		})
	}
}
