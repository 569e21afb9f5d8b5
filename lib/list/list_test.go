package list

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// forwards and backwards are the values of l, by the links of each direction.
func forwards(l *List[int]) (values []int) {
	for n := l.First(); n != nil; n = n.Next() {
		values = append(values, n.Value)
	}
	return values
}

func backwards(l *List[int]) (values []int) {
	for n := l.Last(); n != nil; n = n.Prev() {
		values = append(values, n.Value)
	}
	slices.Reverse(values)
	return values
}

// A list does what a slice does, whatever is done to it in which order.
func TestListIsLikeASlice(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	var l, other List[int]
	var want []int
	nodes := make([]Node[int], 12)
	for i := range nodes {
		nodes[i].Value = i
	}
	for range 10_000 {
		n := &nodes[r.IntN(len(nodes))]
		i := slices.Index(want, n.Value)
		switch {
		case i >= 0:
			if other.Remove(n) {
				t.Fatal("a list let go of a node that is in another")
			}
			if !l.Remove(n) {
				t.Fatalf("%d was not removed", n.Value)
			}
			want = slices.Delete(want, i, i+1)
		case l.Remove(n):
			t.Fatalf("%d was removed, which is in no list", n.Value)
		case r.IntN(2) == 0:
			l.PushFront(n)
			want = slices.Insert(want, 0, n.Value)
		default:
			l.PushBack(n)
			want = append(want, n.Value)
		}
		if f, b := forwards(&l), backwards(&l); !slices.Equal(f, want) || !slices.Equal(b, want) || l.Len() != len(want) {
			t.Fatalf("got %v forwards, %v backwards and the length %d, want %v", f, b, l.Len(), want)
		}
	}
}

func TestNodeIsInOneList(t *testing.T) {
	t.Parallel()
	var l, other List[int]
	var n Node[int]
	l.PushBack(&n)
	defer func() {
		if recover() == nil || other.Len() != 0 || l.Len() != 1 {
			t.Error("a node got into two lists")
		}
	}()
	other.PushFront(&n)
}
