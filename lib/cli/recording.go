package cli

// A Recording holds the flag that every daemon has for its flight recorder.
type Recording struct {
	NoRecording bool `help:"Do not keep the last 15 minutes for \"passenger-status replay\", which takes 2.6 MB in the state directory."`
}
