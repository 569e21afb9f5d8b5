// Package spawn starts application processes, knows when they serve and why
// they do not, reads their output, and sees how they end.
//
// A [Spawner] owns the processes directory of a state directory. What it
// starts outlives it: a later Spawner on the same directory adopts what still
// runs, known by pid and start time. Each process has one goroutine that waits
// for it (see [process]); nothing else reaps it.
package spawn
