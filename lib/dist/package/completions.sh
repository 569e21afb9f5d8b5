#!/bin/sh
# completions.sh DIR: writes what shells complete the commands with below DIR, the
# share directory of an installation: bash, zsh and fish.
set -eu
share=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
install -d "$share/bash-completion/completions" "$share/zsh/vendor-completions" "$share/fish/vendor_completions.d"
go build -o "$work/" ./cmd/...

# script SHELL PROGRAM prints the file for it.
script() {
	case $2 in
	passenger) "$work/passenger-spawn" words completion "$1" | sh ;; # it prints what a shell prints
	passenger-config) cat "lib/dist/package/completions/passenger-config.$1" ;;
	*) "$work/$2" completion "$1" ;;
	esac
}

for program in passenger passenger-config passenger-spawn passenger-pool passenger-proxy passenger-status; do
	script bash $program >"$share/bash-completion/completions/$program"
	script zsh $program >"$share/zsh/vendor-completions/_$program"
	script fish $program >"$share/fish/vendor_completions.d/$program.fish"
done
