package files

import "testing"

// A percent-encoded letter leads neither past a mount to what it hides, nor past
// the rule for how long a file may be kept.
func TestEncodedPathsAreOfTheSamePrefix(t *testing.T) {
	t.Parallel()
	rest, media, nest, spaced := &Files{}, &Files{}, &Files{}, &Files{}
	p := &Public{
		mounts:  []prefixed[*Files]{{"/media/nest/", nest}, {"/a%20b/", spaced}, {"/media/", media}},
		rest:    rest,
		caching: []prefixed[string]{{"/media/sub/", "sub"}, {"/media/", "media"}, {"/a%20b/", "spaced"}},
	}
	for _, c := range []struct {
		path    string
		files   *Files
		name    string
		caching string
	}{
		{"/x", rest, "/x", ""}, {"/%78", rest, "/%78", ""}, {"/media", rest, "/media", ""}, {"/%6dedia", rest, "/%6dedia", ""}, {"/", rest, "/", ""}, {"/%", rest, "/%", ""},
		{"/media/x", media, "/x", "media"}, {"/media/%78", media, "/%78", "media"}, {"/media/sub/x", media, "/sub/x", "sub"},
		{"/%6dedia/x", nil, "", "media"}, {"/%6Dedia/", nil, "", "media"}, {"/media%2fx", nil, "", "media"}, {"%2Fmedia/x", nil, "", "media"},
		{"/media/%73ub/x", media, "/%73ub/x", "sub"}, {"/media/sub%2fx", media, "/sub%2fx", "sub"}, {"/media/su%62", media, "/su%62", "media"},
		{"/media/nest/x", nest, "/x", "media"}, {"/media/%6eest/x", nil, "", "media"}, {"/media/nest%2Fx", nil, "", "media"},
		{"/a%20b/x", spaced, "/x", "spaced"}, {"/%61%20b/x", nil, "", "spaced"}, {"/a%2520b/x", rest, "/a%2520b/x", ""}, {"/%6%64edia/x", rest, "/%6%64edia/x", ""}, {"/%+6dedia/", rest, "/%+6dedia/", ""},
	} {
		files, name := p.At([]byte(c.path))
		if caching := p.CacheControl([]byte(c.path)); files != c.files || string(name) != c.name || caching != c.caching {
			t.Errorf("%s: got %p, %q, %q", c.path, files, name, caching)
		}
	}
}
