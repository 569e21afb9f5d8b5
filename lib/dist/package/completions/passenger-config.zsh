#compdef passenger-config
_passenger_config() {
	local context state state_descr line
	typeset -A opt_args
	_arguments -C '--help[Show a summary]' '--version[Print the version]' '1:command:->command' '*::argument:->arguments'
	case $state in
	command) _values command 'restart-app[Replace the processes of apps]' 'detach-process[Drain one process and stop it]' 'list-instances[Show what runs]' 'reopen-logs[Have log files opened anew]' 'validate-install[Do nothing]' 'about[Print the version]' ;;
	arguments)
		case $words[1] in
		restart-app) _arguments '--name=[Restart the app of this name]:name: ' '--rolling-restart[Start new processes beside the old ones]' '--blocking-restart[Stop the old processes first]' '--ignore-app-not-running[Succeed if no app is there]' '--ignore-passenger-not-running[Succeed if no pool runs]' '--instance=[Use this state directory]:directory:_directories' '--wait[Wait for the outcome]' '1:directory:_directories' ;;
		list-instances) _arguments '--json[Print JSON]' ;;
		reopen-logs) _arguments '--instance=[Use this state directory]:directory:_directories' ;;
		about) _values word version ;;
		esac ;;
	esac
}
_passenger_config "$@"
