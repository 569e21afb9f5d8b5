#!/bin/sh
# completions.sh DIR: writes what shells complete the commands with below DIR, the
# share directory of an installation: bash, zsh and fish.
set -eu
share=$1
install -d "$share/bash-completion/completions" "$share/zsh/vendor-completions" "$share/fish/vendor_completions.d"
for program in passenger-spawn passenger-pool passenger-proxy passenger-status; do
	go run "./cmd/$program" completion bash >"$share/bash-completion/completions/$program"
	go run "./cmd/$program" completion zsh >"$share/zsh/vendor-completions/_$program"
	go run "./cmd/$program" completion fish >"$share/fish/vendor_completions.d/$program.fish"
done
