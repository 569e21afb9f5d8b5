package spelling

import "testing"

func TestNearest(t *testing.T) {
	t.Parallel()
	known := []string{"shop", "blog", "min_instances", "max_instances"}
	tests := []struct{ word, want string }{
		{"shpo", "shop"},
		{"Shop", "shop"},
		{"blog2", "blog"},
		{"min_instance", "min_instances"},
		{"mx_instances", "max_instances"},
		{"wiki", ""},
		{"", ""},
		{"x", ""},
	}
	for _, tt := range tests {
		if got, _ := Nearest(tt.word, known); got != tt.want {
			t.Errorf("Nearest(%q): got %q, want %q", tt.word, got, tt.want)
		}
	}
}

func TestDidYouMean(t *testing.T) {
	t.Parallel()
	if got, want := DidYouMean("shpo", []string{"shop"}), `; did you mean "shop"?`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := DidYouMean("zzz", []string{"shop"}); got != "" {
		t.Errorf("got %q, want nothing", got)
	}
}
