package static

import (
	"net/http"
	"time"

	"passenger/lib/http1"
	"passenger/lib/proxy/files"
)

// ServeNamed sends the file that the answer of an app to r named, with the fields and
// the status of that answer. What the client has already, and which part of the file
// it wants, counts as for any file, but only if the app had all of it in mind, and
// not if whole. now is when the request began. An error comes before the answer
// begins; sent says that the client got all of it.
func (w *Writer) ServeNamed(r *http1.Request, f files.SentFile, now time.Time, status int, whole bool) (sent bool, err error) {
	t, err := files.OpenTree(f.Dir, now)
	if err != nil {
		return false, err
	}
	defer t.Close()
	file, info, err := t.OpenFile(f.Name)
	if err != nil {
		return false, err
	}
	defer file.Close()
	h := w.Fields
	if h.Get("Etag") == "" {
		h.Set("Etag", EntityTag(info))
	}
	if h.Get("Content-Type") == "" {
		h.Set("Content-Type", files.ContentType(f.Name))
	}
	modified, err := http.ParseTime(h.Get("Last-Modified"))
	if err != nil {
		modified = info.ModTime()
	}
	if status != http.StatusOK && status != http.StatusPartialContent {
		w.Status, whole = status, true
	}
	return w.Serve(r, file, info.Size(), modified, whole) == nil, nil
}
