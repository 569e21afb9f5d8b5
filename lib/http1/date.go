package http1

import "time"

// ParseDate reads the date of a field, in any of the three forms of RFC 9110,
// 5.6.7, and in no other: what another recipient takes for a later time, or for
// none, must not be good for longer here. Letters may be of either case, as RFC
// 9111, 4.2 has it for caches. Which day of the week it is makes no difference,
// as long as it is one. The time is zero if it is no date.
func ParseDate(b []byte) (t time.Time, ok bool) {
	switch n := len(b); {
	case n == len("Sun, 06 Nov 1994 08:49:37 GMT") && b[3] == ',':
		return dateOf(oneOf(b[:3], shortDays[:]) >= 0 && string(b[3:5]) == ", " && b[7] == ' ' && b[11] == ' ' && b[16] == ' ' && endsGMT(b),
			digits(b[12:16]), b[8:11], digits(b[5:7]), b[17:25])
	case n == len("Sun Nov  6 08:49:37 1994") && b[3] == ' ':
		day := b[8:10]
		if day[0] == ' ' {
			day = day[1:]
		}
		return dateOf(oneOf(b[:3], shortDays[:]) >= 0 && b[7] == ' ' && b[10] == ' ' && b[19] == ' ',
			digits(b[20:24]), b[4:7], digits(day), b[11:19])
	}
	return parseRFC850(b)
}

// parseRFC850 reads "Sunday, 06-Nov-94 08:49:37 GMT".
func parseRFC850(b []byte) (t time.Time, ok bool) {
	const rest = len(", 06-Nov-94 08:49:37 GMT")
	day := len(b) - rest
	if day < len("Friday") || oneOf(b[:day], longDays[:]) < 0 {
		return t, false
	}
	b = b[day:]
	year := digits(b[9:11])
	t, ok = dateOf(string(b[:2]) == ", " && b[4] == '-' && b[8] == '-' && b[11] == ' ' && year >= 0 && endsGMT(b),
		2000+year, b[5:8], digits(b[2:4]), b[12:20])
	// The century is the one that makes it less than 50 years from now.
	if ok && t.After(time.Now().AddDate(50, 0, 0)) {
		t = t.AddDate(-100, 0, 0)
	}
	return t, ok
}

// dateOf puts a date together, if its parts are right and so is the rest of it.
// Numbers are negative if they are none.
func dateOf(right bool, year int, month []byte, day int, clock []byte) (t time.Time, ok bool) {
	m := oneOf(month, months[:]) + 1
	hour, minute, second := digits(clock[:2]), digits(clock[3:5]), digits(clock[6:])
	if !right || clock[2] != ':' || clock[5] != ':' || year < 0 || m == 0 || day < 1 ||
		hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60 {
		return t, false
	}
	begin := time.Date(year, time.Month(m), day, hour, minute, 0, 0, time.UTC)
	if begin.Day() != day {
		return t, false // no 31st of June
	}
	return begin.Add(time.Duration(second) * time.Second), true
}

var (
	shortDays = [...]string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}
	longDays  = [...]string{"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"}
	months    = [...]string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}
)

// oneOf is where b is in a list of names in lower case, -1 if nowhere.
func oneOf(b []byte, names []string) int {
	for i, name := range names {
		if all(b, isPlain) && EqualFold(b, name) {
			return i
		}
	}
	return -1
}

func endsGMT(b []byte) bool {
	zone := b[len(b)-3:]
	return b[len(b)-4] == ' ' && all(zone, isPlain) && EqualFold(zone, "gmt")
}

// digits reads a number that is written in digits only, -1 if it is not.
func digits(b []byte) int { return int(number(b)) }
