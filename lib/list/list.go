// Package list is a doubly linked list whose elements lie in what they are
// elements of, so that to add one allocates nothing and to remove one searches
// nothing. container/list allocates an element for each value.
package list

// A Node is the place of one Value in at most one list at a time. The zero Node
// is in none.
type Node[T any] struct {
	Value T

	next, prev *Node[T]
	in         *List[T] // nil if it is in none
}

// Next returns the node behind n, nil behind the last one.
func (n *Node[T]) Next() *Node[T] { return n.next }

// Prev returns the node before n, nil before the first one.
func (n *Node[T]) Prev() *Node[T] { return n.prev }

// A List is a list of nodes. The zero List is empty. It must not be copied.
type List[T any] struct {
	first, last *Node[T]
	length      int
}

// Len returns how many nodes l has.
func (l *List[T]) Len() int { return l.length }

// First returns the first node, nil if l is empty.
func (l *List[T]) First() *Node[T] { return l.first }

// Last returns the last node, nil if l is empty.
func (l *List[T]) Last() *Node[T] { return l.last }

// PushFront makes n, which is in no list, the first node of l.
func (l *List[T]) PushFront(n *Node[T]) { l.insert(nil, n, l.first) }

// PushBack makes n, which is in no list, the last node of l.
func (l *List[T]) PushBack(n *Node[T]) { l.insert(l.last, n, nil) }

func (l *List[T]) insert(prev, n, next *Node[T]) {
	if n.in != nil {
		panic("internal error: the node is in a list already")
	}
	n.prev, n.next, n.in = prev, next, l
	l.join(prev, n)
	l.join(n, next)
	l.length++
}

// Remove takes n out of l, and reports whether it was there.
func (l *List[T]) Remove(n *Node[T]) bool {
	if n.in != l {
		return false
	}
	l.join(n.prev, n.next)
	n.prev, n.next, n.in = nil, nil, nil
	l.length--
	return true
}

// join makes two nodes neighbours; nil stands for the end of l.
func (l *List[T]) join(before, behind *Node[T]) {
	if before == nil {
		l.first = behind
	} else {
		before.next = behind
	}
	if behind == nil {
		l.last = before
	} else {
		behind.prev = before
	}
}
