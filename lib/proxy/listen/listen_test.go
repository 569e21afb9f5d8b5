package listen

import (
	"os"
	"path/filepath"
	"testing"
)

func TestSocketsForSecureHeadersAreForUsAlone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(shortDir(t), "web")
	l, err := At("secure-headers:unix:"+path, SocketFile{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v, %v", info, err)
	}
	for _, address := range []string{"secure-headers:127.0.0.1:0", "secure-headers:tls:unix:" + path + "2", "tls:secure-headers:unix:" + path + "2", "secure-headers:fd:3"} {
		if l, err := At(address, SocketFile{}); err == nil {
			l.Close()
			t.Errorf("%s is listened at", address)
		}
	}
}
