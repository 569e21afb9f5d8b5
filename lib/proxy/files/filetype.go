package files

import (
	"bytes"
	"mime"
	"path"
)

// A Type is what is known of files by their extension.
type Type struct {
	Name   string // of Content-Type
	Packed bool   // it is compressed by itself, and has no compressed twin
}

// fileTypes are those that web pages are made of.
var fileTypes = map[string]Type{
	".html": {"text/html; charset=utf-8", false}, ".htm": {"text/html; charset=utf-8", false},
	".css": {"text/css; charset=utf-8", false}, ".js": {"text/javascript; charset=utf-8", false}, ".mjs": {"text/javascript; charset=utf-8", false},
	".json": {"application/json", false}, ".map": {"application/json", false}, ".webmanifest": {"application/manifest+json", false},
	".txt": {"text/plain; charset=utf-8", false}, ".xml": {"text/xml; charset=utf-8", false}, ".svg": {"image/svg+xml", false},
	".ico": {"image/vnd.microsoft.icon", false}, ".wasm": {"application/wasm", false}, ".ttf": {"font/ttf", false}, ".otf": {"font/otf", false},
	".png": {"image/png", true}, ".jpg": {"image/jpeg", true}, ".jpeg": {"image/jpeg", true}, ".gif": {"image/gif", true},
	".webp": {"image/webp", true}, ".avif": {"image/avif", true}, ".woff": {"font/woff", true}, ".woff2": {"font/woff2", true},
	".mp3": {"audio/mpeg", true}, ".mp4": {"video/mp4", true}, ".webm": {"video/webm", true}, ".zip": {"application/zip", true},
	".gz": {"application/gzip", true}, ".br": {"application/octet-stream", true},
}

func TypeOf(name []byte) Type {
	if t, ok := fileTypes[string(name[max(bytes.LastIndexByte(name, '.'), 0):])]; ok {
		return t
	}
	return Type{Name: ContentType(string(name))}
}

func ContentType(name string) string {
	if t := mime.TypeByExtension(path.Ext(name)); t != "" {
		return t
	}
	return "application/octet-stream"
}
