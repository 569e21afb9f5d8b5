package migrate

// A rule says what takes the place of a setting. One of its parts is set.
type rule struct {
	key string     // of ours, for the value
	as  conversion // of that value; nil for asText

	automatic string // why nothing has to be done
	byHand    string // what to do

	// do takes the item over, and notes what became of it.
	do func(d *draft, it item)
}

// A table has the rules of a format by the names of settings.
type table map[string]rule

// apply takes an item over by the rule of its name.
func (t table) apply(d *draft, name string, it item) {
	rule, known := t[name]
	switch {
	case !known:
		d.r.note(it, ByHand, "unknown here; look at what it is for")
	case rule.do != nil:
		rule.do(d, it)
	case rule.automatic != "":
		d.r.note(it, Automatic, rule.automatic)
	case rule.byHand != "":
		d.r.note(it, ByHand, rule.byHand)
	default:
		d.convert(it, rule.key, rule.as)
	}
}

// fields applies the rules to each field of an object.
func (t table) fields(d *draft, prefix string, v *value) {
	for _, f := range v.fields {
		t.apply(d, f.name, item{prefix + f.name, f.line, f.value})
	}
}

// convert sets a key to an item's value.
func (d *draft) convert(it item, key string, as conversion) {
	if as == nil {
		as = asText
	}
	v, err := as(it.value)
	if err != nil {
		d.r.notef(it, ByHand, "set %q: %v", key, err)
		return
	}
	d.put(it, pair{key, v})
}

// several makes one rule of several names.
func (t table) several(r rule, names ...string) {
	for _, name := range names {
		t[name] = r
	}
}

// Words for what every server has.
const (
	listenHere   = "the proxy listens: passenger-proxy serve --listen ADDRESS"
	byProxyTLS   = "the proxy has the certificate: passenger-proxy serve --listen tls:ADDRESS --certificate FILE --key FILE"
	byAccessLog  = "passenger-proxy serve --access-log=combined --access-log-file=FILE"
	byTrusted    = "passenger-proxy serve --trusted-proxy=NETWORK"
	byStatus     = "passenger-status shows it, and /metrics of each daemon"
	byInit       = "an init system runs the daemons; see passenger-systemd(7)"
	bySpawner    = "the spawner sees to it"
	byPool       = "the pool sees to it"
	byProxy      = "the proxy sees to it"
	byPublic     = `put the files, or a link to them, into the app's "public" directory; see "static_files_dir" and "static_mounts"`
	ownService   = `run it by "processes", or as a service of its own, such as a unit of systemd`
	byRestartTxt = "touch tmp/restart.txt restarts the app; tmp/always_restart.txt restarts it for each request"
	inFront      = "it stays in the web server in front, if one stays; see passenger-fronts(7)"
	byEvents     = "code at the start and the end of processes goes into the app; see Passengerfile(5), What an app can do at its processes' start and end"
	noWorkers    = "a process is what a worker was; there is none around it"
)

// listen notes that the proxy listens, with the address if it is known.
func listen(d *draft, it item) {
	text := listenHere
	if addresses, ok := it.value.textsOf(); ok && len(addresses) > 0 {
		text = "the proxy listens: passenger-proxy serve"
		for _, a := range addresses {
			text += " --listen " + shortened(address(a))
		}
	}
	d.r.note(it, ByHand, text)
}
