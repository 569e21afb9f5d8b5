# bash completion for passenger-config
_passenger_config() {
	local cur=${COMP_WORDS[COMP_CWORD]} words
	case ${COMP_CWORD}:${COMP_WORDS[1]} in
	1:*) words='restart-app detach-process list-instances reopen-logs validate-install about help --help --version' ;;
	*:restart-app) words='--name= --rolling-restart --blocking-restart --ignore-app-not-running --ignore-passenger-not-running --instance= --wait' ;;
	*:list-instances) words=--json ;;
	*:reopen-logs) words=--instance= ;;
	*:about) words=version ;;
	*) return ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
	if [[ ${COMP_WORDS[1]} = restart-app && $cur != -* ]]; then mapfile -t COMPREPLY < <(compgen -d -- "$cur"); fi
	if [[ ${COMPREPLY[0]-} = *= ]]; then compopt -o nospace 2>/dev/null; fi
}
complete -F _passenger_config passenger-config
