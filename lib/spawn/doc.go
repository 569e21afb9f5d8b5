// Package spawn starts application processes, knows when they serve and why
// they do not, reads their output, and sees how they end.
//
// A [Spawner] owns the processes directory of a state directory. What it
// starts outlives it: a later Spawner on the same directory adopts what still
// runs, known by pid and start time.
//
// The rooms below it know nothing of a Spawner: survey, switching, environ and
// plan decide how a process is to run; children, gate and fork bring it into
// being; notify and listener know when it serves; process knows how it lives and
// ends; diagnosis says why it did not start.
package spawn
